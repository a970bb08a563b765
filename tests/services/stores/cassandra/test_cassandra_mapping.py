"""The notation of mappings, and the options of the sink."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langstream.agents.working_record import WorkingRecord
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.services.stores.cassandra.mapping import parsed
from langstream.services.stores.cassandra.sink import CqlSinkConfiguration


def sink(**options: Any) -> CqlSinkConfiguration:
    given = {"datasource": "C", "table-name": "items", "keyspace": "shop", "mapping": "id=key.id", **options}
    return CqlSinkConfiguration.model_validate(given)


def test_sources_are_read_from_the_record() -> None:
    record = SimpleRecord('{"title": "t", "n": null}', '{"id": 1}', [("lang", "en")])
    scope = WorkingRecord(record)
    mapping = 'ID=key.id, "Title"=value.title,n=value.n,lang=header.lang, whole=value, "odd, name"=key'
    found = {source.column: source.reader()(scope) for source in parsed(mapping)}
    assert found == {
        "id": 1,
        "Title": "t",
        "n": None,
        "lang": "en",
        "whole": {"title": "t", "n": None},
        "odd, name": {"id": 1},
    }


@pytest.mark.parametrize("source", ["value.x", "key.x", "header.x"])
def test_a_field_that_is_not_there_fails_the_record(source: str) -> None:
    (mapping,) = parsed(f"c={source}")
    scope = WorkingRecord(SimpleRecord('{"a": 1}', "text"))
    with pytest.raises(RecordError, match=rf"Required field '{source}' \(mapped to column c\) missing"):
        mapping.reader()(scope)


def test_now_is_a_time_uuid() -> None:
    (mapping,) = parsed("at=now()")
    assert mapping.reader()(None).version == 1


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("id", "expected column=source"),
        ("id=other.x", "expected column=source"),
        ("id=value.a.b", "expected column=source"),
        ("id=value.a name=value.b", "expected column=source"),
        ("id=value.a,ID=value.b", "more than once"),
        ("id=header", "header needs a name"),
        ("  ", "no column"),
    ],
)
def test_a_mapping_that_is_none_is_refused(mapping: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        sink(mapping=mapping)


def test_table_options_are_taken_by_name_and_by_the_originals_prefix() -> None:
    plain = sink(ttl="60", ttlTimeUnit="MINUTES", consistencyLevel="LOCAL_QUORUM", queryExecutionTimeout="5 seconds")
    prefix = "topic.langstreaminputtopic.shop.items."
    prefixed = sink(**{f"{prefix}ttl": 60, f"{prefix}ttlTimeUnit": "MINUTES", f"{prefix}deletesEnabled": "false"})
    assert (plain.ttl, plain.ttl_unit, plain.consistency, plain.timeout_seconds) == (60, "MINUTES", "LOCAL_QUORUM", 5)
    assert (prefixed.ttl, prefixed.ttl_unit, prefixed.deletes_enabled) == (60, "MINUTES", False)


def test_unknown_options_are_left_alone_unless_they_are_structures() -> None:
    assert sink(jmx=True, compression="none").model_extra == {"jmx": True, "compression": "none"}
    with pytest.raises(
        ValidationError, match="Only string values can be passed to the Cassandra sink, found extra: a l"
    ):
        sink(extra=["a"])


def test_the_keyspace_is_needed_once() -> None:
    assert sink(**{"table-name": "a.b"}, keyspace=None).target() == ("a", "b")
    with pytest.raises(ValidationError, match="keyspace already"):
        sink(**{"table-name": "a.b"})
    with pytest.raises(ValidationError, match="keyspace is missing"):
        sink(keyspace=None)


def test_a_query_of_ones_own_cannot_delete() -> None:
    with pytest.raises(ValidationError, match="deletesEnabled: false"):
        sink(query="INSERT INTO a.b (id) VALUES (:id)")

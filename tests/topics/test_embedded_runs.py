"""Runs: rows as JSON text, joined in a group commit, read back from any offset."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langstream.records import AvroValue
from langstream.topics.embedded.rows import MAX_BYTES, RowEncoder, decode_runs
from langstream.topics.embedded.schema import COMMIT, RECORDS
from langstream.topics.embedded.writer import Entry, joined
from langstream.topics.encoding import EncodedAvro, encode_avro

TEXTS = st.none() | st.text() | st.binary() | st.text(alphabet=st.characters(categories=["Cs"]))
ROWS = st.tuples(
    st.integers(0, 2**63 - 1),
    TEXTS,
    TEXTS,
    st.none() | st.lists(st.tuples(st.text(), TEXTS), min_size=1, max_size=3).map(tuple),
)


def _plain(rows: Any) -> list[tuple[Any, ...]]:
    return [(row[0], row[1], row[2], None if row[3] is None else tuple(map(tuple, row[3]))) for row in rows]


def _decoded(text: str, offset: int = 0, base: int = 0, gaps: str = "null") -> list[Any]:
    runs = decode_runs(f"[{base},{gaps}]", text, offset, {})
    return [(number, row) for run in runs for number, row in zip(run.offsets, _plain(run.rows), strict=True)]


@given(rows=st.lists(ROWS, min_size=1, max_size=10), base=st.integers(0, 2**39), skipped=st.integers(0, 12))
def test_rows_come_back_from_any_offset(rows: list[Any], base: int, skipped: int) -> None:
    (run,) = RowEncoder().runs(rows)
    expected = list(enumerate(_plain(rows), base))[skipped:]
    assert _decoded(run.text, base + skipped, base) == expected


def test_offsets_with_gaps_are_skipped_by_offset() -> None:
    (run,) = RowEncoder().runs([(1, None, text, None) for text in "abc"])
    assert _decoded(run.text, 14, 10, "[0,4,7]") == [(14, (1, None, "b", None)), (17, (1, None, "c", None))]


def test_avro_is_kept_with_the_id_of_its_schema() -> None:
    encoder = RowEncoder()
    datum = encode_avro(AvroValue({"type": "string"}, "text"))
    (run,) = encoder.runs([(1, datum, datum, (("h", "x"),))])
    (schema,) = encoder.schemas
    assert encoder.schemas == {schema: '{"type":"string"}'}
    ((row,),) = [decoded.rows for decoded in decode_runs("[0,null]", run.text, 0, encoder.schemas)]
    assert row[1] == row[2] == datum
    assert isinstance(row[1], EncodedAvro)


def test_large_rows_become_several_runs() -> None:
    runs = list(RowEncoder().runs([(1, None, "x" * (MAX_BYTES // 2), None)] * 5))
    assert len(runs) > 1
    assert sum(run.records for run in runs) == 5
    assert all(run.size == len(run.text) for run in runs)


def _entry(partition: int, *texts: str) -> Entry:
    (run,) = RowEncoder().runs([(int(text), None, text, None) for text in texts])
    return Entry(RECORDS, partition, run.records, run.size, run.newest, run.text)


def test_runs_of_one_partition_are_joined_in_order() -> None:
    first, other, second = _entry(1, "5", "2"), _entry(2, "9"), _entry(1, "3")
    commit = Entry(COMMIT, 1, "group", "member", 1, 0)
    entries = list(joined([first, other, commit, second]))
    assert _entry(1, "5", "2", "3") in entries
    assert {entry.kind for entry in entries} == {RECORDS, COMMIT}
    assert len(entries) == 3


@given(sizes=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 700)), max_size=12))
def test_joining_keeps_every_row_and_its_order(sizes: list[tuple[int, int]]) -> None:
    number = 0
    entries = []
    for partition, size in sizes:
        entries.append(_entry(partition, *map(str, range(number, number + size))))
        number += size
    before: dict[int | None, list[Any]] = {}
    after: dict[int | None, list[Any]] = {}
    for source, target in ((entries, before), (list(joined(entries)), after)):
        for entry in source:
            rows = _decoded(entry.d)
            assert len(rows) == entry.a
            target.setdefault(entry.partition, []).extend(row[2] for _, row in rows)
    assert after == before

"""What every store promises to queries and to `vector-db-sink`, whatever it is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES, PlanContext
from langstream.application.model import Agent, Module, Resource
from langstream.errors import LangStreamError, ServiceError
from langstream.records import SimpleRecord
from langstream.sdk import contract
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Row, Store
from tests.services.stores.bench import StoreBench

NASTY = [
    "it's",
    'say "why?"',
    'a"}, {"x": "b',
    "back\\slash \\' \\\"",
    "new\nline\tand tab",
    "Ünïcödé 漢字 🦜",
    "?",
    "${value} {{ value }} %s :x $1 @x",
    "'; DROP TABLE docs; --",
    "* OR id:* AND {!func}",
    "a/b c?d=e&f#g%2F..",
]


@pytest.fixture
async def store(bench: StoreBench) -> AsyncIterator[Store]:
    opened = connect("Store", bench.configuration(), bench.directory)
    await opened.start()
    await bench.prepare(opened)
    yield opened
    await opened.close()


class Sink:
    """A started `vector-db-sink`, written to with ids and values."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    async def write(self, *rows: tuple[Any, Row | None]) -> list[Exception | None]:
        records = [
            SimpleRecord(None if value is None else json.dumps(value), json.dumps({"id": id})) for id, value in rows
        ]
        return list(await self.agent.write_batch(records))


async def started_sink(bench: StoreBench, configuration: dict[str, Any]) -> Sink:
    declared = AGENT_TYPES.load("vector-db-sink")
    resource = Resource("Store", "Store", bench.resource_type, configuration)
    options = {"datasource": "Store", **bench.sink()}
    context = PlanContext(Agent("a", "vector-db-sink"), Module("default", {}, {}, ()), {"Store": resource})
    agent = declared.create(declared.configuration(options, context).model_validate(options))
    resources = {"Store": contract.Resource("Store", "Store", bench.resource_type, configuration)}
    await agent.start(contract.AgentContext("a", "app", resources=resources, data_directory=bench.directory))
    return Sink(agent)


@pytest.fixture
async def sink(bench: StoreBench, store: Store) -> AsyncIterator[Sink]:
    opened = await started_sink(bench, bench.configuration())
    yield opened
    await opened.agent.close()


@pytest.fixture
def found(bench: StoreBench, store: Store) -> Callable[[Any], Awaitable[list[Row]]]:
    async def rows(id: Any) -> list[Row]:
        return [bench.row(row) for row in await store.query(bench.by_id, [id])]

    return rows


Found = Callable[[Any], Awaitable[list[Row]]]


def value(text: str = "text", year: int | None = 2019, vector: tuple[float, ...] = (1.0, 0.0, 0.0)) -> Row:
    return {"text": text, "year": year, "vector": list(vector)}


async def test_a_written_row_is_found_with_its_values(sink: Sink, found: Found) -> None:
    assert await sink.write(("a", value("hello")), ("b", value("other"))) == [None, None]
    (row,) = await found("a")
    assert (row["id"], row["text"], row["year"]) == ("a", "hello", 2019)
    assert isinstance(row["year"], int)


async def test_what_is_not_there_is_an_empty_list(sink: Sink, found: Found) -> None:
    assert await sink.write(("a", value())) == [None]
    assert await found("nobody") == []


async def test_writing_again_changes_nothing(sink: Sink, found: Found) -> None:
    for _ in range(2):
        assert await sink.write(("a", value("same")), ("b", value("other"))) == [None, None]
    assert [row["text"] for row in await found("a")] == ["same"]


async def test_a_row_is_replaced_by_its_key(sink: Sink, found: Found) -> None:
    await sink.write(("a", value("old")))
    assert await sink.write(("a", value("new", 2020))) == [None]
    assert [(row["text"], row["year"]) for row in await found("a")] == [("new", 2020)]


async def test_a_null_value_deletes_the_row_and_only_that(sink: Sink, found: Found) -> None:
    await sink.write(("a", value()), ("b", value()))
    assert await sink.write(("a", None), ("never there", None)) == [None, None]
    assert await found("a") == []
    assert len(await found("b")) == 1


async def test_of_equal_keys_in_a_batch_the_last_counts(sink: Sink, found: Found) -> None:
    writes = [("a", value("1")), ("b", value("1")), ("a", value("2")), ("b", None), ("c", None), ("c", value("3"))]
    assert await sink.write(*writes) == [None] * 6
    assert [row["text"] for row in await found("a")] == ["2"]
    assert await found("b") == []
    assert [row["text"] for row in await found("c")] == ["3"]


async def test_one_bad_row_does_not_fail_its_neighbours(bench: StoreBench, sink: Sink, found: Found) -> None:
    first, bad, last = await sink.write(("a", value("1")), ("b", bench.bad), ("c", value("3")))
    assert (first, last) == (None, None)
    assert isinstance(bad, LangStreamError)
    assert not bad.retryable
    assert [len(await found(id)) for id in "abc"] == [1, 0, 1]


@pytest.mark.parametrize("text", NASTY)
async def test_no_value_becomes_syntax(sink: Sink, found: Found, text: str) -> None:
    assert await sink.write((text, value(text)), ("other", value())) == [None, None]
    assert [(row["id"], row["text"]) for row in await found(text)] == [(text, text)]
    assert await sink.write((text, None)) == [None]
    assert await found(text) == []
    assert len(await found("other")) == 1


async def test_the_nearest_vectors_come_first(bench: StoreBench, sink: Sink, store: Store) -> None:
    if not bench.nearest:
        pytest.skip("the store has no search by vectors")
    await sink.write(
        ("east", value("e", vector=(1, 0, 0))),
        ("north", value("n", vector=(0, 1, 0))),
        ("north-east", value("ne", vector=(0.7, 0.7, 0.1))),
        ("up", value("u", vector=(0, 0.1, 1))),
    )
    rows = await store.query(bench.nearest, [[0.1, 1.0, 0.0]])
    assert [bench.row(row)["id"] for row in rows] == ["north", "north-east"]


async def test_nothing_is_nearest_in_an_empty_store(bench: StoreBench, store: Store) -> None:
    if not bench.nearest:
        pytest.skip("the store has no search by vectors")
    assert await store.query(bench.nearest, [[0.1, 1.0, 0.0]]) == []


async def test_a_batch_of_hundreds_is_written(sink: Sink, found: Found) -> None:
    rows = [(f"id{number}", value(f"text {number}", number)) for number in range(300)]
    assert await sink.write(*rows) == [None] * 300
    assert [row["text"] for row in await found("id299")] == ["text 299"]
    assert await sink.write(*((id, None) for id, _ in rows)) == [None] * 300
    assert await found("id150") == []


async def test_a_key_may_not_be_null(bench: StoreBench, sink: Sink) -> None:
    (outcome,) = await sink.write((None, value()))
    if bench.made_up_keys:
        assert outcome is None
        return
    assert isinstance(outcome, LangStreamError)
    assert "null" in str(outcome)


async def test_too_few_parameters_are_refused(bench: StoreBench, store: Store) -> None:
    with pytest.raises(ServiceError) as caught:
        await store.query(bench.by_id, [])
    assert not caught.value.retryable


async def test_a_query_that_makes_no_sense_is_refused(bench: StoreBench, store: Store) -> None:
    with pytest.raises(ServiceError) as caught:
        await store.query(bench.broken, [])
    assert not caught.value.retryable


async def test_queries_run_at_the_same_time(sink: Sink, found: Found) -> None:
    await sink.write(*((f"id{number}", value(str(number))) for number in range(20)))
    answers = await asyncio.gather(*(found(f"id{number % 20}") for number in range(60)))
    assert [rows[0]["text"] for rows in answers] == [str(number % 20) for number in range(60)]


async def test_a_store_that_is_away_is_no_fault_of_the_records(
    bench: StoreBench, sink: Sink, store: Store, found: Found
) -> None:
    if bench.proxy is None:
        pytest.skip("the store is embedded: it is never away")
    await sink.write(("a", value("before")))
    assert len(await found("a")) == 1
    await bench.proxy.cut()
    outcomes = await sink.write(("a", value("after")), ("b", value("after")))
    assert [getattr(outcome, "retryable", None) for outcome in outcomes] == [True, True]
    with pytest.raises(ServiceError) as caught:
        await store.query(bench.by_id, ["a"])
    assert caught.value.retryable
    await bench.proxy.mend()
    deadline = time.monotonic() + 60
    while await sink.write(("a", value("after")), ("b", value("after"))) != [None, None]:
        assert time.monotonic() < deadline, "the sink never found the store again"
    assert [row["text"] for row in await once_back(found, "a", deadline)] == ["after"]


async def once_back(found: Found, id: str, deadline: float) -> list[Row]:
    """The rows, when this connection has found the store again as well."""
    while True:
        try:
            return await found(id)
        except ServiceError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def test_starting_without_the_server_is_transient(bench: StoreBench) -> None:
    if bench.proxy is None:
        pytest.skip("the store is embedded: it is never away")
    await bench.proxy.cut()
    assert (await refusal(bench, bench.configuration())).retryable


async def refusal(bench: StoreBench, configuration: dict[str, Any]) -> ServiceError:
    """What a query of a store that was just connected to fails with."""
    opened = connect("Store", configuration, bench.directory)
    try:
        await opened.start()
        rows = await opened.query(bench.by_id, ["a"])
    except ServiceError as error:
        assert not any(secret in repr(opened) for secret in (bench.secret, bench.wrong_secret()) if secret)
        return error
    finally:
        await opened.close()
    raise AssertionError(f"nothing failed: {rows}")


async def test_a_wrong_login_is_told_without_the_credential(bench: StoreBench, store: Store) -> None:
    if bench.secret is None:
        pytest.skip("the store needs no login")
    error = await refusal(bench, bench.wrong_login())
    assert error.category == "authentication"
    for text in (str(error), repr(error), repr(store)):
        assert bench.secret not in text
        assert bench.wrong_secret() not in text


async def test_closing_twice_does_no_harm(bench: StoreBench) -> None:
    opened = connect("Store", bench.configuration(), bench.directory)
    await opened.start()
    await opened.close()
    await opened.close()

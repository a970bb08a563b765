"""`query` and `query-vector-db`: rows into records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.records import SimpleRecord, parse_json
from langstream.sdk.contract import AgentContext, Resource
from langstream.services.stores.connection import connect

DATABASE = {"service": "jdbc", "driverClass": "herddb.jdbc.Driver", "url": "jdbc:herddb:local"}


@pytest.fixture
async def context(tmp_path: Path) -> AgentContext:
    store = connect("Db", DATABASE, tmp_path)
    await store.start()
    await store.execute("CREATE TABLE t (id int primary key, w string)", ())
    await store.execute("INSERT INTO t (id, w) VALUES (1, 'one'), (2, 'two')", ())
    await store.close()
    return AgentContext(
        "a", "app", resources={"Db": Resource("Db", "Db", "datasource", DATABASE)}, data_directory=tmp_path
    )


async def run(context: AgentContext, value: Any, type_: str = "query", **options: Any) -> Any:
    declared = AGENT_TYPES.load(type_)
    configuration = declared.configuration.model_validate({"datasource": "Db", **options})
    agent = declared.create(configuration)
    await agent.start(context)
    try:
        (outcome,) = await agent.process_batch([SimpleRecord(value, headers=[("h", "x")])])
    finally:
        await agent.close()
    return outcome


async def value_after(context: AgentContext, value: str, **options: Any) -> Any:
    outcome = await run(context, value, **options)
    assert not isinstance(outcome, Exception), outcome
    return parse_json(outcome[0].value())


ROWS: dict[str, Any] = {"query": "SELECT w FROM t WHERE id = ?", "fields": ["value.id"], "output-field": "value.r"}


async def test_rows_are_stored_as_a_list(context: AgentContext) -> None:
    assert await value_after(context, '{"id": 2}', **ROWS) == {"id": 2, "r": [{"w": "two"}]}


async def test_only_first_stores_an_object_or_an_empty_one(context: AgentContext) -> None:
    options = {**ROWS, "only-first": True}
    assert await value_after(context, '{"id": 1}', **options) == {"id": 1, "r": {"w": "one"}}
    assert await value_after(context, '{"id": 9}', **options) == {"id": 9, "r": {}}


async def test_execute_stores_the_number_of_rows(context: AgentContext) -> None:
    options = {"query": "UPDATE t SET w = ?", "fields": ["'x'"], "output-field": "value.r", "mode": "execute"}
    assert await value_after(context, "{}", **options) == {"r": {"count": 2}}


async def test_a_loop_joins_the_rows_of_all_items(context: AgentContext) -> None:
    options = {**ROWS, "fields": ["record.id"], "loop-over": "value.l"}
    value = '{"l": [{"id": 2}, {"id": 7}, {"id": 1}]}'
    assert (await value_after(context, value, **options))["r"] == [{"w": "two"}, {"w": "one"}]


async def test_a_loop_sees_the_record_around_the_item(context: AgentContext) -> None:
    options = {**ROWS, "fields": ["value.id"], "loop-over": "value.l", "type_": "query-vector-db"}
    assert (await value_after(context, '{"id": 1, "l": [0, 0]}', **options))["r"] == [{"w": "one"}, {"w": "one"}]


async def test_a_missing_list_stores_no_rows(context: AgentContext) -> None:
    assert await value_after(context, "{}", **{**ROWS, "loop-over": "value.l"}) == {"r": []}


async def test_records_for_which_when_is_false_pass_unchanged(context: AgentContext) -> None:
    record = SimpleRecord('{"id": 1}', headers=[("h", "x")])
    outcome = await run(context, '{"id": 1}', **{**ROWS, "when": "value.go == true"})
    assert outcome == [record]


async def test_whole_value_may_be_replaced_by_the_rows(context: AgentContext) -> None:
    outcome = await run(context, '{"id": 1}', **{**ROWS, "output-field": "value"})
    assert outcome[0].value() == [{"w": "one"}]


async def test_a_failing_statement_fails_the_record_alone(context: AgentContext) -> None:
    outcome = await run(context, "{}", query="SELECT nonsense", **{"output-field": "value.r"})
    assert isinstance(outcome, Exception)
    assert "nonsense" in str(outcome)


@pytest.mark.parametrize(
    "options",
    [{"mode": "bogus"}, {"output-field": "elsewhere"}, {"loop-over": "value."}, {"fields": ["("]}, {"query": ""}],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    model = AGENT_TYPES.load("query").configuration
    with pytest.raises(ValueError, match=next(iter(options)).replace("fields", "fields")):
        model.model_validate({"datasource": "Db", **ROWS, **options})

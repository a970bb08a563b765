"""`vector-db-sink` on the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.agents.declaration import AGENT_TYPES, PlanContext
from langstream.agents.vector.vector_db_sink import VectorDbSink
from langstream.application.model import Agent, Module, Resource
from langstream.records import SimpleRecord
from langstream.sdk import contract
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Table, Write

DATABASE = {"service": "jdbc", "url": "jdbc:herddb:local"}
SINK = AGENT_TYPES.load("vector-db-sink")
OPTIONS = {
    "datasource": "Db",
    "table-name": "docs",
    "fields": [
        {"name": "name", "expression": "key.name", "primary-key": True},
        {"name": "text", "expression": "value.text"},
        {"name": "vec", "expression": "fn:toListOfFloat(value.vec)"},
    ],
}


def plan_context(resource: Resource | None) -> PlanContext:
    resources = {"Db": resource} if resource else {}
    return PlanContext(Agent("a", "vector-db-sink"), Module("default", {}, {}, ()), resources)


async def test_records_replace_and_delete_rows_by_primary_key(tmp_path: Path) -> None:
    store = connect("Db", DATABASE, tmp_path)
    await store.start()
    await store.execute("CREATE TABLE docs (name string primary key, text string, vec floata)", ())
    model = SINK.configuration(OPTIONS, plan_context(Resource("Db", "Db", "datasource", DATABASE)))
    agent = SINK.create(model.model_validate(OPTIONS))
    resources = {"Db": contract.Resource("Db", "Db", "datasource", DATABASE)}
    await agent.start(contract.AgentContext("a", "app", resources=resources, data_directory=tmp_path))
    outcomes = await agent.write_batch(
        [
            SimpleRecord('{"text": "first", "vec": [1, 0]}', key='{"name": "d\'or"}'),
            SimpleRecord('{"text": "second", "vec": ["0.5", 1]}', key='{"name": "d\'or"}'),
            SimpleRecord('{"text": "other", "vec": [0, 1]}', key='{"name": "b"}'),
            SimpleRecord('{"text": "bad", "vec": "no list"}', key='{"name": "c"}'),
            SimpleRecord(None, key='{"name": "b"}'),
        ]
    )
    assert [outcome is None for outcome in outcomes] == [True, True, True, False, True]
    assert await store.query("SELECT * FROM docs", []) == [{"name": "d'or", "text": "second", "vec": [0.5, 1.0]}]
    await agent.close()
    await store.close()


def test_options_are_those_of_the_store_behind_the_datasource() -> None:
    model = SINK.configuration(OPTIONS, plan_context(Resource("Db", "Db", "datasource", DATABASE)))
    assert "table_name" in model.model_fields


def test_a_missing_datasource_leaves_the_complaint_to_the_planner() -> None:
    model = SINK.configuration(OPTIONS, plan_context(None))
    assert list(model.model_fields) == ["datasource"]


class SlowTable(Table):
    """A table of one row that takes its time, and says when it is asked."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.packed = 0
        self.all_packed = asyncio.Event()
        self.under_way = 0
        self.go = asyncio.Event()

    def packers(self) -> Mapping[str, Callable[[Any], Any]]:
        def pack(value: Any) -> Any:
            self.packed += 1
            if self.packed == 3:
                self.all_packed.set()
            return [int(number) for number in value]

        return {"vec": pack}

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        self.under_way += 1
        assert self.under_way == 1, "batches are written one after the other"
        await self.go.wait()
        self.written += [write.values and write.values["vec"] for write in writes]
        self.under_way -= 1
        return [None] * len(writes)


async def test_the_rows_of_the_next_batch_are_made_while_the_store_writes_and_written_in_order(tmp_path: Path) -> None:
    model = SINK.configuration(OPTIONS, plan_context(Resource("Db", "Db", "datasource", DATABASE)))
    agent = SINK.create(model.model_validate(OPTIONS))
    resources = {"Db": contract.Resource("Db", "Db", "datasource", DATABASE)}
    await agent.start(contract.AgentContext("a", "app", resources=resources, data_directory=tmp_path))
    assert isinstance(agent, VectorDbSink)
    agent._table = table = SlowTable()
    assert agent.batching.concurrency > 1
    values = ['{"vec": [1]}', '{"vec": [2]}', None, '{"vec": [3]}']
    calls = [asyncio.create_task(agent.write_batch([SimpleRecord(value, key='{"name": "same"}')])) for value in values]
    await table.all_packed.wait()
    assert table.written == []
    table.go.set()
    assert await asyncio.gather(*calls) == [[None]] * 4
    assert table.written == [[1], [2], None, [3]]
    await agent.close()

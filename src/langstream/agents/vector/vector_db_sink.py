"""The agent `vector-db-sink`: writes records to a table or collection, replacing by primary key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from pydantic import ConfigDict

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration
from langstream.errors import RecordError
from langstream.expressions import compile_expression
from langstream.records import SimpleRecord, dump_json
from langstream.sdk.contract import AgentContext, Batching, Sink
from langstream.services.stores.connection import connect, store_type
from langstream.services.stores.contract import Column, SinkConfiguration, Store, Table, Write

CONCURRENCY = 2
"""Batches under way: while the store works on one, the rows of the next are made."""

_Value = Callable[[Any], Any]


class _AnySink(SinkConfiguration):
    """Used where the datasource is missing or wrong, so that the planner can say so."""

    model_config = ConfigDict(extra="allow")


def _model(raw: Mapping[str, Any], context: PlanContext) -> type[Configuration]:
    """The options of the store that the datasource names."""
    resource = context.resources.get(str(raw.get("datasource")))
    declared = store_type(resource.configuration.get("service")) if resource else None
    return declared.sink_configuration if declared and declared.sink_configuration else _AnySink


def _check(configuration: Any, context: PlanContext) -> Iterable[Finding]:
    resource = context.resources.get(configuration.datasource)
    service = resource.configuration.get("service") if resource else None
    declared = store_type(service)
    if declared is not None and declared.sink_configuration is None:
        yield Finding(f"the store '{service}' cannot be written to by vector-db-sink", ("datasource",))


class VectorDbSink(Sink):
    """Writes batches; a record without value deletes the row with its primary key."""

    batching = Batching(max_records=500, concurrency=CONCURRENCY, ordering="sequence")

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._columns: list[tuple[Column, _Value]] = [(column, _value(column)) for column in configuration.columns()]
        self._keys: list[tuple[Column, _Value]] = []
        self._values: list[tuple[str, _Value]] = []
        self._store: Store | None = None
        self._table: Table | None = None
        self._turn = asyncio.Lock()

    async def start(self, context: AgentContext) -> None:
        resource = context.resources[self._configuration.datasource]
        self._store = connect(resource.id, resource.configuration, context.data_directory)
        await self._store.start()
        self._table = self._store.table(self._configuration)
        await self._table.start()
        keys = self._table.keys()
        for column, value in self._columns:
            is_key = column.key if keys is None else column.name in keys
            if is_key:
                self._keys.append((column, value))
            else:
                self._values.append((column.name, value))

    async def close(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            await store.close()

    async def write_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        assert self._table is not None, "the agent was not started"
        outcomes: list[Exception | None] = [None] * len(records)
        writes: list[Write] = []
        places: list[int] = []
        packers = self._table.packers()
        for place, record in enumerate(records):
            try:
                write = self._write(record, packers)
                if write is not None:
                    writes.append(write)
                    places.append(place)
            except Exception as error:
                outcomes[place] = None if self._configuration.forgives(error) else error
        if writes:
            async with self._turn:  # first come, first served: batches are written in the order of their records
                written = await self._table.write(writes)
            for place, outcome in zip(places, written, strict=True):
                outcomes[place] = outcome
        return outcomes

    def _write(self, record: SimpleRecord, packers: Mapping[str, _Value]) -> Write | None:
        """None where the record deletes a row that nothing tells the key of: rows with made-up keys."""
        working = WorkingRecord(record)
        deletes = working.value is None
        key: dict[str, Any] = {}
        for column, value in self._keys:
            found = value(working)
            if found is None and column.generated and deletes:
                return None
            if found is None and not (column.generated or column.optional):
                raise RecordError(f"the key '{column.name}' of the row is null{_source(column)}")
            key[column.name] = content_id(record) if found is None and column.generated else found
        if deletes:
            return Write(key, None, record.timestamp())
        values = {name: value(working) for name, value in self._values}
        for name, pack in packers.items():
            values[name] = pack(values[name])
        return Write(key, values, record.timestamp())


def _value(column: Column) -> _Value:
    if column.expression is None:
        return lambda _: None
    return compile_expression(column.expression) if isinstance(column.expression, str) else column.expression


def _source(column: Column) -> str:
    return f": {column.expression}" if isinstance(column.expression, str) else ""


def content_id(record: SimpleRecord) -> str:
    """The same for a record that comes again; different for other records."""
    content = (record.origin(), record.timestamp(), record.key(), record.value(), record.headers())
    return blake2b(dump_json(content), digest_size=16).hexdigest()


AGENT = AgentType(
    name="vector-db-sink",
    component_type=ComponentType.SINK,
    configuration=_model,
    create=VectorDbSink,
    summary="Writes records to a table or collection of a store, replacing rows by primary key.",
    description=(
        "A record whose value is null deletes the row. Writing is idempotent, so records that come twice after a crash "
        "do no harm. Except for `datasource`, the options depend on the store."
    ),
    composable=Composable.OPTIONAL,
    check=_check,
    family="vector",
    example="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: documents-db
    table-name: documents
    fields:
      - { name: filename, expression: value.filename, primary-key: true }
      - { name: chunk_id, expression: "fn:toInt(value.chunk_id)", primary-key: true }
      - { name: vector, expression: value.embeddings }
      - { name: text, expression: value.text }
""",
)

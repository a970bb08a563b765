"""The agent `vector-db-sink`: writes records to a table or collection, replacing by primary key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration, Kind, OpenConfiguration
from langstream.expressions import compile_expression
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Batching, Sink
from langstream.services.stores.connection import connect, store_type
from langstream.services.stores.contract import Store, Table, Write

_Field = tuple[str, Callable[[Any], Any]]


class _AnySink(OpenConfiguration):
    """Used where the datasource is missing or wrong, so that the planner can say so."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of type `datasource` or `vector-database`."),
    ]


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

    batching = Batching(max_records=200, concurrency=1, ordering="emission")

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        fields = [
            (field.name, compile_expression(field.expression), field.primary_key) for field in configuration.fields
        ]
        self._keys: list[_Field] = [(name, value) for name, value, is_key in fields if is_key]
        self._others: list[_Field] = [(name, value) for name, value, is_key in fields if not is_key]
        self._store: Store | None = None
        self._table: Table | None = None

    async def start(self, context: AgentContext) -> None:
        resource = context.resources[self._configuration.datasource]
        self._store = connect(resource.id, resource.configuration, context.data_directory)
        await self._store.start()
        self._table = self._store.table(self._configuration)

    async def close(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            await store.close()

    async def write_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        assert self._table is not None, "the agent was not started"
        outcomes: list[Exception | None] = [None] * len(records)
        writes: list[Write] = []
        places: list[int] = []
        for place, record in enumerate(records):
            try:
                writes.append(self._write(record))
                places.append(place)
            except Exception as error:
                outcomes[place] = error
        if writes:
            for place, outcome in zip(places, await self._table.write(writes), strict=True):
                outcomes[place] = outcome
        return outcomes

    def _write(self, record: SimpleRecord) -> Write:
        working = WorkingRecord(record)
        key = {name: value(working) for name, value in self._keys}
        if working.value is None:
            return Write(key, None)
        return Write(key, {name: value(working) for name, value in self._others})


AGENT = AgentType(
    name="vector-db-sink",
    component_type=ComponentType.SINK,
    configuration=_model,
    create=VectorDbSink,
    summary="Writes records to a table or collection of a store, replacing rows by primary key.",
    description=(
        "A record whose value is null deletes the row. Writing is idempotent, so records that come twice after a crash "
        "do no harm. Further options depend on the store."
    ),
    composable=Composable.ALWAYS,
    check=_check,
    family="vector",
    example="""
type: vector-db-sink
input: chunks
configuration:
  datasource: documents
  table-name: documents
  fields:
    - { name: filename, expression: value.filename, primary-key: true }
    - { name: chunk_id, expression: "fn:toInt(value.chunk_id)", primary-key: true }
    - { name: vector, expression: value.embeddings }
    - { name: text, expression: value.text }
""",
)

"""What `query` and `query-vector-db` share: their options, and running one query per record or per item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Configuration, Expression
from langstream.errors import RecordError
from langstream.expressions import compile_condition, compile_expression
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class QueryOptions(Configuration):
    """Options of both query agents, but for the datasource."""

    query: Annotated[str, Field(min_length=1, description="Statement; `?` stand for the values of `fields`.")]
    output_field: Annotated[
        str, Field(description="Where the result goes: `value`, `key`, `value.NAME`, `key.NAME` or `properties.NAME`.")
    ]
    fields: Annotated[
        list[Expression], BeforeValidator(_as_list), Field(description="Values of the parameters, in order.")
    ] = []  # noqa: RUF012 — options are immutable
    only_first: Annotated[bool, Field(description="Keep only the first row; an empty object where there is none.")] = (
        False
    )
    mode: Annotated[
        Literal["query", "execute"],
        Field(description="`query` reads rows, `execute` runs a statement that changes data."),
    ] = "query"
    generated_keys: Annotated[
        list[str] | None, Field(description="With `execute`: columns filled in by the database, to be returned.")
    ] = None
    loop_over: Annotated[
        Expression | None, Field(description="List; the query runs once for each item, visible as `record`.")
    ] = None
    when: Annotated[Expression | None, Field(description="Condition; other records pass unchanged.")] = None

    @field_validator("output_field")
    @classmethod
    def _is_a_place(cls, name: str) -> str:
        result_field(name)
        return name


@dataclass(frozen=True, slots=True)
class _Item:
    """The scope inside a loop: the item, and the record around it."""

    outer: WorkingRecord
    record: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.outer, name)


class QueryProcessor(AsyncProcessor):
    """Runs the query for each record and stores its rows."""

    batching = Batching(max_records=1, concurrency=16, ordering="serial")

    def __init__(self, configuration: Any) -> None:
        self._datasource: str = configuration.datasource
        self._options: QueryOptions = configuration
        self._condition = compile_condition(configuration.when) if configuration.when else None
        self._fields = [compile_expression(text) for text in configuration.fields]
        self._loop = compile_expression(configuration.loop_over) if configuration.loop_over else None
        self._store_result = result_field(configuration.output_field)
        self._store: Store | None = None

    async def start(self, context: AgentContext) -> None:
        resource = context.resources[self._datasource]
        store = connect(resource.id, resource.configuration, context.data_directory)
        self._store = store
        await store.start()

    async def close(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            await store.close()

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [await self._outcome(record) for record in records]

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            working = WorkingRecord(record)
            if self._condition is not None and not self._condition(working):
                return [record]
            self._store_result(working, await self._result(working))
            return [working.to_record()]
        except Exception as error:
            return error

    async def _result(self, working: WorkingRecord) -> Any:
        if self._loop is None:
            return self._single(await self._run(working))
        items = self._loop(working)
        if items is not None and not isinstance(items, Sequence):
            raise RecordError(f"loop-over: expected a list, found {type(items).__name__}")
        results = [await self._run(_Item(working, item)) for item in items or ()]
        if self._options.mode == "execute":
            return results
        return self._single([row for rows in results for row in rows])

    def _single(self, result: Any) -> Any:
        if self._options.mode == "query" and self._options.only_first:
            return result[0] if result else {}
        return result

    async def _run(self, scope: Any) -> list[dict[str, Any]] | Mapping[str, Any]:
        assert self._store is not None, "the agent was not started"
        parameters = [field(scope) for field in self._fields]
        if self._options.mode == "execute":
            return await self._store.execute(self._options.query, parameters, self._options.generated_keys or ())
        return await self._store.query(self._options.query, parameters)

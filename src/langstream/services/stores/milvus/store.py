"""Queries to Milvus, and collections written to by sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.contract import Row, Store, Table, Write
from langstream.services.stores.milvus.configuration import MilvusConfiguration, MilvusSinkConfiguration
from langstream.services.stores.milvus.connection import MilvusConnection
from langstream.services.stores.milvus.queries import Filtered, Search, Statement, literal
from langstream.services.stores.query_template import bound, options

ROWS_PER_CALL = 500


class MilvusStore(Store):
    """A datasource with `service: milvus`."""

    def __init__(self, configuration: MilvusConfiguration, data_directory: Path | None) -> None:
        self.configuration = configuration
        self.connection = MilvusConnection(configuration)

    async def start(self) -> None:
        await self.connection.start()

    async def close(self) -> None:
        await self.connection.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        search = options(Search, bound(statement, parameters), "Milvus")
        return await (self._rows(search) if search.vectors is None else self._nearest(search))

    async def _nearest(self, search: Search) -> list[Row]:
        params = {
            name: value for name, value in (("metric_type", search.metric_type), ("params", search.params)) if value
        }
        (hits,) = await self.connection.call(
            lambda client, timeout: client.search(
                search.collection_name,
                data=[search.vectors],
                filter=search.condition(),
                limit=search.limit,
                offset=search.offset,
                output_fields=search.output_fields or [],
                search_params=params,
                anns_field=search.vector_field_name or None,
                timeout=timeout,
                round_decimal=-1 if search.round_decimal is None else search.round_decimal,
                **search.more(),
            ),
            search.database_name,
        )
        wanted = search.output_fields or ()
        return [
            {
                **{name: value for name, value in hit["entity"].items() if name in wanted or "*" in wanted},
                "id": hit.id,
                "distance": hit.distance,
            }
            for hit in hits
        ]

    async def _rows(self, search: Search) -> list[Row]:
        if not (search.filter or search.ids):
            raise ServiceError("the query to Milvus needs vectors, filter or ids", category="refused")
        found = await self.connection.call(
            lambda client, timeout: client.query(
                search.collection_name,
                **_chosen(search),
                output_fields=search.output_fields or ["*"],
                timeout=timeout,
                **({} if search.ids else {"limit": search.limit, "offset": search.offset}),
                **search.more(),
            ),
            search.database_name,
        )
        return [dict(row) for row in found]

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """`action`: upsert or insert `data`, or delete by `filter` or `ids`."""
        change = options(Statement, bound(statement, parameters), "Milvus")

        def work(client: Any, timeout: float) -> Any:
            if change.action == "delete":
                return client.delete(change.collection_name, **_chosen(change), timeout=timeout)
            return getattr(client, change.action)(change.collection_name, change.data, timeout=timeout)

        return {"count": _count(await self.connection.call(work, change.database_name))}

    def table(self, configuration: MilvusSinkConfiguration) -> Table:
        return MilvusCollection(self, configuration)


def _chosen(filtered: Filtered) -> dict[str, Any]:
    """The rows meant: by their ids, or by the filter. Ids are literals too: the client library does not escape them."""
    if filtered.ids is not None:
        return {"ids": filtered.ids}
    return {"filter": filtered.condition()}


def _count(answer: Any) -> int:
    if isinstance(answer, Mapping):
        return int(next((value for name, value in answer.items() if name.endswith("_count")), 0))
    return len(answer or ())


class MilvusCollection(Table):
    """A collection; its primary key is asked for once."""

    def __init__(self, store: MilvusStore, configuration: MilvusSinkConfiguration) -> None:
        self._connection = store.connection
        self._configuration = configuration
        self._delete_first = store.configuration.write_mode == "delete-insert"
        self._key = ""

    async def start(self) -> None:
        name = self._configuration.collection_name
        described = await self._connection.call(
            lambda client, timeout: client.describe_collection(name, timeout=timeout), self._configuration.database_name
        )
        self._key = next((field["name"] for field in described["fields"] if field.get("is_primary")), "")
        if not self._key:
            raise ServiceError(f"the Milvus collection {name} has no primary key", category="refused")
        if self._key not in (field.name for field in self._configuration.fields):
            raise ServiceError(
                f"fields: the primary key '{self._key}' of the Milvus collection {name} is missing", category="refused"
            )

    def keys(self) -> Sequence[str]:
        return (self._key,)

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._upsert, self._delete, ROWS_PER_CALL)

    async def _upsert(self, writes: Sequence[Write]) -> None:
        rows = [
            {name: value for name, value in {**write.key, **(write.values or {})}.items() if value is not None}
            for write in writes
        ]
        if self._delete_first:
            await self._delete(writes)
        name = self._configuration.collection_name
        method = "insert" if self._delete_first else "upsert"
        await self._connection.call(
            lambda client, timeout: getattr(client, method)(name, rows, timeout=timeout),
            self._configuration.database_name,
        )

    async def _delete(self, writes: Sequence[Write]) -> None:
        condition = f"{self._key} in {literal([write.key[self._key] for write in writes])}"
        name = self._configuration.collection_name
        await self._connection.call(
            lambda client, timeout: client.delete(name, filter=condition, timeout=timeout),
            self._configuration.database_name,
        )

"""Queries to an index of Pinecone, and vectors written by sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from langstream.errors import ServiceError
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.contract import Row, Store, Table, Write
from langstream.services.stores.pinecone.configuration import METADATA, PineconeConfiguration, PineconeSinkConfiguration
from langstream.services.stores.pinecone.connection import PineconeConnection
from langstream.services.stores.pinecone.queries import Query, Statement
from langstream.services.stores.query_template import bound, options

VECTORS_PER_CALL: Final = 100
_PATHS: Final = {"upsert": "/vectors/upsert", "update": "/vectors/update", "delete": "/vectors/delete"}


class PineconeStore(Store):
    """An index."""

    def __init__(self, configuration: PineconeConfiguration, data_directory: Path | None) -> None:
        self.configuration = configuration
        self.connection = PineconeConnection(configuration)

    async def start(self) -> None:
        await self.connection.start()

    async def check(self) -> None:
        await self.post("/describe_index_stats", {})

    async def close(self) -> None:
        await self.connection.close()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The index's answer."""
        return await (await self.connection.index()).post(path, body)

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        query = options(Query, bound(statement, parameters), "Pinecone")
        if query.ids is not None:
            return await self._fetched(query)
        answer = await self.post("/query", query.body())
        try:
            return [_row(match) for match in answer["matches"]]
        except (KeyError, TypeError, AttributeError):
            raise _malformed() from None

    async def _fetched(self, query: Query) -> list[Row]:
        if not query.ids:
            return []
        names = [("ids", id) for id in query.ids] + ([("namespace", query.namespace)] if query.namespace else [])
        answer = await (await self.connection.index()).get("/vectors/fetch?" + urlencode(names))
        try:
            found = answer.get("vectors") or {}
            return [
                _row(found[id] if query.includeValues else {**found[id], "values": None})
                for id in query.ids
                if id in found
            ]
        except (KeyError, TypeError, AttributeError):
            raise _malformed() from None

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """`action`: upsert `vectors`, update an `id`, delete by `ids`, `filter` or all."""
        change = options(Statement, bound(statement, parameters), "Pinecone")
        answer = await self.post(_PATHS[change.action], change.body())
        if change.action == "upsert":
            return {"count": (answer or {}).get("upsertedCount", len(change.vectors or ()))}
        if change.action == "update":
            return {"count": 1}
        return {"count": len(change.ids)} if change.ids else {}

    def table(self, configuration: PineconeSinkConfiguration) -> Table:
        return PineconeTable(self)


def _row(match: Mapping[str, Any]) -> Row:
    """The metadata with their types, the id, and what else was asked for."""
    row: Row = {**(match.get("metadata") or {}), "id": match["id"]}
    for name, key in (("similarity", "score"), ("vector", "values"), ("sparse-vector", "sparseValues")):
        if match.get(key) not in (None, []):
            row[name] = match[key]
    return row


def _malformed() -> ServiceError:
    return ServiceError("the answer of Pinecone makes no sense: it has no matches", category="malformed")


class PineconeTable(Table):
    """The vectors of an index, in as many namespaces as the records name."""

    def __init__(self, store: PineconeStore) -> None:
        self._store = store

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._upsert, self._delete, VECTORS_PER_CALL)

    async def _upsert(self, writes: Sequence[Write]) -> None:
        for namespace, part in _by_namespace(writes):
            await self._store.post("/vectors/upsert", {"vectors": [_vector(write) for write in part], **namespace})

    async def _delete(self, writes: Sequence[Write]) -> None:
        for namespace, part in _by_namespace(writes):
            await self._store.post("/vectors/delete", {"ids": [_id(write) for write in part], **namespace})


def _by_namespace(writes: Sequence[Write]) -> list[tuple[dict[str, str], list[Write]]]:
    parts: dict[str | None, list[Write]] = {}
    for write in writes:
        namespace = write.key.get("namespace")
        parts.setdefault(None if namespace is None else str(namespace), []).append(write)
    return [({} if name is None else {"namespace": name}, part) for name, part in parts.items()]


def _vector(write: Write) -> dict[str, Any]:
    values = dict(write.values or {})
    vector = values.pop("values")
    if isinstance(vector, list):
        vector = [float(item) for item in vector]
    metadata = {name.removeprefix(METADATA): value for name, value in values.items() if value is not None}
    return {"id": _id(write), "values": vector, **({"metadata": metadata} if metadata else {})}


def _id(write: Write) -> str:
    return str(write.key["id"])

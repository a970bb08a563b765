"""The store behind an `astra-vector-db` resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.astra_vector_db.collection import DataApi
from langstream.services.stores.astra_vector_db.configuration import (
    AstraVectorDbConfiguration,
    AstraVectorDbSinkConfiguration,
)
from langstream.services.stores.astra_vector_db.queries import Search, Statement
from langstream.services.stores.astra_vector_db.table import AstraCollection
from langstream.services.stores.contract import Row, Store, Table
from langstream.services.stores.query_template import bound, options


class AstraVectorDbStore(Store):
    """The collections of one keyspace."""

    def __init__(self, configuration: AstraVectorDbConfiguration, _: Path | None = None) -> None:
        self.api = DataApi(configuration)

    async def start(self) -> None:
        await self.api.client.start()

    async def check(self) -> None:
        await self.api.ask("findCollections", {})

    async def close(self) -> None:
        await self.api.client.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        request = _request(statement, parameters)
        return await options(Search, request, "astra-vector-db").run(self.api)

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        if generated_keys:
            raise ServiceError("astra-vector-db has no generated-keys; the result tells the id", category="refused")
        request = _request(statement, parameters)
        return await options(Statement, request, "astra-vector-db").run(self.api)

    def table(self, configuration: AstraVectorDbSinkConfiguration) -> Table:
        return AstraCollection(self.api, configuration.collection_name)


def _request(statement: str, parameters: Sequence[Any]) -> dict[str, Any]:
    request = bound(statement, parameters)
    if not request:
        raise ServiceError("Query is empty", category="refused")
    return request

"""The store behind an OpenSearch resource: search requests as JSON, and statements that change documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row, Store, Table
from langstream.services.stores.http import segment
from langstream.services.stores.opensearch.configuration import OpenSearchConfiguration, OpenSearchSinkConfiguration
from langstream.services.stores.opensearch.connection import client
from langstream.services.stores.opensearch.statements import Statement
from langstream.services.stores.opensearch.table import OpenSearchTable
from langstream.services.stores.query_template import bound, options


class OpenSearchStore(Store):
    """One index."""

    def __init__(self, configuration: OpenSearchConfiguration, _: Path | None = None) -> None:
        self.index = configuration.index_name
        self.client = client(configuration)

    @property
    def path(self) -> str:
        """The path of the index."""
        return f"/{segment(self.index)}"

    async def start(self) -> None:
        await self.client.start()

    async def check(self) -> None:
        await self.client.ask("HEAD", self.path, expected=(200, 404))

    async def close(self) -> None:
        await self.client.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        request = bound(statement, parameters)
        request.pop("index", None)  # the resource says which
        answer = await self.client.post(f"{self.path}/_search", request)
        try:
            return [
                {"id": hit["_id"], "document": hit.get("_source"), "score": hit.get("_score"), "index": hit["_index"]}
                for hit in answer["hits"]["hits"]
            ]
        except (KeyError, TypeError):
            raise ServiceError("OpenSearch gave no hits in its answer to a search", category="malformed") from None

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        if generated_keys:
            raise ServiceError("OpenSearch has no generated-keys; the result tells the id", category="refused")
        request = bound(statement, parameters)
        request.pop("index", None)
        return await options(Statement, request, "OpenSearch").run(self.client, self.path)

    def table(self, configuration: OpenSearchSinkConfiguration) -> Table:
        return OpenSearchTable(self.client, self.path, configuration)

"""The store behind a Solr resource: requests are JSON objects of Solr's own parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row, Store, Table
from langstream.services.stores.http import StoreClient, segment
from langstream.services.stores.query_template import bound, options
from langstream.services.stores.solr.configuration import SolrConfiguration, SolrSinkConfiguration
from langstream.services.stores.solr.statements import Statement
from langstream.services.stores.solr.table import SolrTable

FORM: Final = "application/x-www-form-urlencoded"
BAD_DOCUMENT: Final = "bad document"
"""Stands for the server's word: it says status 500 of a document that it refuses."""


class SolrStore(Store):
    """One collection."""

    def __init__(self, configuration: SolrConfiguration, _: Path | None = None) -> None:
        self.collection = configuration.collection_name
        login = (configuration.user, configuration.password or "") if configuration.user else None
        self.client = StoreClient(
            "Solr",
            configuration.root(),
            login=login,
            secrets=(configuration.password,) if configuration.password else (),
            words=words,
            categories={BAD_DOCUMENT: "refused"},
        )

    @property
    def path(self) -> str:
        """The path of the collection."""
        return f"/solr/{segment(self.collection)}"

    async def start(self) -> None:
        await self.client.start()

    async def check(self) -> None:
        await self.client.get("/solr/admin/info/system")

    async def close(self) -> None:
        await self.client.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        """Solr would take `${…}` in a value for a parameter's name; only a query that says so itself has it."""
        form = {"expandMacros": "false", **request(bound(statement, parameters)), "wt": "json"}
        answer = (await self.client.ask("POST", f"{self.path}/select", form, content_type=FORM)).json()
        try:
            documents: list[Row] = answer["response"]["docs"]
        except (KeyError, TypeError):
            raise ServiceError("Solr gave no documents in its answer to a search", category="malformed") from None
        return documents

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        if generated_keys:
            raise ServiceError("Solr generates no keys: generated-keys cannot be used", category="refused")
        return await options(Statement, bound(statement, parameters), "Solr").run(self.client, self.path)

    def table(self, configuration: SolrSinkConfiguration) -> Table:
        return SolrTable(self.client, self.path, configuration)


def request(query: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Solr's parameters as a form: a list of texts is a parameter given several times, null is left out.

    Other lists and objects are JSON text, as Solr writes vectors and its JSON interfaces.
    """
    return {
        name: [str(item) for item in value] if _several(value) else _text(value)
        for name, value in query.items()
        if value is not None
    }


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def words(content: Any) -> tuple[str, str]:
    """The server's message and its word for the failure."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return "", ""
    message = str(error.get("msg") or "")
    return message, BAD_DOCUMENT if message.startswith("ERROR: [doc=") else ""

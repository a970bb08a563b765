"""What the contract suite needs of a store: a target of its own, and how it is written to and asked."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest

from langstream.services.stores.contract import Row, Store
from tests.services.stores.proxy import Proxy


class StoreBench(ABC):
    """A store with one target (table, collection, index) of the fields `id`, `text`, `year` and `vector` (3 numbers).

    The suite writes records with the key `{"id": …}` and the value `{"text": …, "year": …, "vector": […]}`.
    A store joins the suite by a fixture `<name>_bench` and its name in `MEMBERS` of the conftest.
    """

    by_id: str
    """The query for the row of an id, its one parameter."""
    nearest: str
    """The query for the two rows nearest to a vector, its one parameter, the nearest first; empty: there is none."""
    broken: str
    """A query that makes no sense to the store; no parameters."""
    secret: str | None = None
    """A credential in the configuration that the server checks, None where there is none."""
    proxy: Proxy | None = None
    """The way to the server, None where the store is embedded."""
    bad: Row = {"text": "bad", "year": 1, "vector": [1.0, 2.0]}  # noqa: RUF012
    """A value that the store refuses."""
    made_up_keys = False
    """Whether a key that is null is made of the record's content."""
    resource_type = "vector-database"
    directory: Path | None = None
    """The data directory."""

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """The resource."""

    @abstractmethod
    def sink(self) -> dict[str, Any]:
        """The options of `vector-db-sink` but for the datasource."""

    @abstractmethod
    async def prepare(self, store: Store) -> None:
        """Make the target anew, empty."""

    def row(self, row: Row) -> Row:
        """The row as `{"id", "text", "year", "vector"}`, without what the query did not ask for."""
        return row

    def wrong_secret(self) -> str:
        """A credential that the server does not accept."""
        return (self.secret or "")[::-1]

    def wrong_login(self) -> dict[str, Any]:
        """The resource with a wrong credential, which must not be shown either."""
        configuration = self.configuration()
        return {name: self.wrong_secret() if text == self.secret else text for name, text in configuration.items()}


def fields(*keys: str) -> list[dict[str, Any]]:
    """The usual `fields` of a sink; those of the key are marked where names are given."""
    expressions = {"id": "key.id", "text": "value.text", "year": "value.year", "vector": "value.vector"}
    marks = {name: {"primary-key": True} for name in keys}
    return [{"name": name, "expression": text, **marks.get(name, {})} for name, text in expressions.items()]


def need(missing: str | None) -> None:
    """Skip the test for want of a server, or fail where servers are required."""
    if missing is None:
        return
    if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
        pytest.fail(missing)
    pytest.skip(missing)

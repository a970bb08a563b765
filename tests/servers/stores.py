"""Fixtures of the stores that are Java servers. Each is started at most once, on the one worker that has its tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import cassandra, opensearch, solr

NAMES = ("cassandra", "opensearch", "solr")


def group(item: pytest.Item) -> str | None:
    """The server that a test needs, directly or as a member of the suite of all stores."""
    parameters = getattr(item, "callspec", None)
    member = parameters.params.get("bench") if parameters is not None else None
    for name in NAMES:
        if member == name or f"{name}_server" in getattr(item, "fixturenames", ()):
            return name
    return None


def _started(module: Any, factory: pytest.TempPathFactory) -> AbstractContextManager[Any]:
    name = module.__name__.rpartition(".")[2]
    reason = module.ARTIFACTS.missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no {name}: {reason}")
        pytest.skip(f"no {name}: {reason}")
    directory: Path = factory.mktemp(name)
    server: AbstractContextManager[Any] = getattr(module, name)(directory)
    return server


@pytest.fixture(scope="session")
def cassandra_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cassandra.Cassandra]:
    """A real Cassandra of one node."""
    with _started(cassandra, tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[opensearch.OpenSearch]:
    """A real OpenSearch of one node."""
    with _started(opensearch, tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="session")
def solr_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[solr.Solr]:
    """A real Solr of one node."""
    with _started(solr, tmp_path_factory) as server:
        yield server

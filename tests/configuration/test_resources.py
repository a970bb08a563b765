"""Resources are checked by their type: AI services, and stores by their service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from langstream.configuration.model import Configuration, Secret
from langstream.errors import Problem
from langstream.services.ai.contract import AIProvider
from langstream.services.resources import Services, check_resource, store_type
from langstream.services.stores.contract import StoreType


class StoreOptions(Configuration):
    """A store."""

    service: str
    url: str


class AIOptions(Configuration):
    """An AI service."""

    access_key: Secret


class Members:
    """A registry of given members."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._members))

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def load(self, name: str) -> Any:
        if isinstance(self._members[name], Exception):
            raise self._members[name]
        return self._members[name]


def _connect(configuration: Any, other: Any = None) -> Any:
    raise AssertionError("checking opens nothing")


SERVICES = Services(
    Members({"open-ai-configuration": AIProvider("open-ai-configuration", AIOptions, _connect, "")}),
    Members(
        {
            "jdbc": StoreType("jdbc", ("datasource",), StoreOptions, None, _connect, ""),
            "milvus": StoreType("milvus", ("vector-database",), StoreOptions, None, _connect, ""),
            "heavy": ImportError("no module named 'numpy'"),
        }
    ),
)


def checked(type: str, configuration: dict[str, Any]) -> tuple[Configuration | None, list[Problem]]:
    return check_resource(type, configuration, subject="resource 'r'", services=SERVICES)


def test_valid_resources() -> None:
    assert checked("open-ai-configuration", {"access-key": "k"})[0] == AIOptions.model_validate({"access-key": "k"})
    store, problems = checked("vector-database", {"service": "milvus", "url": "u"})
    assert isinstance(store, StoreOptions)
    assert problems == []


@pytest.mark.parametrize(
    ("type", "configuration", "fragments"),
    [
        ("open-ai-configuration", {}, ["Property 'access-key' is required"]),
        ("open-ai-configuraton", {}, ["'open-ai-configuraton' is unknown", "Did you mean 'open-ai-configuration'?"]),
        ("zebra", {}, ["Supported types: datasource, open-ai-configuration, vector-database."]),
        ("datasource", {"url": "u"}, ["must be one of jdbc", "it is missing"]),
        ("datasource", {"service": "milvus", "url": "u"}, ["must be one of jdbc", "'milvus'"]),
        ("vector-database", {"service": "jdbc", "url": "u"}, ["must be one of milvus", "'jdbc'"]),
        ("datasource", {"service": ["jdbc"]}, ["not a text"]),
        ("datasource", {"service": "jdbc"}, ["Property 'url' is required"]),
        ("datasource", {"service": "jdbc", "url": "u", "usr": "x"}, ["Property 'usr' is unknown"]),
        ("datasource", {"service": "heavy"}, ["service 'heavy' cannot be used here", "numpy"]),
    ],
)
def test_refused_resources(type: str, configuration: dict[str, Any], fragments: list[str]) -> None:
    found, problems = checked(type, configuration)
    assert found is None
    (problem,) = problems
    for fragment in fragments:
        assert fragment in str(problem)


def test_stores_by_name() -> None:
    store = store_type("jdbc", SERVICES)
    assert store is not None
    assert store.service == "jdbc"
    assert store_type("absent", SERVICES) is None
    assert store_type("heavy", SERVICES) is None

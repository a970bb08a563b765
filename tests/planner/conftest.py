"""A catalogue of plain agent types, and applications made of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, Protocol

import pytest
from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.configuration.model import (
    Configuration,
    Expression,
    Kind,
    OpenConfiguration,
    Secret,
    TopicName,
)
from langstream.planner.catalogue import Catalogue
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.services.ai.contract import AIProvider
from langstream.services.resources import Services
from langstream.services.stores.contract import AssetType, SinkConfiguration, StoreType


class Members:
    """A registry of given members. A member that is an error is raised when it is loaded."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._members))

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def load(self, name: str) -> Any:
        member = self._members[name]
        if isinstance(member, Exception):
            raise member
        return member


class Nothing(Configuration):
    """No options."""


class Route(Configuration):
    """An entry with a topic."""

    when: Expression = "true"
    destination: TopicName | None = None


class RouterOptions(Configuration):
    """Topics inside a list."""

    routes: tuple[Route, ...] = ()


class QueryOptions(Configuration):
    """A reference to a store, and a credential."""

    datasource: Annotated[str, Kind("resource", of=("datasource", "vector-database"))]
    limit: Annotated[int, Field(ge=1)] = 10
    token: Secret = ""


class SinkOptions(SinkConfiguration):
    """Options of the sink of one store."""

    table: str


class CodeOptions(OpenConfiguration):
    """Open for the options of custom code."""

    class_name: Annotated[str, Field(alias="className")]


class StoreOptions(Configuration):
    """A store."""

    service: str
    url: str


class AIOptions(Configuration):
    """An AI service."""

    access_key: Secret


class TableOptions(Configuration):
    """A table."""

    datasource: Annotated[str, Kind("resource", of=("datasource",))]
    table_name: str
    delete_statements: list[str] | None = None


def _sink_model(options: Mapping[str, Any], context: PlanContext) -> type[Configuration]:
    if options.get("datasource") not in context.resources:
        raise ValueError(f"Resource '{options.get('datasource')}' not found")
    return SinkOptions


def _no_wildcard(options: RouterOptions, context: PlanContext) -> Iterator[Finding]:
    for index, route in enumerate(options.routes):
        if route.destination is None and context.agent.output is None:
            yield Finding("A route leads nowhere", ("routes", index), "Give it a destination.")


def _create(configuration: Any) -> Any:
    raise AssertionError("planning creates no agents")


def _type(
    name: str,
    role: ComponentType = ComponentType.PROCESSOR,
    options: Any = Nothing,
    composable: Composable = Composable.ALWAYS,
    check: Any = None,
) -> AgentType:
    return AgentType(name, role, options, _create, name, composable=composable, check=check)


def _connect(configuration: Any, other: Any = None) -> Any:
    raise AssertionError("planning opens nothing")


AGENTS = Members(
    {
        "step": _type("step"),
        "optional": _type("optional", composable=Composable.OPTIONAL),
        "alone": _type("alone", composable=Composable.NEVER),
        "source": _type("source", ComponentType.SOURCE),
        "sink": _type("sink", ComponentType.SINK),
        "service": _type("service", ComponentType.SERVICE),
        "router": _type("router", options=RouterOptions, check=_no_wildcard),
        "query": _type("query", options=QueryOptions),
        "store-sink": _type("store-sink", ComponentType.SINK, _sink_model),
        "code": _type("code", options=CodeOptions, composable=Composable.OPTIONAL),
        "broken": ImportError("no module named 'torch'"),
    }
)
STORES = Members(
    {
        "table-db": StoreType("table-db", ("datasource",), StoreOptions, SinkOptions, _connect, ""),
        "vectors": StoreType("vectors", ("datasource", "vector-database"), StoreOptions, None, _connect, ""),
    }
)
AI = Members({"open-ai-configuration": AIProvider("open-ai-configuration", AIOptions, _connect, "")})
ASSETS = Members({"table": AssetType("table", TableOptions, ("table-db",), _connect, "")})
CATALOGUE = Catalogue(AGENTS, Services(AI, STORES), ASSETS, Members({"embedded": None, "kafka": None}))


class Plan(Protocol):
    """Plans an application given as file name → text; one text is `pipeline.yaml`."""

    def __call__(
        self,
        files: Mapping[str, str] | str,
        *,
        application_id: str = "app",
        instance: str | None = None,
        secrets: str | None = None,
        tenant: str = "default",
    ) -> ExecutionPlan:
        """The plan. Raises ApplicationRefused."""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Plans with the catalogue above."""

    def planned(
        files: Mapping[str, str] | str,
        *,
        application_id: str = "app",
        instance: str | None = None,
        secrets: str | None = None,
        tenant: str = "default",
    ) -> ExecutionPlan:
        directory = tmp_path / "application"
        directory.mkdir(exist_ok=True)
        for name, text in ({"pipeline.yaml": files} if isinstance(files, str) else files).items():
            (directory / name).write_text(dedent(text))
        given = {}
        for kind, text_or_none in (("instance", instance), ("secrets", secrets)):
            if text_or_none is not None:
                given[kind] = tmp_path / f"{kind}.yaml"
                given[kind].write_text(dedent(text_or_none))
        return load_and_plan(
            directory,
            application_id,
            instance=given.get("instance"),
            secrets=given.get("secrets"),
            environment={},
            tenant=tenant,
            catalogue=CATALOGUE,
        )

    return planned


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The plain agent types."""
    return CATALOGUE

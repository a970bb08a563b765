"""How an agent type is declared: one value, registered in the entry-point group `langstream.agents`.

    AGENT = AgentType(
        name="drop",
        component_type=ComponentType.PROCESSOR,
        configuration=DropConfiguration,
        create=Drop,                     # called with the validated configuration
        summary="Drops records, all or those for which a condition holds.",
        composable=Composable.OPTIONAL,
    )

Everything else — validation, `langstream docs`, JSON Schema, reference pages — follows from it. A module that declares
an agent imports heavy libraries only inside `start` or `create`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from langstream.application.model import Agent, Module, Resource
from langstream.configuration.model import Configuration
from langstream.configuration.validation import Path as ConfigurationPath
from langstream.registry import AGENTS, Registry
from langstream.sdk.contract import AnyAgent


class ComponentType(StrEnum):
    """The role of an agent."""

    SOURCE = "SOURCE"
    PROCESSOR = "PROCESSOR"
    SINK = "SINK"
    SERVICE = "SERVICE"


class Composable(StrEnum):
    """Whether the planner may fuse the agent with its neighbours.

    `OPTIONAL`: yes, unless its configuration says `composable: false`; the planner takes that key out before the
    configuration is validated.
    """

    ALWAYS = "always"
    OPTIONAL = "optional"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem found by an agent type's own check: where in its configuration, what, and what to do."""

    message: str
    path: ConfigurationPath = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What an agent type may look at while its configuration is checked."""

    agent: Agent
    module: Module
    resources: Mapping[str, Resource]
    implicit_topics: frozenset[str] = frozenset()
    directory: Path | None = None
    """The application's directory (holding `python/`), where it is known."""
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """The application's secrets, for checks that they stand nowhere where others see them."""


Check: TypeAlias = Callable[[Any, PlanContext], Iterable[Finding]]
Model: TypeAlias = "type[Configuration] | Callable[[Mapping[str, Any], PlanContext], type[Configuration]]"


@dataclass(frozen=True, slots=True)
class AgentType:
    """The declaration of an agent type.

    `configuration` is the option model, or a function that chooses it by looking at the raw options and the context
    (the sink of a vector store has options of that store). `check` finds what a model alone cannot: references to
    resources that must exist, options that contradict each other. Options of kind `topic` and `resource` are checked
    by the planner without it.
    """

    name: str
    component_type: ComponentType
    configuration: Model
    create: Callable[[Any], AnyAgent]
    summary: str
    description: str = ""
    composable: Composable = Composable.ALWAYS
    check: Check | None = None
    family: str = ""
    example: str = ""
    """Pipeline entries in YAML: a list. What they name of topics, resources and secrets the reference adds."""
    example_files: Mapping[str, str] = field(default_factory=dict)
    """Further files of the application in the example, such as `python/shop.py`."""
    example_input: str = ""
    """Records for the example in YAML: a list of `key`, `value` and `headers`."""
    example_output: str = ""
    """What comes of them, in order; records that go elsewhere than to `output` with their `topic`."""
    aliases: tuple[str, ...] = field(default=())
    keeps_state: bool = False
    """The agent gets a state directory even where `resources.disk` is not enabled."""


AGENT_TYPES = Registry(AGENTS)

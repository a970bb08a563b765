"""The execution plan: topics and assets to create, nodes to place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langstream.agents.declaration import AgentType, ComponentType
from langstream.application.model import (
    Application,
    Asset,
    CreationMode,
    DeletionMode,
    ErrorsSpec,
    OnFailure,
    ResourcesSpec,
    SchemaSpec,
)
from langstream.configuration.model import Configuration
from langstream.errors import Problem


@dataclass(frozen=True, slots=True)
class PlannedTopic:
    """A topic of the plan. Implicit ones join agents that could not be fused, take dead letters of such, or tell nodes
    of cancellations."""

    name: str
    creation_mode: CreationMode
    deletion_mode: DeletionMode
    partitions: int = 0
    implicit: bool = False
    key_schema: SchemaSpec | None = None
    value_schema: SchemaSpec | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PlannedAsset:
    """An asset whose configuration was checked against its type."""

    asset: Asset
    configuration: Configuration = field(repr=False)
    module: str = "default"


@dataclass(frozen=True, slots=True)
class PlannedAgent:
    """A member of a node: its declared type and its checked configuration."""

    id: str
    type: AgentType
    configuration: Configuration = field(repr=False)
    name: str | None = None

    @property
    def component_type(self) -> ComponentType:
        """Its role."""
        return self.type.component_type


@dataclass(frozen=True, slots=True)
class Node:
    """A unit of placement: one or more fused agents between an input and an output.

    `dead_letter` is the topic for records that failed for good, set only where `errors.on_failure` is dead-letter and
    the node reads a topic. `group` is the consumer group. `disks` has the ids of members with persistent state.
    `answers` are the answers topics, of gateways that cancel, to which the node's results lead.
    """

    id: str
    module: str
    pipeline: str
    agents: tuple[PlannedAgent, ...]
    input: str | None
    output: str | None
    dead_letter: str | None
    group: str
    resources: ResourcesSpec
    errors: ErrorsSpec
    disks: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()

    @property
    def component_type(self) -> ComponentType:
        """The role of the first member."""
        return self.agents[0].component_type

    @property
    def type(self) -> str:
        """The agent type, or `composite-agent` for several members."""
        return self.agents[0].type.name if len(self.agents) == 1 else "composite-agent"

    @property
    def dead_letters(self) -> bool:
        """Whether failed records go to `dead_letter`."""
        return self.errors.on_failure is OnFailure.DEAD_LETTER and self.dead_letter is not None


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """Everything a deployer needs."""

    application_id: str
    tenant: str
    application: Application = field(repr=False)
    topics: tuple[PlannedTopic, ...]
    assets: tuple[PlannedAsset, ...]
    nodes: tuple[Node, ...]
    warnings: tuple[Problem, ...] = ()
    """What is allowed but probably not meant: resources nobody uses that are wrong, agents that read nothing."""
    cancellations: str | None = None
    """The topic over which gateways tell nodes what nobody waits for any more, if a gateway asks for that."""

    def topic(self, name: str) -> PlannedTopic:
        """The topic of that name. Raises KeyError."""
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise KeyError(name)

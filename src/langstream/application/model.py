"""An application as values: what its files say, placeholders resolved, every reference inside it checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from langstream.configuration.validation import Locator, nowhere
from langstream.errors import Position, Problem


class OnFailure(StrEnum):
    """What to do with a record that failed for good."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "dead-letter"


class CreationMode(StrEnum):
    """Whether a topic or asset is created at deployment."""

    NONE = "none"
    CREATE_IF_NOT_EXISTS = "create-if-not-exists"


class DeletionMode(StrEnum):
    """Whether a topic or asset is deleted with the application."""

    NONE = "none"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ErrorsSpec:
    """`retries` is the number of attempts for one record (0 and 1: a single one)."""

    on_failure: OnFailure = OnFailure.FAIL
    retries: int = 0


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """A persistent directory for the agent. `size_bytes` limits it where the platform can."""

    enabled: bool = False
    type: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ResourcesSpec:
    """`parallelism` replicas, each of `size` units."""

    parallelism: int = 1
    size: int = 1
    disk: DiskSpec = DiskSpec()


@dataclass(frozen=True, slots=True)
class SchemaSpec:
    """The schema of a topic's keys or values."""

    type: str
    schema: str | None = None
    name: str = "Schema"


@dataclass(frozen=True, slots=True)
class Topic:
    """A declared topic. `partitions` 0 is the broker's default."""

    name: str
    creation_mode: CreationMode = CreationMode.NONE
    deletion_mode: DeletionMode = DeletionMode.NONE
    partitions: int = 0
    key_schema: SchemaSpec | None = None
    value_schema: SchemaSpec | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A thing outside (a table, a collection) that the application needs."""

    id: str
    name: str
    asset_type: str
    creation_mode: CreationMode = CreationMode.NONE
    deletion_mode: DeletionMode = DeletionMode.NONE
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: Position | None = field(default=None, compare=False)
    locate: Locator = field(default=nowhere, compare=False, repr=False)
    """Positions inside `config`."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One step of a pipeline. `input` and `output` are topic names as written, or None."""

    id: str
    type: str
    name: str | None = None
    input: str | None = None
    output: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    resources: ResourcesSpec = ResourcesSpec()
    errors: ErrorsSpec = ErrorsSpec()
    position: Position | None = field(default=None, compare=False)
    locate: Locator = field(default=nowhere, compare=False, repr=False)
    """Positions inside `configuration`."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The agents of one file, in order."""

    id: str
    module: str
    name: str | None
    agents: tuple[Agent, ...]
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Module:
    """All pipeline files that name the same module; topics are shared within it."""

    id: str
    pipelines: Mapping[str, Pipeline]
    topics: Mapping[str, Topic]
    assets: tuple[Asset, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """A configured service. `configuration` is checked when an agent or asset first refers to it."""

    id: str
    name: str
    type: str
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: Position | None = field(default=None, compare=False)
    locate: Locator = field(default=nowhere, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A file to fetch before deployment (JDBC drivers of the original; kept for compatibility)."""

    name: str
    url: str
    type: str
    sha512sum: str


class GatewayType(StrEnum):
    """What clients do at a gateway."""

    PRODUCE = "produce"
    CONSUME = "consume"
    CHAT = "chat"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """A header whose text is a literal, a parameter or a member of the principal: exactly one is set."""

    key: str
    value: str | None = field(default=None, repr=False)
    value_from_parameters: str | None = None
    value_from_authentication: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayAuthentication:
    """Who may use the gateway. `configuration` belongs to the provider."""

    provider: str
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    allow_test_mode: bool = True


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Either the service agent to proxy to, or both topics. `timeout_seconds` limits one request.

    `cancel_after_seconds`: what was asked is cancelled when its client has been away for so long; None: never.
    """

    agent_id: str | None = None
    input_topic: str | None = None
    output_topic: str | None = None
    headers: tuple[HeaderRule, ...] = ()
    timeout_seconds: float = 30.0
    cancel_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """The two topics of a conversation and the headers that tie questions to answers.

    `cancel_after_seconds`: what was asked is cancelled when all clients of these headers have been away for so long;
    None: never.
    """

    questions_topic: str
    answers_topic: str
    headers: tuple[HeaderRule, ...] = ()
    cancel_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """A door for clients. `headers` belong to produce-options, `filters` to consume-options."""

    id: str
    type: GatewayType
    topic: str | None = None
    authentication: GatewayAuthentication | None = None
    parameters: tuple[str, ...] | None = None
    headers: tuple[HeaderRule, ...] = ()
    filters: tuple[HeaderRule, ...] = ()
    chat: ChatOptions | None = None
    service: ServiceOptions | None = None
    events_topic: str | None = None
    position: Position | None = field(default=None, compare=False)
    definition: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """As written in the file, for display and events; never with credentials."""

    @property
    def cancel_after_seconds(self) -> float | None:
        """How long clients may be away before what they asked for is cancelled; None: for ever."""
        options = self.chat or self.service
        return options.cancel_after_seconds if options is not None else None

    @property
    def answers_topic(self) -> str | None:
        """The topic that has the answers to what clients ask, where they ask."""
        if self.chat is not None:
            return self.chat.answers_topic
        return self.service.output_topic if self.service is not None else None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The streaming or compute cluster of the instance."""

    type: str
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: Position | None = field(default=None, compare=False)


class GroupNaming(StrEnum):
    """How consumer groups are named: `agent` is the original's `langstream-agent-<agent>`, shared by applications.

    Set by `consumer-group-naming` of the instance's `streamingCluster`; `agent` lets an application that ran on the
    original go on where it stopped.
    """

    APPLICATION = "application"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Instance:
    """Where the application runs. `streaming` is None where the instance names none: the embedded broker."""

    streaming: Cluster | None = None
    compute: Cluster = Cluster("none")
    globals: Mapping[str, Any] = field(default_factory=dict, repr=False)
    group_naming: GroupNaming = GroupNaming.APPLICATION


@dataclass(frozen=True, slots=True)
class Application:
    """Everything the files say, resolved."""

    modules: Mapping[str, Module]
    resources: Mapping[str, Resource]
    gateways: tuple[Gateway, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    instance: Instance = Instance()
    directory: Path | None = None
    python_digest: str | None = None
    java_digest: str | None = None
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()
    """What is allowed but probably not meant."""

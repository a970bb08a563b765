"""What a data store is to queries, sinks and assets, and how a store and an asset type are declared."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from langstream.configuration.model import Configuration, Kind, Text

Row: TypeAlias = dict[str, Any]
"""Column name → value."""

ServiceName: TypeAlias = Annotated[Text, Field(description="Which store it is; see `resource type` above for `type`.")]
"""The option `service` of a resource."""


@dataclass(frozen=True, slots=True)
class Write:
    """One change by primary key: `values` by field name in the order of the declaration; None deletes the row.

    `timestamp` is that of the record, in milliseconds, for stores that keep the latest of several changes.
    """

    key: Mapping[str, Any]
    values: Mapping[str, Any] | None
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A field that a `vector-db-sink` fills in. `expression` None: the value is made up from the record's content.

    Stores with a notation of their own give a function of the working record in place of an expression.
    A `generated` key is made up where its expression gives null, so that a record that comes again meets its own row;
    other keys may not be null, but for `optional` ones.
    """

    name: str
    expression: str | Callable[[Any], Any] | None
    key: bool = False
    generated: bool = False
    optional: bool = False


class SinkConfiguration(Configuration):
    """Base of the options of `vector-db-sink` on a store."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of type `datasource` or `vector-database`."),
    ]

    def columns(self) -> Sequence[Column]:
        """What is computed from each record."""
        raise NotImplementedError

    def forgives(self, error: Exception) -> bool:
        """Whether a record of which no row could be made counts as written all the same."""
        return False


class Table(ABC):
    """The target of a `vector-db-sink`."""

    async def start(self) -> None:
        """Look at the target; the store was started."""

    def keys(self) -> Sequence[str] | None:
        """The columns of the primary key, where the store knows them; None: as the options say."""
        return None

    def packers(self) -> Mapping[str, Callable[[Any], Any]]:
        """By column, what makes a value of it compact: called as soon as the value is known, so that vectors do not
        wait as lists of numbers. They raise nothing: a value that has no compact form stays as it is."""
        return {}

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        """Upsert or delete, idempotent; one entry per write."""
        raise NotImplementedError


class Store(ABC):
    """A connection (pool) to one configured store. Failures are `ServiceError`s."""

    async def start(self) -> None:
        """Open connections."""

    async def check(self) -> None:
        """Ask the started store something trivial. ServiceError where it does not answer; nothing is changed.

        Enough for stores whose `start` talks to the server; others ask here.
        """

    async def close(self) -> None:
        """Let go."""

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows of a query; parameters stand for its `?`."""
        raise NotImplementedError

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Run a statement that changes data: `{"count": n}`, with `generatedKeys` where asked for."""
        raise NotImplementedError

    def table(self, configuration: Any) -> Table:
        """The target described by the sink's validated configuration."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class StoreType:
    """The declaration of a store, registered in `langstream.stores` under its `service` name.

    `resource_types` are those among `datasource` and `vector-database` under which it may be configured.
    `sink_configuration` is the option model of `vector-db-sink` on this store, None where it cannot be a sink.
    """

    service: str
    resource_types: tuple[str, ...]
    configuration: type[Configuration]
    sink_configuration: type[SinkConfiguration] | None
    connect: Callable[[Any, Path | None], Store]
    """Makes the store from the validated configuration and the directory for embedded stores (None: in memory)."""
    summary: str
    example_resource: str = ""
    """The entry of `resources` in `configuration.yaml`: a YAML list of one. Its name is that of no other example."""
    example_query: str = ""
    """Pipeline entries that read from it."""
    example_sink: str = ""
    """Pipeline entries that write to it."""


class AssetManager(ABC):
    """Creates and deletes one asset."""

    async def exists(self) -> bool:
        """Whether it is there."""
        raise NotImplementedError

    async def create(self) -> None:
        """Create it; all or nothing where the store can."""
        raise NotImplementedError

    async def delete(self) -> None:
        """Delete it; fine where it is not there."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AssetType:
    """The declaration of an asset type, registered in `langstream.assets`.

    `manage` gets the validated configuration, the store it belongs to (started), and returns the manager; whoever
    called closes the store.
    `services` are the stores whose resources it accepts.
    """

    name: str
    configuration: type[Configuration]
    services: tuple[str, ...]
    manage: Callable[[Any, Any], AssetManager]
    summary: str
    hint: str | None = None
    """What to do instead where the datasource is of another store."""
    example: str = ""
    """Entries of `assets` in YAML: a list. Their datasources are those of the stores' examples."""

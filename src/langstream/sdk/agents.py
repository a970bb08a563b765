"""Base classes of custom agents. Subclassing is optional: the runtime looks at methods, not at ancestry.

Every method may be plain or `async def`; `process` and `write` may also return a `concurrent.futures.Future`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

from langstream.records import Record

RecordType: TypeAlias = Record | dict[str, Any] | list[Any] | tuple[Any, ...]
"""A record, or a dict or sequence of the arguments of `SimpleRecord`."""


class TopicProducer(Protocol):
    """Writes records to any topic of the application's cluster, outside of the agent's own output."""

    def write(self, topic: str, record: RecordType) -> Future[None]:
        """Send one record; the future is done when the broker has it."""

    async def awrite(self, topic: str, record: RecordType) -> None:
        """Send one record and wait until the broker has it."""


class AgentContext(Protocol):
    """What `init(config, context)` receives."""

    def get_persistent_state_directory(self) -> str | None:
        """The agent's own directory, kept across restarts; None unless `resources.disk.enabled` is true."""

    def get_topic_producer(self) -> TopicProducer:
        """A producer for topics other than the agent's output."""


class Agent:
    """Life cycle shared by all roles: construct, `init`, `start`, work, `close`."""

    def init(self, config: dict[str, Any], context: AgentContext) -> Awaitable[None] | None:
        """Receive the configuration. A method that declares one parameter gets the configuration only."""
        return None

    def start(self) -> Awaitable[None] | None:
        """Get ready to work."""
        return None

    def close(self) -> Awaitable[None] | None:
        """Let go of everything; called once, also after a failure."""
        return None

    def agent_info(self) -> dict[str, Any]:
        """Facts shown in the status of the application."""
        return {}


class Source(Agent):
    """Brings records in."""

    def read(self) -> Sequence[RecordType] | Awaitable[Sequence[RecordType]]:
        """The next records, or an empty list; may block."""
        raise NotImplementedError

    def commit(self, record: Record) -> Awaitable[None] | None:
        """The record, and all it led to, is safe."""
        return None

    def permanent_failure(self, record: Record, error: Exception) -> Awaitable[None] | None:
        """The record failed for good. Return to go on without it; raise (the default) to stop the agent."""
        raise error


class Processor(Agent):
    """Turns one record into any number of records."""

    def process(
        self, record: Record
    ) -> Sequence[RecordType] | Awaitable[Sequence[RecordType]] | Future[Sequence[RecordType]]:
        """The results, in order; an empty list drops the record. Raise to report a failure of this record."""
        raise NotImplementedError


class Sink(Agent):
    """Takes records out."""

    def write(self, record: Record) -> Awaitable[None] | Future[None] | None:
        """Store one record; it is committed when this returns (or its future is done). Raise to report a failure."""
        raise NotImplementedError


class Service(Agent):
    """A program of its own beside the pipelines, reached through a service gateway."""

    def main(self) -> Awaitable[None] | None:
        """Run until the application stops."""
        raise NotImplementedError

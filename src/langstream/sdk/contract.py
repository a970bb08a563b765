"""The contract between the runtime and agents, built-in and adapted ones alike.

A node is: a source (an agent, or its input topic), processors, and a sink (an agent, or its output topic). The runtime
speaks to all of them in batches.

* A `Processor` answers every record with exactly one `Outcome`, in the order of the records: the list of its results
  (empty: the record is dropped), or the exception that it failed with. It never raises for the sake of one record;
  if `process_batch` itself raises, every record of the batch counts as failed with that error.
* A synchronous processor (`process_batch` is a plain function) is called on the event loop: it must neither block nor
  wait. It costs no task, no thread and no await per record.
* An `AsyncProcessor` may wait. `batching` tells the runtime how to feed it. The runtime keeps the order of equal keys.

Everything runs on one event loop. Agents that block must hop to a thread themselves, once per batch.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

from langstream.records import Record, SimpleRecord
from langstream.sdk.sharing import Shared
from langstream.sdk.tracing import NoTracer, Tracer

Outcome: TypeAlias = "Sequence[Record] | Exception"
"""What became of one record: its results in order, or its error."""


class NotAttempted(Exception):
    """The outcome of a record that the agent left alone: hand it in again; it counts as no attempt.

    A processor or sink that works through a batch record by record answers with it for the records after a failed
    one, so that the runtime can retry that one (or stop) first, and for the rest of a batch that takes too long. The
    runtime delivers such records again, in order, before later ones of their keys; they use up no retry, cause no
    back-off and no log line. The first record of a batch never has this outcome, so every call makes progress.
    """


CANCELLED: Final = "nobody waits for the record any more"


def nobody_waits(error: asyncio.CancelledError) -> bool:
    """Why a call was cancelled: True where its records were, for good; False where the node stops, and gets them again.

    An agent that began something for others to see tells them then that it ends here. It must raise the error again.
    """
    return CANCELLED in error.args


class Counter(Protocol):
    """A metric that only grows; labels are bound already."""

    def inc(self, amount: float = 1) -> None:
        """Add to it."""


class Metrics(Protocol):
    """Metrics of one agent; the label `agent_id` is set."""

    def counter(self, name: str, description: str = "") -> Counter:
        """The counter of that name (Prometheus appends `_total`); the same object each time."""

    def labelled(self, name: str, description: str, labels: Mapping[str, str]) -> Counter:
        """The same with further labels; all counters of one name have the same ones."""

    def histogram(self, name: str, description: str = "") -> Callable[[float], None]:
        """A function that records an observation, in seconds."""


class NoMetrics:
    """Metrics that go nowhere, for agents used outside of a node."""

    class _Counter:
        def inc(self, amount: float = 1) -> None:
            """Forget it."""

    def counter(self, name: str, description: str = "") -> Counter:
        """A counter that forgets."""
        return self._Counter()

    def labelled(self, name: str, description: str, labels: Mapping[str, str]) -> Counter:
        """A counter that forgets."""
        return self._Counter()

    def histogram(self, name: str, description: str = "") -> Callable[[float], None]:
        """A histogram that forgets."""
        return lambda _: None


class TopicWriter(Protocol):
    """Sends records at once, outside of the node's output and its transaction (streamed chunks, events)."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when the broker has the records. Topic names are those of the application."""


class TopicListener(Protocol):
    """Follows a topic beside the node's input: all of its records, whoever else reads them."""

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """What there is, as soon as there is something; empty after the timeout."""

    async def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A configured service of `configuration.yaml`, placeholders resolved."""

    id: str
    name: str
    type: str
    configuration: Mapping[str, Any]

    def __repr__(self) -> str:  # the configuration holds credentials
        return f"Resource(id={self.id!r}, type={self.type!r})"


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What an agent is told when it starts.

    `state_directory` is the agent's own, kept across restarts, or None unless its disk is enabled. `shared_directory`
    is the same for all replicas of the agent in this process, and `shared` has what they made to use together.
    `code_directory` is the application's directory (holding `python/`), or None.
    `resources` maps ids to the configured services of the application. `data_directory` is where the whole deployment
    keeps its files (embedded databases, for instance), or None where nothing may be written.
    """

    agent_id: str
    application_id: str
    tenant: str = "default"
    resources: Mapping[str, Resource] = field(default_factory=dict, repr=False)
    globals: Mapping[str, Any] = field(default_factory=dict, repr=False)
    topics: TopicWriter | None = None
    listen: Callable[[str], Awaitable[TopicListener]] | None = None
    """Follow a topic of the application: everything that is written to it from now on."""
    metrics: Metrics = field(default_factory=NoMetrics)
    state_directory: Path | None = None
    shared_directory: Path | None = None
    code_directory: Path | None = None
    data_directory: Path | None = None
    replica: int = 0
    """The number of this replica of the node, from 0, of `replicas`."""
    replicas: int = 1
    shared: Shared = field(default_factory=Shared, repr=False)
    tracer: Tracer = field(default_factory=NoTracer, repr=False)
    report_failure: Callable[[BaseException], None] | None = None
    """Tell the runtime that the agent is broken beyond one record (a background task died)."""


class BaseAgent:
    """Life cycle of built-in agents: construct with the validated configuration, `start`, work, `close`."""

    async def start(self, context: AgentContext) -> None:
        """Open connections. Raise to refuse to start; the node is then restarted with back-off."""

    async def close(self) -> None:
        """Let go of everything. Called once, also after a failed start."""

    def info(self) -> dict[str, Any]:
        """Facts for the status page; never secrets."""
        return {}


class Processor(BaseAgent, ABC):
    """A synchronous processor."""

    @abstractmethod
    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """One outcome per record, in order."""

    def fuse(self, following: Processor) -> Processor | None:
        """One processor doing the work of both, or None where that gains nothing. Both are started already."""
        return None


@dataclass(frozen=True, slots=True)
class Batching:
    """How the runtime feeds an asynchronous stage.

    `max_records` per call; an incomplete batch leaves after `max_wait_seconds` (0: at once); `concurrency` calls may
    be under way. `ordering` tells what happens to records with equal keys: `serial` processes them one after the
    other, never two in one call; `emission` processes them as they come and lets their results leave in order;
    `sequence` hands several of them in one call, in order, but none while another call holds records of the key or
    one of them waits for its retry (the agent answers `NotAttempted` for those after a failed one).

    The runtime reads `agent.batching` after `start` and anew before every call: an agent may learn late what it is (a
    custom agent whose `process` turns out to return futures wants more calls at once).
    """

    max_records: int = 1
    max_wait_seconds: float = 0.0
    concurrency: int = 64
    ordering: Literal["serial", "emission", "sequence"] = "serial"


class AsyncProcessor(BaseAgent, ABC):
    """A processor that waits for something: a service, a thread, a timer."""

    batching: Batching = Batching()
    interruptible: bool = False
    """A call may be cancelled though the node goes on, where nobody waits for any of its records any more: see
    `nobody_waits`. Otherwise such a call is let run to its end, and its results are thrown away."""

    def is_told(self, record: SimpleRecord) -> bool:
        """Whether the answer to a record under way (this very object) is with its readers: it is too late to cancel."""
        return False

    @abstractmethod
    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """One outcome per record, in order."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which record of a topic a record came from; the same when it is delivered again.

    Records of source agents have no topic: `content` is then the digest of what the source gave. `path` tells it from
    other records that earlier agents of the node made of that one. `anew`: what was found out for it in an earlier
    attempt may be the reason why that failed, and is not to be used again.
    """

    topic: str
    partition: int
    offset: int
    path: tuple[int, ...] = ()
    anew: bool = False
    content: bytes = b""


class PlacedProcessor(AsyncProcessor):
    """An asynchronous processor that remembers what it did for a record, in case that the record comes again."""

    @abstractmethod
    async def process_placed(
        self, records: Sequence[SimpleRecord], places: Sequence[Place | None]
    ) -> Sequence[Outcome]:
        """One outcome per record, in order. The place of a record is None where nobody knows it."""

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return await self.process_placed(records, [None] * len(records))

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        """Records before that offset are safe with all they led to: they never come again. Must not wait."""

    def settled(self, content: bytes) -> None:
        """The same for one record of a source agent. Must not wait."""


class Source(BaseAgent, ABC):
    """Brings records in from outside."""

    @abstractmethod
    async def read(self, max_records: int) -> Sequence[Record]:
        """The next records, in order; may wait, and may return none. Cancelled when the node stops."""

    async def skipped(self, records: Sequence[Record]) -> None:
        """These records failed and are left out (`on-failure: skip`); `commit` follows, as for all others."""

    async def commit(self, records: Sequence[Record]) -> None:
        """These records (the very objects that `read` returned), and all they led to, are safe."""

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        """The record failed for good. Return to go on without it; raise to stop the node."""
        raise error


class PreparedSource(Source):
    """A source whose records are written exactly once, where the broker has transactions.

    Before the results of some records are written, the source writes down that they will be (`prepare`), and the broker
    keeps the name of the batch together with them. Should the process end before `commit`, that name tells (`resume`)
    whether they were written.
    """

    @abstractmethod
    def identity(self) -> str | None:
        """Of that which the source writes down, once it is started: the same when it is found again, and not that of
        another. None: this source prepares nothing."""

    @abstractmethod
    async def resume(self, written: str | None) -> None:
        """Called once, after `start` and before the first `read`. The prepared batch of that name is in its topics, and
        is to be committed; any other one is not, and its records are to be read again. None: nobody knows of any."""

    @abstractmethod
    async def prepare(self, batch: str, records: Sequence[Record]) -> None:
        """Write down, safely, that the results of these records (objects that `read` returned) are about to be written
        under this name, which no other batch ever has. `commit` of the same records follows when they were. A second
        `prepare` without a commit between takes the place of the first."""


class Sink(BaseAgent, ABC):
    """Takes records out. At least once: the same record may come again after a crash."""

    batching: Batching = Batching(max_records=100, concurrency=1)

    @abstractmethod
    async def write_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        """Store the records; one entry per record: None, or the error it failed with."""


class Service(BaseAgent, ABC):
    """A program of its own beside the pipelines."""

    @abstractmethod
    async def main(self) -> None:
        """Run until cancelled. Returning early or raising counts as a failure of the node."""

    def address(self) -> str | None:
        """Base URL for the gateway's proxy, such as `http://127.0.0.1:8000`, or None."""
        return None


AnyAgent: TypeAlias = Processor | AsyncProcessor | Source | Sink | Service

"""One replica of a node, from start to clean stop.

`run` returns after `stop`, or raises what the node failed of. In both cases everything is closed, and nothing that is
not committed is lost: it is read again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from langstream.errors import AgentFailed, TopicError
from langstream.planner.plan import Node, PlannedAgent
from langstream.runtime.cancelling import Cancelling
from langstream.runtime.flow import Ends, Flow
from langstream.runtime.intake import POLL_SECONDS, Intake, NoIntake, SourceIntake, TopicIntake
from langstream.runtime.members import Members, Surroundings
from langstream.runtime.metrics import AgentCounts, NodeCounts
from langstream.runtime.policy import Policy
from langstream.runtime.worker import harmless
from langstream.sdk.contract import PreparedSource
from langstream.topics.contract import TopicProducer, TopicPublisher

FLUSH_SECONDS: Final = 10.0
"""A node that failed still commits what was finished before the failure, if the broker answers in this time."""
LAG_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.1
"""Between two looks whether the broker takes what it is given again."""
CLOSE_SECONDS: Final = 15.0
"""An agent that does not close in this time is left behind."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Source records of a replica that are read and not committed yet; and those of one poll."""

    in_flight: int = 4_000
    """Most of them wait for a service, or for an earlier record of the partition: offsets are committed in order, and
    one slow answer must not stop a thousand quick ones behind it."""
    straight_in_flight: int = 6_000
    """For nodes of synchronous processors: enough that they go on for the time a commit takes, which is long while they
    are busy, since the thread that commits gets the interpreter lock every few milliseconds only."""
    poll: int = 1_000
    stuck_seconds: float = 300.0
    """Work is pending and nothing came back from any agent or the broker for so long: the node is stuck."""


class Replica:
    """See the module. Used once."""

    def __init__(self, node: Node, surroundings: Surroundings, index: int = 0, limits: Limits | None = None) -> None:
        self.node = node
        self.index = index
        self.running = asyncio.Event()
        """Set when all agents are started and records are being read."""
        self.counts = NodeCounts(surroundings.meters, node.id)
        self.flow: Flow | None = None
        self._around = surroundings
        self._limits = limits or Limits()
        self._members = Members(node, surroundings, index)
        self._stopping = asyncio.Event()
        self._failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadline_seconds = 30.0
        self._reading_since: float | None = None

    # --- from outside -----------------------------------------------------------------------------------------------

    def stop(self, deadline_seconds: float = 30.0) -> None:
        """Ask for a clean stop: finish what is in flight within the deadline."""
        self._deadline_seconds = deadline_seconds
        self._stopping.set()

    def fail(self, error: BaseException) -> None:
        """An agent is broken, or the flow is."""
        if not self._failing.done():
            self._failing.set_exception(harmless(error))

    @property
    def agents(self) -> dict[str, AgentCounts]:
        """Numbers by agent id."""
        return self._members.counts

    def describe(self) -> list[tuple[PlannedAgent, dict[str, Any]]]:
        """What the agents say about themselves."""
        return self._members.describe()

    def address(self) -> str | None:
        """Of the service, if it is one and tells."""
        return self._members.service.address() if self._members.service else None

    def stuck(self) -> bool:
        """Work is pending and nothing moves; or the reader of a topic does not come back."""
        flow = self.flow
        if flow is None or not self.running.is_set():
            return False
        silence = asyncio.get_running_loop().time() - flow.last_progress
        if flow.in_flight and not flow.retrying:
            return silence > self._limits.stuck_seconds
        since = self._reading_since if self.node.input is not None else None
        if since is None:
            return False
        return asyncio.get_running_loop().time() - since > self._limits.stuck_seconds + POLL_SECONDS

    # --- the whole of it --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, work, stop. Raises what it failed of."""
        try:
            await self._members.start(self.fail)
            if self._members.service is not None:
                await self._run_service()
            else:
                await self._run_flow()
        finally:
            if not self._failing.cancel():
                self._failing.exception()  # raised already, or not the first
            self.counts.gone()
            try:
                await asyncio.wait_for(self._members.close(), CLOSE_SECONDS)
            except TimeoutError:
                _log.warning("node %s: its agents did not close in %s s", self.node.id, CLOSE_SECONDS)

    async def _run_service(self) -> None:
        assert self._members.service is not None
        service = self._members.service
        work = asyncio.create_task(_served(service.main(), self.node.id), name=f"service {self.node.id}")
        self.running.set()
        await self._until_stopped_or(work)

    async def _run_flow(self) -> None:
        around, node = self._around, self.node
        producer = around.cluster.producer(options=around.topic_options.get(node.output or "", {}))
        publisher = self._publisher()
        intake = self._intake(publisher)
        reads_topic = isinstance(intake, TopicIntake)
        transactional = publisher is not None or (around.cluster.capabilities.transactions and reads_topic)
        self.flow = flow = Flow(
            self._members.workers,
            Policy.of(node.errors),
            Ends(node.id, node.output, node.dead_letter if node.dead_letters else None, self._known(), self._exists),
            intake,
            producer,
            transactional=transactional,
            counts=self.counts,
            redact=around.redact,
            on_failure=self.fail,
            pace_seconds=around.cluster.capabilities.pace_seconds if reads_topic or transactional else 0.0,
        )
        await producer.start()
        try:
            flow.cancelling = self._cancelling(flow, intake)
            await intake.start()
            try:
                await self._work(flow, intake)
            finally:
                await intake.close()
        finally:
            if flow.cancelling is not None:
                flow.cancelling.close()
            await _closed(producer)

    async def _work(self, flow: Flow, intake: Intake) -> None:
        reading = asyncio.create_task(self._read(flow, intake), name=f"reader of {self.node.id}")
        delivering = asyncio.create_task(flow.delivery.run(), name=f"delivery of {self.node.id}")
        watching = asyncio.create_task(self._watch_lag(intake), name=f"lag of {self.node.id}")
        watching.add_done_callback(_ignore)
        self.running.set()
        try:
            await self._until_stopped_or(reading, delivering)
            reading.cancel()
            await asyncio.wait([reading])
            await self._drain(flow, delivering)
        except BaseException:
            flow.failed = True
            reading.cancel()
            await asyncio.wait([reading])
            await flow.cancel()
            if not delivering.done():
                await self._flush(flow)
            raise
        finally:
            for task in (delivering, watching):
                task.cancel()
            await asyncio.wait([delivering, watching])
            await flow.cancel()

    async def _until_stopped_or(self, *tasks: asyncio.Task[None]) -> None:
        """Wait for `stop`; raise the failure of a task, or of an agent, that comes first."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            waiting: list[asyncio.Future[Any]] = [stopping, self._failing, *tasks]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in (self._failing, *tasks):
                if future.done():
                    future.result()
        finally:
            stopping.cancel()
            if self._members.service is not None:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    async def _read(self, flow: Flow, intake: Intake) -> None:
        limit = self._limits.straight_in_flight if flow.straight else self._limits.in_flight
        loop = asyncio.get_running_loop()
        while True:
            if flow.failed:
                assert flow.error is not None
                raise flow.error
            if flow.delivery.held_up():
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            room = limit - flow.in_flight
            if room <= 0:
                flow.changed.clear()
                await flow.changed.wait()
                continue
            self._reading_since = loop.time()
            batches = await intake.read(min(room, self._limits.poll))
            self._reading_since = None
            for batch in batches:
                flow.accept(batch)
                await asyncio.sleep(0)  # delivery and other nodes get their turn between batches

    async def _drain(self, flow: Flow, delivering: asyncio.Task[None]) -> None:
        """Let what is in flight finish, as far as time allows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_seconds
        flow.drain()
        while flow.in_flight and not flow.failed:
            flow.changed.clear()
            changed = asyncio.create_task(flow.changed.wait())
            waiting: list[asyncio.Future[Any]] = [changed, delivering, self._failing]
            timeout = max(0.0, deadline - loop.time())
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if delivering.done():
                delivering.result()
            if self._failing.done() or loop.time() >= deadline:
                break
        if flow.in_flight:
            _log.warning(
                "node %s: %d records were in flight when it stopped; they will be read again",
                self.node.id,
                flow.in_flight,
            )

    async def _flush(self, flow: Flow) -> None:
        """Commit what was finished before the failure."""
        with suppress(Exception):
            await asyncio.wait_for(flow.delivery.flush(), FLUSH_SECONDS)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _publisher(self) -> TopicPublisher | None:
        """For results of a source that can be written exactly once."""
        around, node, source = self._around, self.node, self._members.source
        if not around.cluster.capabilities.transactions or node.output is None:
            return None
        identity = source.identity() if isinstance(source, PreparedSource) else None
        if identity is None:
            return None
        name = f"langstream-{around.tenant}-{around.application_id}-{node.id}-published-{identity}"
        return around.cluster.publisher(name, node.output, options=around.topic_options.get(node.output, {}))

    def _intake(self, publisher: TopicPublisher | None) -> Intake:
        if self._members.source is not None:
            return SourceIntake(self._members.source, self.node.agents[0].id, publisher)
        if self.node.input is None:
            return NoIntake()
        options = self._around.topic_options.get(self.node.input, {})
        return TopicIntake(self._around.cluster, self.node.input, self.node.group, options, self._dropped)

    def _cancelling(self, flow: Flow, intake: Intake) -> Cancelling | None:
        """Where a gateway cancels what this node works for. Synchronous nodes are through before they could hear it."""
        announcements, answers = self._around.announcements, self.node.answers
        if announcements is None or not answers or flow.straight or not isinstance(intake, TopicIntake):
            return None
        return Cancelling(flow, intake, announcements, answers)

    def _dropped(self, tracker: Any) -> None:
        if self.flow is not None:
            self.flow.dropped(tracker)

    def _known(self) -> set[str]:
        known = set(self._around.topic_options)
        known.update(topic for topic in (self.node.output, self.node.dead_letter) if topic is not None)
        return known

    async def _exists(self, topic: str) -> bool:
        return await self._around.cluster.admin.describe(topic) is not None

    async def _watch_lag(self, intake: Intake) -> None:
        while True:
            with suppress(TopicError):
                lag = await intake.lag()
                if lag is not None:
                    self.counts.behind(lag)
            await asyncio.sleep(LAG_SECONDS)


async def _served(main: Any, node_id: str) -> None:
    """A service that ends has failed, however it ends."""
    try:
        await main
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        raise AgentFailed(f"service {node_id} failed: {type(error).__name__}: {error}") from error
    raise AgentFailed(f"service {node_id} ended by itself: main() is expected to run until it is cancelled")


async def _closed(producer: TopicProducer) -> None:
    with suppress(TopicError):
        await producer.close()


def _ignore(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()

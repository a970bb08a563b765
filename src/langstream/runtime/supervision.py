"""Keeps the replicas of a node running: one that fails is started anew, after a pause that doubles.

The other nodes, and the other replicas, go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langstream.planner.plan import Node, PlannedAgent
from langstream.runtime.delivery import Rejoin
from langstream.runtime.members import Surroundings
from langstream.runtime.metrics import Numbers
from langstream.runtime.policy import LONGEST_MESSAGE
from langstream.runtime.replica import CLOSE_SECONDS, Limits, Replica

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
STABLE_SECONDS: Final = 60.0
"""A replica that ran for so long starts with the shortest pause again."""
FIRST_START_SECONDS: Final = 30.0
"""`start` waits for agents this long; slower ones are left to supervision."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One agent of a node."""

    id: str
    type: str
    component_type: str
    records_in: int = 0
    records_out: int = 0
    errors: int = 0
    retries: int = 0
    dead_letters: int = 0
    cancelled: int = 0
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node as status pages show it; never with secrets.

    `state` is `starting`, `running`, `restarting`, `failed` or `stopped`: the worst of its replicas. `failed` means
    that it could not be started yet. Numbers are sums over the replicas since the deployment was started.
    """

    id: str
    state: str
    replicas: int
    records_in: int = 0
    records_out: int = 0
    errors: int = 0
    retries: int = 0
    dead_letters: int = 0
    cancelled: int = 0
    lag: int | None = None
    last_error: str | None = None
    restarts: int = 0
    members: Sequence[MemberStatus] = ()


_WORST: Final = ("failed", "restarting", "starting", "stopped", "running")


class _Supervised:
    """One replica over its lives."""

    def __init__(self, node: Node, surroundings: Surroundings, index: int, limits: Limits) -> None:
        self.state = "starting"
        self.restarts = 0
        self.last_error: str | None = None
        self.replica: Replica | None = None
        self.past_records = [0, 0]
        self.past: dict[str, Numbers] = {}
        self.settled = asyncio.Event()
        """Running, or failed for the first time."""
        self._node = node
        self._around = surroundings
        self._index = index
        self._limits = limits
        self._stopping = asyncio.Event()
        self._deadline_seconds = 30.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._live(), name=f"node {self._node.id}, replica {self._index}")

    async def stop(self, deadline_seconds: float) -> None:
        """Stop cleanly; what takes longer than the deadline is cancelled."""
        self._stopping.set()
        self._deadline_seconds = deadline_seconds
        if self.replica is not None:
            self.replica.stop(deadline_seconds)
        if self._task is None:
            return
        _, pending = await asyncio.wait([self._task], timeout=deadline_seconds + CLOSE_SECONDS)
        if pending:
            _log.warning("node %s did not stop in time and is cancelled", self._node.id)
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _live(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            error = await self._one_life()
            if error is None:
                break
            if loop.time() - began > STABLE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            if isinstance(error, Rejoin):
                _log.info("node %s joins its group again: %s", self._node.id, error)
                continue
            self._report(error, pause)
            try:
                await asyncio.wait_for(self._stopping.wait(), pause * random.uniform(0.8, 1.0))  # noqa: S311
            except TimeoutError:
                self.restarts += 1
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.state = "stopped"
        self.settled.set()

    async def _one_life(self) -> Exception | None:
        """Run a new replica to its end. The error it ended with, None after a clean stop."""
        replica = self.replica = Replica(self._node, self._around, self._index, self._limits)
        if self._stopping.is_set():
            return None
        started = asyncio.create_task(self._started(replica))
        try:
            await replica.run()
        except Exception as error:
            self.state = "restarting" if replica.running.is_set() else "failed"
            return error
        finally:
            started.cancel()
            self._remember(replica)
        return None

    async def _started(self, replica: Replica) -> None:
        await replica.running.wait()
        self.state = "running"
        self.settled.set()

    def _report(self, error: Exception, pause: float) -> None:
        text = self._around.redact(str(error) or type(error).__name__)[:LONGEST_MESSAGE]
        self.last_error = text
        self.settled.set()
        _log.error("node %s failed and starts again in about %.0f s: %s", self._node.id, pause, text, exc_info=error)

    def _remember(self, replica: Replica) -> None:
        """Numbers outlive the replica."""
        self.past_records[0] += replica.counts.records_in
        self.past_records[1] += replica.counts.records_out
        for agent_id, counts in replica.agents.items():
            self.past.setdefault(agent_id, Numbers()).add(counts.numbers)
        self.replica = None


class Supervisor:
    """One node: `parallelism` replicas, each with agents and a consumer of its own."""

    def __init__(self, node: Node, surroundings: Surroundings, limits: Limits | None = None) -> None:
        self.node = node
        count = max(1, node.resources.parallelism)
        self._replicas = [_Supervised(node, surroundings, index, limits or Limits()) for index in range(count)]

    async def start(self) -> None:
        """Returns when every replica runs, or failed and waits for its next start."""
        for replica in self._replicas:
            replica.start()
        waiting = [asyncio.create_task(replica.settled.wait()) for replica in self._replicas]
        _, pending = await asyncio.wait(waiting, timeout=FIRST_START_SECONDS)
        for task in pending:
            task.cancel()

    async def stop(self, deadline_seconds: float) -> None:
        """All replicas at once."""
        await asyncio.gather(*(replica.stop(deadline_seconds) for replica in self._replicas))

    def stuck(self) -> bool:
        """Some replica makes no progress though it should."""
        return any(supervised.replica.stuck() for supervised in self._replicas if supervised.replica)

    def address(self) -> str | None:
        """Of the service, while it runs."""
        for supervised in self._replicas:
            if supervised.replica is not None and (address := supervised.replica.address()):
                return address
        return None

    def status(self) -> NodeStatus:
        """The sum of the replicas."""
        records_in = records_out = 0
        lags: list[int] = []
        for supervised in self._replicas:
            records_in += supervised.past_records[0]
            records_out += supervised.past_records[1]
            if supervised.replica is not None:
                records_in += supervised.replica.counts.records_in
                records_out += supervised.replica.counts.records_out
                if supervised.replica.counts.lag is not None:
                    lags.append(supervised.replica.counts.lag)
        members = self._members()
        states = [supervised.state for supervised in self._replicas]
        return NodeStatus(
            id=self.node.id,
            state=next(state for state in _WORST if state in states),
            replicas=len(self._replicas),
            records_in=records_in,
            records_out=records_out,
            errors=sum(member.errors for member in members),
            retries=sum(member.retries for member in members),
            dead_letters=sum(member.dead_letters for member in members),
            cancelled=sum(member.cancelled for member in members),
            lag=sum(lags) if lags else None,
            last_error=next((each.last_error for each in self._replicas if each.last_error), None),
            restarts=sum(supervised.restarts for supervised in self._replicas),
            members=members,
        )

    def _members(self) -> tuple[MemberStatus, ...]:
        totals = {planned.id: Numbers() for planned in self.node.agents}
        infos: dict[str, Mapping[str, Any]] = {}
        for supervised in self._replicas:
            for agent_id, past in supervised.past.items():
                totals[agent_id].add(past)
            if supervised.replica is not None:
                for agent_id, counts in supervised.replica.agents.items():
                    totals[agent_id].add(counts.numbers)
                for planned, info in supervised.replica.describe():
                    infos.setdefault(planned.id, info)
        return tuple(
            self._member(planned, totals[planned.id], infos.get(planned.id, {})) for planned in self.node.agents
        )

    @staticmethod
    def _member(planned: PlannedAgent, numbers: Numbers, info: Mapping[str, Any]) -> MemberStatus:
        return MemberStatus(
            planned.id,
            planned.type.name,
            planned.component_type.value,
            numbers.records_in,
            numbers.records_out,
            numbers.errors,
            numbers.retries,
            numbers.dead_letters,
            numbers.cancelled,
            info,
        )

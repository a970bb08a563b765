"""The kinds of harm, each as one round: do it, wait until records flow again, undo it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tests.faults.kafka.stage import Stage, Trouble

STORM_SECONDS: Final = 8.0
SINK_SECONDS: Final = 5.0
MOODS: Final = ((0.02, 0.0), (0.0, 0.3), (0.0, 1.0))
"""Slow; failing now and then; failing always."""


def runtime_killed(stage: Stage) -> None:
    """kill -9 of a process with the application; another takes over until it is back."""
    runtime = stage.chance.choice(stage.runtimes)
    since = stage.harm()
    runtime.kill()
    time.sleep(stage.chance.uniform(0, stage.session_seconds))
    runtime.start()
    stage.recovered(since)


def all_runtimes_killed(stage: Stage) -> None:
    """kill -9 of everything at once."""
    since = stage.harm()
    for runtime in stage.runtimes:
        runtime.kill()
    for runtime in stage.runtimes:
        runtime.start()
    stage.recovered(since)


def broker_killed(stage: Stage) -> None:
    """kill -9 of any broker."""
    _kill(stage, stage.chance.choice(stage.server.brokers))


def controller_killed(stage: Stage) -> None:
    """kill -9 of the active controller."""
    number = stage.server.controller()
    if number is None:
        raise Trouble("no broker knows the controller")
    _kill(stage, number)


def group_coordinator_killed(stage: Stage) -> None:
    """kill -9 of the broker that keeps the groups."""
    _kill(stage, stage.leader("__consumer_offsets"))


def transaction_coordinator_killed(stage: Stage) -> None:
    """kill -9 of the broker that keeps the transactions."""
    _kill(stage, stage.leader("__transaction_state"))


def broker_restarted(stage: Stage) -> None:
    """A clean stop and start, as in an upgrade."""
    number = stage.chance.choice(stage.server.brokers)
    since = stage.harm()
    stage.server.shut_down(number)
    stage.recovered(since)
    stage.server.start_broker(number)
    stage.recovered(stage.harm(), count=False)
    stage.settle()


def broker_paused(stage: Stage) -> None:
    """A stalled network: connections stay open, and nobody answers for a while."""
    number = stage.chance.choice(stage.server.brokers)
    since = stage.harm()
    stage.server.pause(number)
    try:
        time.sleep(stage.chance.uniform(1, 2 * stage.session_seconds))
        stage.recovered(since)
    finally:
        stage.server.resume(number)
    stage.recovered(stage.harm(), count=False)
    stage.settle()


def disk_full(stage: Stage) -> None:
    """No room on the disk of a broker, which ends itself of that; later there is room again."""
    number = stage.chance.choice(stage.server.brokers)
    since = stage.harm()
    stage.server.fill_disk(number)
    deadline = time.monotonic() + 10
    while stage.server.running(number) and time.monotonic() < deadline:
        time.sleep(0.1)
    stage.recovered(since)
    stage.server.kill(number)
    stage.server.free_disk(number)
    stage.server.start_broker(number)
    stage.recovered(stage.harm(), count=False)
    stage.settle()


def rebalance_storm(stage: Stage) -> None:
    """Two to eight replicas, joining and leaving every second."""
    until = stage.harm() + STORM_SECONDS
    while time.monotonic() < until:
        for runtime in stage.runtimes:
            runtime.scale(stage.chance.randint(1, 4))
        time.sleep(1)
        stage.harm()
    for runtime in stage.runtimes:
        runtime.scale(1)
    stage.recovered(stage.harm())


def sink_in_trouble(stage: Stage) -> None:
    """A sink that is slow, fails now and then, or does not work at all for a while."""
    stage.mood(*stage.chance.choice(MOODS))
    time.sleep(SINK_SECONDS)
    stage.mood(0, 0)
    stage.recovered(stage.harm())


def _kill(stage: Stage, number: int) -> None:
    since = stage.harm()
    stage.server.kill(number)
    time.sleep(stage.chance.uniform(0, 3))
    if stage.chance.random() < 0.5:
        stage.recovered(since)
        stage.server.start_broker(number)
        since = stage.harm()
        stage.recovered(since, count=False)
    else:
        stage.server.start_broker(number)
        stage.recovered(since)
    stage.settle()


SCENARIOS: Final[dict[str, Callable[[Stage], None]]] = {
    "runtime-killed": runtime_killed,
    "all-runtimes-killed": all_runtimes_killed,
    "broker-killed": broker_killed,
    "broker-restarted": broker_restarted,
    "controller-killed": controller_killed,
    "group-coordinator-killed": group_coordinator_killed,
    "transaction-coordinator-killed": transaction_coordinator_killed,
    "rebalance-storm": rebalance_storm,
    "broker-paused": broker_paused,
    "disk-full": disk_full,
    "sink-in-trouble": sink_in_trouble,
}

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from langstream.agents.flow.timer_source import Clock, TimerSource, TimerSourceConfiguration
from langstream.errors import Problem
from langstream.records import Record
from langstream.sdk.contract import AgentContext

CONTEXT = AgentContext(agent_id="timer", application_id="app")


class FakeClock(Clock):
    """Time that passes only while somebody sleeps, or works."""

    def __init__(self, early: float = 0.0) -> None:
        self.time = 100.0
        self.slept: list[float] = []
        self.early = early

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        # a clock may wake a little early
        self.time += max(seconds - self.early, seconds / 2) if len(self.slept) % 2 else seconds


def timer(clock: FakeClock, *fields: tuple[str, str], period: Any = 10) -> TimerSource:
    options = {"period-seconds": period, "fields": [{"name": n, "expression": e} for n, e in fields]}
    return TimerSource(TimerSourceConfiguration.model_validate(options), clock)


async def ticks(source: TimerSource, count: int) -> list[Record]:
    return [record for _ in range(count) for record in await source.read(100)]


async def test_the_first_record_comes_after_one_period_and_is_empty() -> None:
    clock = FakeClock()
    source = timer(clock)
    await source.start(CONTEXT)
    (record,) = await source.read(100)
    assert clock.time == 110.0
    assert (record.value(), record.key(), record.headers()) == ({}, {}, [])
    assert (record.origin(), record.timestamp()) == (None, None)


async def test_the_times_do_not_drift() -> None:
    clock = FakeClock(early=0.25)
    source = timer(clock)
    await source.start(CONTEXT)
    for tick in range(1, 5):
        await source.read(100)
        assert clock.time == 100.0 + 10 * tick
        clock.time += 3.7  # the pipeline takes its time


async def test_one_record_stands_for_the_ticks_that_were_missed() -> None:
    clock = FakeClock()
    source = timer(clock)
    await source.start(CONTEXT)
    await source.read(100)
    clock.time += 34.0
    assert len(await source.read(100)) == 1
    assert clock.time == 144.0
    await source.read(100)
    assert clock.time == 150.0


@pytest.mark.parametrize(
    ("fields", "value", "key", "headers"),
    [
        (
            [("value.x", "1+1"), ("key.id", "'k'"), ("properties.p", "5"), ("value.y", "value.x")],
            {"x": 2, "y": None},
            {"id": "k"},
            [("p", "5")],
        ),
        ([("value", "'text'")], "text", {}, []),
        ([("value.x", "value.missing")], {"x": None}, {}, []),
        ([("value.at", "fn:timestampAdd('1970-01-01', 5, 'millis')")], {"at": 5}, {}, []),
        ([("messageKey", "'k'")], {}, "k", []),
    ],
)
async def test_fields_are_set(fields: list[tuple[str, str]], value: Any, key: Any, headers: Any) -> None:
    source = timer(FakeClock(), *fields)
    await source.start(CONTEXT)
    for record in await ticks(source, 2):
        assert (record.value(), record.key(), record.headers()) == (value, key, headers)


async def test_a_tick_whose_fields_cannot_be_computed_is_logged_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    source = timer(clock, ("properties.p", "fn:random(2) == 5 ? 1 : value.missing"))
    await source.start(CONTEXT)

    async def stop_after_three(seconds: float) -> None:
        clock.time += seconds
        if clock.time > 130:
            raise asyncio.CancelledError

    clock.sleep = stop_after_three  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await source.read(100)
    assert len(caplog.records) == 3
    assert "properties.p" in caplog.records[0].getMessage()
    assert source.info() == {"period-seconds": 10, "failed-ticks": 3}


async def test_it_can_be_cancelled_while_it_waits() -> None:
    source = TimerSource(TimerSourceConfiguration.model_validate({"period-seconds": "3600"}))
    await source.start(CONTEXT)
    reading = asyncio.ensure_future(source.read(1))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


def test_the_period_is_a_minute_by_default() -> None:
    assert TimerSourceConfiguration.model_validate({}).period_seconds == 60


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"period-seconds": 0}, "'period-seconds'"),
        ({"period-seconds": -5}, "'period-seconds'"),
        ({"period-seconds": "soon"}, "'period-seconds'"),
        ({"period-seconds": 10**12}, "'period-seconds'"),
        ({"fields": [{"name": "value.x"}]}, "expression' is required"),
        ({"fields": [{"name": "nope", "expression": "1"}]}, "'nope' is not a place for a result"),
    ],
)
def test_wrong_options_are_refused(
    refusals: Callable[[str, Mapping[str, Any]], list[Problem]], options: dict[str, Any], reason: str
) -> None:
    (problem,) = refusals("timer-source", options)
    assert reason in problem.message

"""`timer-source`: makes a record at fixed times."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.flow.event_fields import EventField, event_builder
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration
from langstream.errors import RecordError
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, Source

_log = logging.getLogger("langstream.agents.timer-source")
MAX_PERIOD_SECONDS: Final = 366 * 24 * 3600


class TimerSourceConfiguration(Configuration):
    """Options of `timer-source`."""

    period_seconds: int = Field(
        default=60, ge=1, le=MAX_PERIOD_SECONDS, description="Time between two records; the first comes after it."
    )
    fields: list[EventField] = Field(
        default=[], description="What a record has; its key and value are empty objects otherwise."
    )


class Clock:
    """The event loop's clock."""

    def now(self) -> float:
        """Seconds; only differences mean something."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class TimerSource(Source):
    """Keeps to the times start + 1, 2, 3 … periods, whatever time the records take.

    When the pipeline is slower than the timer, one record stands for all the ticks that were missed.
    """

    def __init__(self, configuration: TimerSourceConfiguration, clock: Clock | None = None) -> None:
        self._period = configuration.period_seconds
        self._build = event_builder(configuration.fields)
        self._clock = clock or Clock()
        self._due = 0.0
        self._failed = 0

    async def start(self, context: AgentContext) -> None:
        """Start the timer."""
        self._due = self._clock.now() + self._period

    async def read(self, max_records: int) -> Sequence[Record]:
        """The record of the next tick. A tick whose fields cannot be computed is logged and left out."""
        while True:
            await self._tick()
            try:
                return [self._record()]
            except RecordError as error:
                self._failed += 1
                _log.warning("a tick was left out: %s", error)

    def info(self) -> dict[str, Any]:
        """The period, and how many ticks were left out because of an error."""
        return {"period-seconds": self._period, "failed-ticks": self._failed}

    async def _tick(self) -> None:
        while (now := self._clock.now()) < self._due:
            await self._clock.sleep(self._due - now)
        self._due += ((now - self._due) // self._period + 1) * self._period

    def _record(self) -> SimpleRecord:
        empty = WorkingRecord(SimpleRecord({}, {}))
        record = WorkingRecord(SimpleRecord({}, {}))
        self._build(empty, record)
        return record.to_record()


AGENT = AgentType(
    name="timer-source",
    component_type=ComponentType.SOURCE,
    configuration=TimerSourceConfiguration,
    create=TimerSource,
    summary="Makes a record at fixed times.",
    description="Each replica has a timer of its own.",
    composable=Composable.OPTIONAL,
    family="flow",
    example="""\
- type: timer-source
  output: ticks
  configuration:
    period-seconds: 30
    fields:
      - { name: key.id, expression: "fn:uuid()" }
      - { name: value.at, expression: "fn:str(fn:now())" }
""",
)

"""Who is there: what nobody has been waiting for long enough is cancelled.

Clients are known by the headers that the gateway puts on their questions and looks for in answers. A client stands for
its headers and for every part of them: as long as it is connected, nothing with these headers is cancelled, whichever
gateway of the application it came through. A server that stops cancels nothing: its clients come back to another.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from langstream.gateway.announcer import Announcer
from langstream.gateway.call import Call
from langstream.gateway.directory import Target
from langstream.gateway.filters import Filter, Pair
from langstream.runtime.cancellation import Cancellation

MOST_ABSENT: Final = 50_000
"""Sets of headers whose clients may come back yet; what those longest away asked for is left to be answered."""

Headers: TypeAlias = frozenset[Pair]
Place: TypeAlias = tuple[str, str, Headers]
"""Tenant, application, headers."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that was asked. It is cancelled when nobody has been there for so long."""

    target: Target
    answers: str
    headers: Headers
    seconds: float


Questions: TypeAlias = dict[tuple[str, Headers], Question]


@dataclass(slots=True)
class _Clients:
    """Those connected with the same headers, and what others asked that have left."""

    count: int = 0
    asked: Questions = field(default_factory=dict)


@dataclass(slots=True)
class _Absence:
    """A question whose clients left at that moment."""

    question: Question
    moment: float
    timer: asyncio.TimerHandle


class Attendance:
    """One client, as long as it is connected. `open` is what it asked for and has no answer to."""

    def __init__(self, question: Question | None = None) -> None:
        self.open: Question | None = None
        self._question = question

    def asked(self) -> None:
        """The client has asked something."""
        self.open = self._question

    def answered(self) -> None:
        """It has the answer to all that it asked."""
        self.open = None

    def timed_out(self) -> None:
        """It was told that there is no answer, and cannot come back for one."""
        if self.open is not None:
            self.open = replace(self.open, seconds=0.0)


class Presence:
    """The clients of a gateway server. `clock` gives seconds since the epoch."""

    def __init__(self, announcer: Announcer, stopping: asyncio.Event, clock: Callable[[], float] = time.time) -> None:
        self._announcer = announcer
        self._stopping = stopping
        self._clock = clock
        self._clients: dict[Place, _Clients] = {}
        self._buckets: dict[tuple[str, str, Pair], dict[Headers, _Clients]] = {}
        self._absent: OrderedDict[Place, dict[str, _Absence]] = OrderedDict()

    @asynccontextmanager
    async def attend(self, call: Call, filter: Filter) -> AsyncIterator[Attendance]:
        """The client is there while the block lasts. Where the application cancels nothing, nothing is noted."""
        headers = frozenset(filter.pairs)
        if call.target.cancellations is None or filter.never or not headers:
            yield Attendance()
            return
        place = (call.target.tenant, call.target.application_id, headers)
        attendance = Attendance(_question(call, headers))
        self._come(place)
        try:
            yield attendance
        finally:
            self._leave(place, attendance.open)

    def close(self) -> None:
        """Wait for nobody to come back any more."""
        for absences in self._absent.values():
            for absence in absences.values():
                absence.timer.cancel()
        self._absent.clear()

    # --- coming and going ---------------------------------------------------------------------------------------------

    def _come(self, place: Place) -> None:
        clients = self._clients.get(place)
        if clients is None:
            clients = self._clients[place] = _Clients()
            for pair in place[2]:
                self._buckets.setdefault((*place[:2], pair), {})[place[2]] = clients
        clients.count += 1
        for answers, absence in self._absent.pop(place, {}).items():
            absence.timer.cancel()
            clients.asked[answers, place[2]] = absence.question

    def _leave(self, place: Place, open: Question | None) -> None:
        clients = self._clients[place]
        clients.count -= 1
        if open is not None:
            clients.asked[open.answers, open.headers] = open
        if clients.count:
            return
        del self._clients[place]
        for pair in place[2]:
            bucket = self._buckets[*place[:2], pair]
            del bucket[place[2]]
            if not bucket:
                del self._buckets[*place[:2], pair]
        for question in clients.asked.values():
            self._abandoned(question, self._clock())

    def _abandoned(self, question: Question, moment: float) -> None:
        """Nobody of those who asked is there any more."""
        if self._stopping.is_set() or self._left_to_others(question):
            return
        if question.seconds <= 0:
            self._cancel(question, moment)
            return
        place = (question.target.tenant, question.target.application_id, question.headers)
        timer = asyncio.get_running_loop().call_later(question.seconds, self._expired, place, question.answers)
        self._absent.setdefault(place, {})[question.answers] = _Absence(question, moment, timer)
        if len(self._absent) > MOST_ABSENT:
            for absence in self._absent.popitem(last=False)[1].values():
                absence.timer.cancel()

    def _expired(self, place: Place, answers: str) -> None:
        absences = self._absent[place]
        absence = absences.pop(answers)
        if not absences:
            del self._absent[place]
        if not self._left_to_others(absence.question):
            self._cancel(absence.question, absence.moment)

    def _left_to_others(self, question: Question) -> bool:
        """Whether a client is there whose headers include those of the question; it is for that one to leave then."""
        scope = (question.target.tenant, question.target.application_id)
        buckets = [self._buckets.get((*scope, pair), {}) for pair in question.headers]
        for headers, clients in min(buckets, key=len).items():
            if question.headers <= headers:
                clients.asked[question.answers, question.headers] = question
                return True
        return False

    def _cancel(self, question: Question, moment: float) -> None:
        cancellation = Cancellation(question.answers, question.headers, int(moment * 1000))
        self._announcer.announce(question.target, cancellation)


def _question(call: Call, headers: Headers) -> Question | None:
    """What a client of the gateway asks, if its leaving cancels that."""
    seconds, answers = call.gateway.cancel_after_seconds, call.gateway.answers_topic
    return None if seconds is None or answers is None else Question(call.target, answers, headers, seconds)

"""Conversation memory: what was said before, by conversation, in the agent's state.

A turn belongs to the record that it came from. When the record is delivered again, the model sees what was said before
that turn, not the turn itself, and the turn is not added twice. Turns of one conversation are taken one after the
other, also where their records have different keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from pydantic import Field

from langstream.agents.ai.budget import estimated_tokens
from langstream.agents.ai.state_file import StateFile
from langstream.configuration.model import Configuration, Expression, Template
from langstream.records import dump_json
from langstream.services.ai.contract import Message

if TYPE_CHECKING:
    import apsw

SPARE_TURNS: Final = 64
"""Turns kept beyond the window: a record that is delivered again sees the window that it saw first, though later
records of the conversation were answered in the meantime."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS conversations (session BLOB PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS turns (
  number INTEGER PRIMARY KEY AUTOINCREMENT, session BLOB NOT NULL, record BLOB NOT NULL,
  question TEXT NOT NULL, answer TEXT NOT NULL, UNIQUE (session, record));
CREATE INDEX IF NOT EXISTS turns_in_order ON turns (session, number);
"""
_BEFORE: Final = """
SELECT question, answer FROM turns WHERE session = :session AND number < coalesce(
  (SELECT number FROM turns WHERE session = :session AND record = :record), 9223372036854775807)
ORDER BY number DESC LIMIT :most
"""
_ADD: Final = """
INSERT INTO turns (session, record, question, answer) VALUES (?, ?, ?, ?)
ON CONFLICT (session, record) DO UPDATE SET question = excluded.question, answer = excluded.answer
"""
_TRIM: Final = """
DELETE FROM turns WHERE session = ?1 AND number <= (
  SELECT number FROM turns WHERE session = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
"""


class MemoryOptions(Configuration):
    """What the model is told of the conversation so far."""

    session: Expression | None = Field(
        None,
        description="Which conversation a record belongs to, such as `properties.langstream-client-session-id`; by "
        "default the record's key. Records for which it gives nothing are answered without memory.",
    )
    remember: Template | None = Field(
        None, description="What is kept of the question, a template; by default the last message of the prompt."
    )
    messages: int = Field(20, ge=2, description="Most messages of the past, questions and answers.")
    tokens: int | None = Field(None, ge=1, description="Most tokens of the past, as estimated; the oldest go first.")
    expire_seconds: float = Field(
        604_800.0, gt=0, description="A conversation in which nothing was said for so long is forgotten."
    )
    sessions: int = Field(10_000, ge=1, description="Most conversations kept; those longest silent go first.")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: str

    def messages(self) -> tuple[Message, Message]:
        """As the model sees them."""
        return Message(self.question, "user"), Message(self.answer, "assistant")


class Memory:
    """Shared by the replicas of an agent. `clock` gives seconds since the epoch."""

    def __init__(self, file: StateFile, options: MemoryOptions, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._options = options
        self._clock = clock
        self._sessions: dict[bytes, float] = {}
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._started: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn which conversations there are."""
        if self._started is None:
            self._started = asyncio.create_task(self._load())
        await asyncio.shield(self._started)

    def __len__(self) -> int:
        return len(self._sessions)

    @asynccontextmanager
    async def alone(self, session: bytes) -> AsyncIterator[None]:
        """Nobody else takes a turn in the conversation meanwhile."""
        lock = self._locks.setdefault(session, asyncio.Lock())
        async with lock:
            yield

    async def history(self, session: bytes, record: bytes) -> Sequence[Turn]:
        """The turns before that of the record, as many as the window holds, the oldest first. Raises ServiceError."""
        said = self._sessions.get(session)
        if said is None or said < self._clock() - self._options.expire_seconds:
            return ()
        most = self._options.messages // 2
        bindings = {"session": session, "record": record, "most": most}
        rows = await self._file.run(lambda connection: list(connection.execute(_BEFORE, bindings)))
        turns = [Turn(question, answer) for question, answer in rows]
        return list(reversed(self._within_tokens(turns)))

    async def add(self, session: bytes, record: bytes, turn: Turn) -> None:
        """Keep the turn; returns when it is on disk. Raises ServiceError."""
        now = self._clock()
        expired = self._sessions.pop(session, now) < now - self._options.expire_seconds
        self._sessions[session] = now
        doomed = [*self._make_room(now), *([session] if expired else ())]
        kept = self._options.messages // 2 + SPARE_TURNS

        def write(connection: apsw.Connection) -> None:
            for each in doomed:
                connection.execute("DELETE FROM turns WHERE session = ?", (each,))
                connection.execute("DELETE FROM conversations WHERE session = ?", (each,))
            connection.execute("INSERT OR REPLACE INTO conversations VALUES (?, ?)", (session, now))
            connection.execute(_ADD, (session, record, turn.question, turn.answer))
            connection.execute(_TRIM, (session, kept))

        await self._file.run(write)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        def read(connection: apsw.Connection) -> list[Any]:
            connection.execute(_TABLES)
            return list(connection.execute("SELECT session, at FROM conversations ORDER BY at"))

        self._sessions = dict(await self._file.run(read))

    def _within_tokens(self, newest_first: Sequence[Turn]) -> Sequence[Turn]:
        if self._options.tokens is None:
            return newest_first
        room = self._options.tokens
        for count, turn in enumerate(newest_first):
            room -= estimated_tokens((turn.question, turn.answer))
            if room < 0:
                return newest_first[:count]
        return newest_first

    def _make_room(self, now: float) -> list[bytes]:
        doomed = []
        while self._sessions:
            session, said = next(iter(self._sessions.items()))
            if len(self._sessions) <= self._options.sessions and said >= now - self._options.expire_seconds:
                break
            del self._sessions[session]
            doomed.append(session)
        return doomed


def session_of(value: Any) -> bytes | None:
    """What stands for a conversation; None where there is none."""
    if value is None or value == "":
        return None
    return hashlib.blake2b(dump_json(value), digest_size=16).digest()


def with_history(prompt: Sequence[Message], turns: Sequence[Turn]) -> list[Message]:
    """The prompt with the past after the system messages that it begins with."""
    place = next((index for index, message in enumerate(prompt) if message.role != "system"), len(prompt))
    past = [message for turn in turns for message in turn.messages()]
    return [*prompt[:place], *past, *prompt[place:]]

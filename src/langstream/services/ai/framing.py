"""How a streamed answer is cut into events: server-sent events, or one JSON document per line.

Every parser is incremental: `feed` it the pieces of the body as they come, `finish` it at the end. It raises ValueError
where the bytes make no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from langstream.services.ai.sse import LONGEST_EVENT, Event, EventParser


class Parser(Protocol):
    """Bytes in, events out."""

    def feed(self, piece: bytes) -> Sequence[Event]:
        """The events that this piece completes."""

    def finish(self) -> Sequence[Event]:
        """The events that the end of the body completes."""


@dataclass(frozen=True, slots=True)
class Framing:
    """One way of streaming. `whole_json`: an answer of the type `application/json` is not streamed but whole."""

    parser: Callable[[], Parser]
    accept: str
    whole_json: bool = True


class LineParser:
    """One event per line that is not blank, whatever the bytes were cut into."""

    __slots__ = ("_size", "_tail")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """The lines that this piece completes."""
        *ended, unfinished = piece.split(b"\n")
        events = []
        for line in ended:
            events += self._event(b"".join([*self._tail, line]))
            self._tail, self._size = [], 0
        self._size += len(unfinished)
        if self._size > LONGEST_EVENT:
            raise ValueError(f"a line is longer than {LONGEST_EVENT} bytes")
        self._tail.append(unfinished)
        return events

    def finish(self) -> list[Event]:
        """The last line, if nothing ended it."""
        line, self._tail = b"".join(self._tail), []
        return self._event(line)

    def _event(self, line: bytes) -> list[Event]:
        text = line.decode("utf-8", "replace").strip()
        return [Event(text)] if text else []


SSE: Final = Framing(EventParser, "text/event-stream, application/json")
# Servers label their lines in many ways, also as plain JSON: the lines decide.
NDJSON: Final = Framing(LineParser, "application/x-ndjson, application/json", whole_json=False)

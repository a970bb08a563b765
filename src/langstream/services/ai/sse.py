"""Server-sent events: bytes in, events out, however the bytes were cut on their way.

The parser follows the WHATWG rules, with one indulgence: an event that the stream ends in the middle of its blank
line is still an event (`finish`), because several AI servers leave the last blank line out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event; a server that never ends a line must not fill the memory."""


class Event(NamedTuple):
    """One event. `name` is `message` unless the server named it; several data lines are joined by newlines."""

    data: str
    name: str = "message"


class EventParser:
    """Incremental: `feed` every piece of the body, then `finish`. Raises ValueError for an endless event.

    An event without data is none, unless `bare_names` is set and it has a name: some servers say `end` that way.
    """

    __slots__ = ("_bare_names", "_data", "_first", "_name", "_size", "_skip_newline", "_tail")

    def __init__(self, *, bare_names: bool = False) -> None:
        self._bare_names = bare_names
        self._tail: list[bytes] = []  # pieces of a line that has not ended yet
        self._size = 0
        self._data: list[bytes] = []
        self._name = b""
        self._first = True
        self._skip_newline = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        if self._skip_newline and piece:
            piece = piece.removeprefix(b"\n")  # the other half of a CRLF that was cut in two
            self._skip_newline = False
        if not piece:
            return []
        self._count(len(piece))
        lines = piece.splitlines(keepends=True)
        if not lines[-1].endswith((b"\n", b"\r")):
            unfinished = lines.pop()
            if lines:
                lines[0] = self._take_tail() + lines[0]
            self._tail.append(unfinished)
        else:
            lines[0] = self._take_tail() + lines[0]
            self._skip_newline = piece.endswith(b"\r")
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]

    def finish(self) -> list[Event]:
        """The event that the end of the stream completes, if any."""
        tail = self._take_tail()
        events = [self._line(tail)] if tail else []
        events.append(self._line(b""))
        return [event for event in events if event is not None]

    def _take_tail(self) -> bytes:
        tail = b"".join(self._tail)
        self._tail.clear()
        return tail

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > LONGEST_EVENT:
            raise ValueError(f"an event is longer than {LONGEST_EVENT} bytes")

    def _line(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name, self._size = [], b"", 0
        if not data and not (name and self._bare_names):
            return None
        return Event(b"\n".join(data).decode("utf-8", "replace"), name.decode("utf-8", "replace") or "message")

"""The binary framing of AWS (`application/vnd.amazon.eventstream`): lengths, headers, a payload, and two checksums.

An event's name is the value of `:event-type`; of an exception it is `exception:` and its type.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from langstream.services.ai.framing import Framing
from langstream.services.ai.sse import LONGEST_EVENT, Event

EXCEPTION: Final = "exception:"
_PRELUDE: Final = struct.Struct(">III")
_OVERHEAD: Final = _PRELUDE.size + 4
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Sizes of header values by type; types 6 (bytes) and 7 (text) carry theirs."""


class FrameParser:
    """Incremental. Raises ValueError for a wrong checksum, a length that cannot be, and a stream cut in a frame."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        self._buffer += piece
        events = []
        while (size := self._next_size()) is not None and len(self._buffer) >= size:
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            events.append(_event(frame))
        return events

    def finish(self) -> list[Event]:
        """Nothing: every event has its end in itself."""
        if self._buffer:
            raise ValueError("the stream ends in the middle of a frame")
        return []

    def _next_size(self) -> int | None:
        if len(self._buffer) < _PRELUDE.size:
            return None
        size, headers, checksum = _PRELUDE.unpack_from(self._buffer)
        if zlib.crc32(self._buffer[:8]) != checksum:
            raise ValueError("the checksum of a frame's lengths is wrong")
        if size < _OVERHEAD + headers or size > LONGEST_EVENT:
            raise ValueError(f"a frame cannot have {size} bytes, {headers} of them headers")
        return int(size)


def _event(frame: bytes) -> Event:
    if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
        raise ValueError("the checksum of a frame is wrong")
    end = _PRELUDE.size + int.from_bytes(frame[4:8], "big")
    headers = parse_headers(frame[_PRELUDE.size : end])
    payload = frame[end:-4].decode("utf-8", "replace")
    kind = headers.get(":message-type", "event")
    if kind == "exception":
        return Event(payload, f"{EXCEPTION}{headers.get(':exception-type', '')}")
    if kind == "error":
        words = {"message": headers.get(":error-message", "")}
        return Event(orjson.dumps(words).decode(), f"{EXCEPTION}{headers.get(':error-code', '')}")
    return Event(payload, str(headers.get(":event-type", "")))


def parse_headers(content: bytes) -> Mapping[str, Any]:
    """The headers of a frame: text as text, everything else as bytes. Raises ValueError."""
    headers: dict[str, Any] = {}
    position = 0
    while position < len(content):
        start = position + 1
        name_end = start + content[position]
        kind = content[name_end] if name_end < len(content) else -1
        value_start = name_end + 1
        if kind in (6, 7):
            size = int.from_bytes(content[value_start : value_start + 2], "big")
            value_start += 2
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError("a header of a frame makes no sense")
        position = value_start + size
        if position > len(content):
            raise ValueError("a header of a frame is longer than the frame says")
        value = content[value_start:position]
        headers[content[start:name_end].decode("utf-8", "replace")] = (
            value.decode("utf-8", "replace") if kind == 7 else value
        )
    return headers


EVENT_STREAM: Final = Framing(FrameParser, "application/vnd.amazon.eventstream, application/json")

"""Putting a streamed answer together: which pieces count, and which chunk is the last.

The chunk that says why the answer ends is held back until the stream is over, so that it is marked as the last one
once, whatever follows it (a second end marker, token counts), and so that an answer without any end marker has a last
chunk too. What an event means is the business of each service's `Reader`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from langstream.errors import ServiceError
from langstream.services.ai.calls import CallPiece, Calls, finish_reason
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Source
from langstream.services.ai.sse import Event
from langstream.services.ai.transport import Streamed

GRACE_SECONDS: Final = 5.0
"""How long to wait for the end of the stream after the end of the answer; some servers keep it open."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event adds to the answer.

    `text` None: nothing. `finished`: it says why the answer ends. `filtered`: a content filter had a hand in that.
    `usage` replaces the one of earlier pieces. `calls` and `thoughts` add to those of earlier pieces.
    """

    answer_id: str = ""
    text: str | None = None
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    finished: str | None = None
    usage: Usage | None = None
    filtered: bool = False
    calls: tuple[CallPiece, ...] = ()
    thoughts: tuple[Mapping[str, Any], ...] = ()


class Reader(Protocol):
    """Reads one answer of a service; made anew for every answer. Both methods raise ServiceError."""

    def piece(self, event: Event) -> Piece | None:
        """What the event adds, or None at the end of the stream."""

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""


@dataclass(slots=True)
class Assembly:
    """The state of one streamed answer.

    `chat`: this is no text completion, where a blank first piece does not count. Empty pieces count if `empties`.
    `strict`: a stream without an end marker was cut off.
    """

    source: Source
    reader: Reader
    chat: bool = True
    strict: bool = False
    empties: bool = False
    answer_id: str = ""
    finished: str | None = None
    usage: Usage | None = None
    _filtered: bool = False
    _began: bool = False
    _nonempty: bool = False
    _texts: list[str] = field(default_factory=list)
    _tokens: list[str] = field(default_factory=list)
    _logprobs: list[float] = field(default_factory=list)
    _calls: Calls = field(default_factory=Calls)
    _thoughts: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, piece: Piece) -> Chunk | None:
        """The chunk to hand on, if the piece makes one."""
        self.answer_id = self.answer_id or piece.answer_id
        self.usage = piece.usage or self.usage
        self._filtered = self._filtered or piece.filtered
        self._thoughts.extend(piece.thoughts)
        for call in piece.calls:
            self._calls.add(call)
        counts = self._counts(piece)
        if counts and piece.text:
            self._nonempty = True
        if piece.finished is not None or self.finished is not None:
            self.finished = self.finished or piece.finished
            if counts:
                self._hold(piece)
            return None
        if not counts:
            return None
        return Chunk(piece.text or "", self.answer_id, False, piece.tokens, piece.logprobs)

    def last(self) -> Chunk:
        """The last chunk. Raises ServiceError where a content filter left nothing, or the end is missing."""
        if self.strict and self.finished is None:
            raise self.source.broken_off()
        calls = self._calls.all()
        if self._filtered and not self._nonempty and not calls:
            raise self.source.withheld()
        finish = finish_reason(self.finished, calls, filtered=self._filtered)
        return Chunk(
            "".join(self._texts),
            self.answer_id,
            True,
            tuple(self._tokens),
            tuple(self._logprobs),
            self.usage,
            calls,
            tuple(self._thoughts) if calls else (),
            finish,
        )

    def _counts(self, piece: Piece) -> bool:
        if piece.text is None or (not piece.text and not self.empties):
            return False
        first, self._began = not self._began, True
        return self.chat or bool(piece.text.strip()) or not first

    def _hold(self, piece: Piece) -> None:
        self._texts.append(piece.text or "")
        self._tokens.extend(piece.tokens)
        self._logprobs.extend(piece.logprobs)


async def assembled(pieces: AsyncIterator[Streamed], assembly: Assembly) -> AsyncGenerator[Chunk, None]:
    """The chunks of the answer; exactly one, the last, is marked so."""
    while (streamed := await _next(pieces, assembly)) is not None:
        if streamed.answer is not None:
            yield assembly.reader.whole(streamed.answer)
            return
        if streamed.open_end:
            if assembly.finished is None:
                raise assembly.source.broken_off()
            break
        if streamed.event is None:
            continue
        piece = assembly.reader.piece(streamed.event)
        if piece is None:
            break
        chunk = assembly.add(piece)
        if chunk is not None:
            yield chunk
    yield assembly.last()


def whole_chunk(piece: Piece, source: Source) -> Chunk:
    """The only chunk of an answer that came as one piece. Raises ServiceError where a content filter left nothing."""
    collected = Calls()
    for call in piece.calls:
        collected.add(call)
    calls = collected.all()
    if piece.filtered and not piece.text and not calls:
        raise source.withheld()
    finish = finish_reason(piece.finished, calls, filtered=piece.filtered)
    return Chunk(
        piece.text or "",
        piece.answer_id,
        True,
        piece.tokens,
        piece.logprobs,
        piece.usage,
        calls,
        piece.thoughts if calls else (),
        finish,
    )


async def _next(pieces: AsyncIterator[Streamed], assembly: Assembly) -> Streamed | None:
    """The next piece, or None at the end."""
    if assembly.finished is None:
        return await anext(pieces, None)
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            return await anext(pieces, None)
    except (TimeoutError, ServiceError):  # the answer is complete; only its envelope is not
        return None

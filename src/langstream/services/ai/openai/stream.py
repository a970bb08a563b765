"""Putting a streamed answer together: which pieces count, and which chunk is the last.

The chunk that says why the answer ends is held back until the stream is over, so that it is marked as the last one
once, whatever follows it (a second end marker, token counts), and so that an answer without any end marker has a last
chunk too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from langstream.errors import ServiceError
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import place
from langstream.services.ai.openai.answers import DONE, Piece, Source, piece_of_event, refuse_filtered, whole_answer
from langstream.services.ai.transport import Streamed

GRACE_SECONDS: Final = 5.0
"""How long to wait for the end of the stream after the end of the answer; some servers keep it open."""


@dataclass(slots=True)
class Assembly:
    """The state of one streamed answer. `chat`: empty pieces do not count; text: a blank first one does not."""

    source: Source
    chat: bool
    answer_id: str = ""
    finished: str | None = None
    usage: Usage | None = None
    _began: bool = False
    _nonempty: bool = False
    _texts: list[str] = field(default_factory=list)
    _tokens: list[str] = field(default_factory=list)
    _logprobs: list[float] = field(default_factory=list)

    def add(self, piece: Piece) -> Chunk | None:
        """The chunk to hand on, if the piece makes one."""
        self.answer_id = self.answer_id or piece.answer_id
        self.usage = piece.usage or self.usage
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
        """The last chunk."""
        refuse_filtered(self.finished, "x" if self._nonempty else "", self.source)
        text = "".join(self._texts)
        return Chunk(text, self.answer_id, True, tuple(self._tokens), tuple(self._logprobs), self.usage)

    def _counts(self, piece: Piece) -> bool:
        if piece.text is None:
            return False
        if self.chat:
            return piece.text != ""
        first, self._began = not self._began, True
        return bool(piece.text.strip()) or not first

    def _hold(self, piece: Piece) -> None:
        self._texts.append(piece.text or "")
        self._tokens.extend(piece.tokens)
        self._logprobs.extend(piece.logprobs)


async def assembled(pieces: AsyncIterator[Streamed], assembly: Assembly) -> AsyncGenerator[Chunk, None]:
    """The chunks of the answer; exactly one, the last, is marked so."""
    source = assembly.source
    while (streamed := await _next(pieces, assembly)) is not None:
        if streamed.answer is not None:
            yield whole_answer(streamed.answer, source)
            return
        if streamed.open_end:
            _refuse_cut(assembly)
            break
        if streamed.event is None:
            continue
        if streamed.event.data.strip() == DONE:
            break
        chunk = assembly.add(piece_of_event(streamed.event, source))
        if chunk is not None:
            yield chunk
    yield assembly.last()


async def _next(pieces: AsyncIterator[Streamed], assembly: Assembly) -> Streamed | None:
    """The next piece, or None at the end."""
    if assembly.finished is None:
        return await anext(pieces, None)
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            return await anext(pieces, None)
    except (TimeoutError, ServiceError):  # the answer is complete; only its envelope is not
        return None


def _refuse_cut(assembly: Assembly) -> None:
    if assembly.finished is None:
        where = place(assembly.source.url)
        raise ServiceError(f"the AI service at {where} broke the connection off before the end of the answer")

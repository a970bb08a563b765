"""An answer as it is kept: the pieces, who gave it and what it took, as compact JSON.

Fields at their defaults are left out, so that answers kept by an earlier release can be read.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from langstream.agents.ai.model_call import Answered
from langstream.services.ai.contract import Chunk

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The pieces, the last of which is marked so."""

    chunks: tuple[Chunk, ...]
    answered: Answered

    def replayed(self) -> list[Chunk]:
        """The pieces under an id of their own, since readers tell streams by it."""
        answer_id = str(uuid.uuid4())
        return [replace(chunk, answer_id=answer_id) for chunk in self.chunks]


@cache
def _adapter() -> TypeAdapter[KeptAnswer]:
    from pydantic import TypeAdapter

    return TypeAdapter(KeptAnswer)


def prepare() -> None:
    """What the first answer would have to wait for, done before."""
    _adapter()


def encoded(chunks: Sequence[Chunk], answered: Answered) -> bytes:
    """The answer as bytes."""
    kept = KeptAnswer(tuple(replace(chunk, answer_id="") for chunk in chunks), answered)
    return _adapter().dump_json(kept, exclude_defaults=True)


def decoded(content: bytes) -> KeptAnswer:
    """The answer again. Raises ValueError for what is none."""
    kept = _adapter().validate_json(content)
    chunks = (replace(chunk, tokens=tuple(chunk.tokens), logprobs=tuple(chunk.logprobs)) for chunk in kept.chunks)
    return KeptAnswer(tuple(chunks), kept.answered)


def merged(chunks: Sequence[Chunk]) -> Chunk:
    """All pieces as one."""
    last = chunks[-1]
    return replace(
        last,
        text="".join(chunk.text for chunk in chunks),
        tokens=tuple(token for chunk in chunks for token in chunk.tokens),
        logprobs=tuple(value for chunk in chunks for value in chunk.logprobs),
        last=True,
    )

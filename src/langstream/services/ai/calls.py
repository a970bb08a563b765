"""Putting the calls of tools together that a model asks for, whose arguments may come in pieces."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.services.ai.contract import FinishReason, ToolCall

OWN: Final = "made-"
"""Begins the ids of calls to which the service gave none."""

_REASONS: Final[Mapping[str, FinishReason]] = {
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop": "stop",
    "end_turn": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",  # without a call that is left: the model called the tool by which it answers
}


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a call. Pieces with one `index` are one call, unless a later one has another id."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = ""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    signature: str = ""
    arguments: list[str] = field(default_factory=list)


class Calls:
    """The calls of one answer."""

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def add(self, piece: CallPiece) -> None:
        """Take a piece."""
        call = self._by_index.get(piece.index)
        if call is None or (piece.id and call.id and piece.id != call.id):
            call = self._by_index[piece.index] = _Call()
            self._calls.append(call)
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.signature = call.signature or piece.signature
        call.arguments.append(piece.arguments)

    def all(self) -> tuple[ToolCall, ...]:
        """The calls, in the order in which they began. One without arguments has those of an empty object."""
        return tuple(
            ToolCall(call.id or f"{OWN}{uuid.uuid4().hex}", call.name, "".join(call.arguments) or "{}", call.signature)
            for call in self._calls
        )


def arguments_text(arguments: Any) -> str:
    """The arguments as JSON text, where the service gives them as an object."""
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()


def arguments_object(call: ToolCall) -> dict[str, Any]:
    """The arguments as an object, for services that want their calls back so; what is none becomes empty."""
    try:
        found = orjson.loads(call.arguments)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def finish_reason(finished: str | None, calls: tuple[ToolCall, ...], *, filtered: bool) -> FinishReason | None:
    """The reason of the end in the platform's words. What only one service knows is None."""
    if calls:
        return "tool-calls"
    if filtered:
        return "filtered"
    return _REASONS.get((finished or "").lower())

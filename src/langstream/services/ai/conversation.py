"""A conversation as services want it that keep the instructions apart from the turns of two speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from langstream.services.ai.contract import Message

Speaker = Literal["user", "assistant"]

_INSTRUCTIONS: Final = ("system", "developer")
_OWN: Final = ("assistant", "model", "ai")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says; successive messages of one speaker are one turn. Results of tools are the user's."""

    speaker: Speaker
    messages: tuple[Message, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What is said."""
        return tuple(message.content for message in self.messages)

    @property
    def plain(self) -> bool:
        """Whether there is nothing but text."""
        return not any(message.tool_calls or message.tool_call for message in self.messages)


@dataclass(frozen=True, slots=True)
class Conversation:
    """`instructions` are the system messages, wherever they stood. There is at least one turn."""

    instructions: tuple[str, ...]
    turns: tuple[Turn, ...]


def conversation_of(messages: Sequence[Message]) -> Conversation:
    """The messages, sorted. A message without a role, or with one of its own, is the user's; instructions that stand
    alone are asked as a question, because there must be one."""
    instructions = tuple(message.content for message in messages if message.role in _INSTRUCTIONS)
    turns: list[Turn] = []
    for message in messages:
        if message.role in _INSTRUCTIONS:
            continue
        speaker: Speaker = "assistant" if message.role in _OWN else "user"
        if turns and turns[-1].speaker == speaker:
            turns[-1] = Turn(speaker, (*turns[-1].messages, message))
        else:
            turns.append(Turn(speaker, (message,)))
    if not turns:
        return Conversation((), (Turn("user", tuple(messages)),))
    return Conversation(instructions, tuple(turns))


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are set."""
    return {name: value for name, value in members.items() if value is not None}

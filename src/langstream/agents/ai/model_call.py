"""One call of a model: what is asked, on behalf of which record, and what the pieces of the answer add up to.

A record may need several calls (tools, a repair). Each goes through the same layers — journal, cache, fallback, budget,
service — every one of which is an `Asker`: it answers the call itself, or lets the next one answer it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from langstream.records import dump_json
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, FinishReason, Message, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What is asked: a conversation to be answered, or texts to be continued."""

    task: Literal["chat", "text"]
    prompt: tuple[Message, ...] | tuple[str, ...]
    options: CompletionOptions
    stream: bool = True

    def digest(self) -> bytes:
        """The same for calls that ask the same. Whether the answer is streamed does not matter."""
        content = dump_json([self.task, [_plain(part) for part in self.prompt], _plain(self.options)])
        return hashlib.blake2b(content, digest_size=16).digest()

    def of(self, service: AIService, model: str, options: CompletionOptions) -> AsyncGenerator[Chunk, None]:
        """The pieces of the service's answer."""
        if self.task == "chat":
            messages = [part for part in self.prompt if isinstance(part, Message)]
            return service.chat(model, messages, options, stream=self.stream)
        texts = [part for part in self.prompt if isinstance(part, str)]
        return service.complete(model, texts, options, stream=self.stream)

    def texts(self) -> list[str]:
        """All the text of the prompt, to be counted."""
        return [part.content if isinstance(part, Message) else part for part in self.prompt]


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answered, and what it took. `cost` is None where no price is known."""

    service: str
    model: str
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None


@dataclass(slots=True)
class Asked:
    """A call on its way through the layers.

    `identity` is that of the record and of the call within it, None where nothing is to be remembered. `anew`: what is
    remembered must not be used. `avoid` names services whose answer to this very call broke off. `answered` is filled
    in by whoever answers.
    """

    call: ModelCall
    identity: Identity | None = None
    anew: bool = False
    avoid: set[str] = field(default_factory=set)
    answered: Answered | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The record that a call is made for, and the number of the call within it.

    `topic` is empty for records that came from no topic: `content` then begins with the digest of the source record.
    """

    topic: str
    partition: int
    offset: int
    content: bytes
    number: int


Asker: TypeAlias = Callable[[Asked], AsyncGenerator[Chunk, None]]
"""A layer. Closing its generator abandons the answer."""


@dataclass(slots=True)
class Answer:
    """What the pieces of one answer add up to."""

    texts: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Mapping[str, Any], ...] = ()
    finish: FinishReason | None = None

    def add(self, chunk: Chunk) -> None:
        """Take a piece."""
        self.texts.append(chunk.text)
        self.tokens.extend(chunk.tokens)
        self.logprobs.extend(chunk.logprobs)
        self.tool_calls = self.tool_calls or tuple(chunk.tool_calls)
        self.thoughts = self.thoughts or tuple(chunk.thoughts)
        self.finish = self.finish or chunk.finish

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)


def _plain(part: Any) -> Any:
    """What differs from the defaults, so that a field added later changes no digest."""
    if not hasattr(part, "__dataclass_fields__"):
        return [_plain(item) for item in part] if isinstance(part, tuple) else part
    members = {name: getattr(part, name) for name in part.__dataclass_fields__}
    return {name: _plain(value) for name, value in members.items() if _is_set(value)}


def _is_set(value: Any) -> bool:
    if value is None or value is False:
        return False
    return bool(value) or not isinstance(value, str | tuple | list | Mapping)

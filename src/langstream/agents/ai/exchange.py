"""What an agent and its models say to each other about one record."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from langstream.agents.ai.chunks import Publisher
from langstream.agents.ai.model_call import Answer, Answered, Asked, Asker, Identity, ModelCall
from langstream.errors import ServiceError
from langstream.records import SimpleRecord, dump_json
from langstream.sdk.contract import Place
from langstream.sdk.tracing import NoTracer, Tracer

ATTEMPTS: Final = 3
"""Attempts for an answer that broke off in the middle, as long as nobody has seen a piece of it."""


@dataclass(slots=True)
class Exchange:
    """Asks the models as often as the record needs it. `answered` tells, call by call, who answered."""

    record: SimpleRecord
    place: Place | None
    asker: Asker
    model: str = ""
    """As configured, for traces."""
    tracer: Tracer = field(default_factory=NoTracer)
    answered: list[Answered] = field(default_factory=list)
    tool_log: list[dict[str, Any]] = field(default_factory=list)
    """The calls of tools that were made for the answer."""
    _calls: int = 0
    _content: bytes = b""

    async def ask(self, call: ModelCall, publisher: Publisher) -> Answer:
        """One whole answer. One that breaks off is asked for again, unless pieces of it are on the topic already: then
        the record fails, and its retry by the node streams anew under another `stream-id`. Raises ServiceError."""
        asked = Asked(call, self.identity(), self.place is not None and self.place.anew)
        self._calls += 1
        attempt = 1
        while True:
            publisher.begin()
            answer = Answer()
            try:
                await self._listen(asked, answer, publisher)
                return answer
            except ServiceError as error:
                again = answer.texts and error.retryable and attempt < ATTEMPTS
                if not (again and publisher.take_back()):
                    raise
            attempt += 1

    def identity(self) -> Identity:
        """That of the next call: the record's place in its topic, or its content where it came from none."""
        place = self.place
        if place is None:
            return Identity("", 0, 0, self._digest(), self._calls)
        content = place.content + ".".join(map(str, place.path)).encode()
        return Identity(place.topic, place.partition, place.offset, content, self._calls)

    def record_id(self) -> bytes:
        """What stands for the record, also when it is delivered again."""
        place = self.place
        if place is None:
            return self._digest()
        return dump_json([place.topic, place.partition, place.offset, place.path, place.content])

    def headers(self) -> list[tuple[str, str]]:
        """Tokens, cost, model and service of all calls, the last two those of the last call."""
        if not self.answered:
            return []
        last = self.answered[-1]
        costs = [each.cost for each in self.answered if each.cost is not None]
        headers = [
            ("langstream-prompt-tokens", str(sum(each.usage.prompt_tokens for each in self.answered))),
            ("langstream-completion-tokens", str(sum(each.usage.completion_tokens for each in self.answered))),
            ("langstream-model", last.model),
            ("langstream-service", last.service),
        ]
        return [*headers, ("langstream-cost", _decimal(sum(costs)))] if costs else headers

    def _digest(self) -> bytes:
        self._content = self._content or content_digest(self.record)
        return self._content

    async def _listen(self, asked: Asked, answer: Answer, publisher: Publisher) -> None:
        operation = "chat" if asked.call.task == "chat" else "text_completion"
        named = {"gen_ai.operation.name": operation, "gen_ai.request.model": self.model}
        with self.tracer.call(f"{operation} {self.model}", named) as span:
            async with aclosing(self.asker(asked)) as chunks:
                async for chunk in chunks:
                    answer.add(chunk)
                    await publisher.add(chunk)
            if asked.answered is not None:
                self.answered.append(asked.answered)
                span.set("gen_ai.response.model", asked.answered.model)
                span.set("langstream.resource.id", asked.answered.service)
                span.set("gen_ai.usage.input_tokens", asked.answered.usage.prompt_tokens)
                span.set("gen_ai.usage.output_tokens", asked.answered.usage.completion_tokens)


def _decimal(number: float) -> str:
    """Without an exponent, however small."""
    return f"{number:.12f}".rstrip("0").rstrip(".")


def content_digest(record: SimpleRecord) -> bytes:
    """What stands for a record that has no place in a topic."""
    content = [record.value(), record.key(), record.headers(), record.timestamp()]
    return hashlib.blake2b(dump_json(content), digest_size=16).digest()

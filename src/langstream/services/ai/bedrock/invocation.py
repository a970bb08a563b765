"""InvokeModel: the request in the layout of the model, the answer where an expression finds it.

An agent asks for it by `options` with `request-parameters`, `request-prompt-property` or
`response-completions-expression`. With `response-stream-expression` the answer is streamed: that expression finds the
text in each piece.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.expressions import ExpressionError, ExpressionSyntaxError, compile_expression, text_form
from langstream.expressions.frames import Frame
from langstream.services.ai.bedrock.answers import event_content
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece

PARAMETERS: Final = "request-parameters"
PROMPT_PROPERTY: Final = "request-prompt-property"
EXPRESSION: Final = "response-completions-expression"
STREAM_EXPRESSION: Final = "response-stream-expression"

_METRICS: Final = "amazon-bedrock-invocationMetrics"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What an agent's `options` say about the layout of its model."""

    parameters: Mapping[str, Any]
    prompt_property: str
    completion: Callable[[Any], Any] | None
    streamed: Callable[[Any], Any] | None

    def body(self, prompt: str) -> dict[str, Any]:
        """The body of the request; parameters may even replace the prompt."""
        return {self.prompt_property: prompt, **self.parameters}


def invocation_of(options: Mapping[str, Any]) -> Invocation | None:
    """The layout that the options ask for, or None: Converse will do. Raises ServiceError for senseless options."""
    if not {PARAMETERS, PROMPT_PROPERTY, EXPRESSION, STREAM_EXPRESSION} & set(options):
        return None
    parameters = options.get(PARAMETERS) or {}
    if not isinstance(parameters, Mapping):
        raise _senseless(f"`{PARAMETERS}` must be an object")
    completion = _compiled(options, EXPRESSION)
    streamed = _compiled(options, STREAM_EXPRESSION)
    if completion is None and streamed is None:
        raise _senseless(f"`{EXPRESSION}` is required with `{PARAMETERS}`: where the text is, such as outputs[0].text")
    return Invocation(parameters, str(options.get(PROMPT_PROPERTY) or "prompt"), completion, streamed)


@dataclass(frozen=True, slots=True)
class InvocationReader:
    """Reads one answer in the layout of its model."""

    source: Source
    invocation: Invocation
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def piece(self, event: Event) -> Piece | None:
        """What a piece of the stream adds; Bedrock adds counts to the last one."""
        encoded = event_content(event, self.source).get("bytes")
        try:
            content = orjson.loads(base64.b64decode(encoded or b"", validate=True))
        except (ValueError, TypeError, binascii.Error):
            raise self.source.malformed("a piece of the stream is not JSON") from None
        assert self.invocation.streamed is not None
        text = self._found(self.invocation.streamed, content, missing=None)
        metrics = content.get(_METRICS) if isinstance(content, dict) else None
        if not isinstance(metrics, dict):
            return Piece(self.answer_id, text)
        usage = Usage(count_of(metrics.get("inputTokenCount")), count_of(metrics.get("outputTokenCount")))
        return Piece(self.answer_id, text, finished="stop", usage=usage)

    def whole(self, content: Any) -> Chunk:
        """The text where the expression finds it, without a line break at its beginning."""
        if self.invocation.completion is None:
            message = f"an answer that is not streamed needs the option `{EXPRESSION}`"
            raise ServiceError(message, category="refused")
        text = self._found(self.invocation.completion, content, missing="")
        if text is None:
            raise self.source.malformed(f"`{EXPRESSION}` finds nothing in it")
        return Chunk(text.removeprefix("\n"), self.answer_id, True)

    def _found(self, expression: Callable[[Any], Any], content: Any, *, missing: str | None) -> str | None:
        if not isinstance(content, dict):
            raise self.source.malformed("it is not an object")
        try:
            found = expression(Frame(SimpleNamespace(**_roots(content)), content))
            return None if found is None else text_form(found)
        except ExpressionError as error:
            if missing is None and error.kind == "property-not-found":
                return None  # pieces of other kinds have other members
            raise self.source.malformed(f"`{EXPRESSION}`: {error}") from None


def _roots(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Members whose names mean something else in expressions."""
    return {name: content.get(name) for name in ("value", "key", "properties", "record")}


def _compiled(options: Mapping[str, Any], name: str) -> Callable[[Any], Any] | None:
    text = options.get(name)
    if text is None:
        return None
    try:
        return compile_expression(str(text))
    except ExpressionSyntaxError as error:
        raise _senseless(f"`{name}` is not a valid expression: {error}") from None


def _senseless(what: str) -> ServiceError:
    return ServiceError(f"the agent's `options` for Bedrock: {what}", category="refused")

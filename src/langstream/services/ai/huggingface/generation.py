"""Text generation and fill-mask: the protocols of Hugging Face's own inference servers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.services.ai.contract import Chunk, CompletionOptions, Usage
from langstream.services.ai.conversation import present
from langstream.services.ai.failures import Dialect, Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.schemas import undeclared
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

_MASKS: Final = ("[MASK]", "<mask>")
_ENCODERS: Final = re.compile(
    r"(?:^|[/_-])(?:distil|mobile|modern|camem|flau|al|ro|distilro|de|xlm-ro)?berta?\b", re.IGNORECASE
)


def loading_time(body: Any) -> float | None:
    """How long a model that is being loaded will take, as the refusal says."""
    seconds = body.get("estimated_time") if isinstance(body, dict) else None
    return float(seconds) if isinstance(seconds, int | float) and seconds >= 0 else None


DIALECT: Final = Dialect(
    categories={"overloaded": "transient", "rate_limit_exceeded": "rate-limited", "invalid_request_error": ""},
    too_long=(
        "maximum context length",
        "must have less than",
        "`inputs` tokens",
        "must match the size of tensor",
    ),
    advice={
        401: "Check `access-key` of the resource.",
        402: "The credits of the account are used up.",
        403: "Check that the token may use the inference service and this model.",
        404: "Check `model` of the agent and the addresses of the resource.",
    },
    wait=loading_time,
)


def is_fill_mask(model: str, texts: Sequence[str], options: CompletionOptions) -> bool:
    """Whether the model shall fill the mask in the texts: the agent's `options` have `task: fill-mask`, or the model is
    a BERT, which can do nothing else, and there is a mask."""
    task = options.extra.get("task")
    if task is not None:
        return bool(task == "fill-mask")
    return _ENCODERS.search(model) is not None and any(mask in text for text in texts for mask in _MASKS)


def text_body(prompt: str, options: CompletionOptions, *, stream: bool) -> dict[str, Any]:
    """The body for text generation; the agent's `options` are parameters."""
    known: dict[str, Any] = {
        "max_new_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": list(options.stop) if options.stop is not None else None,
        "frequency_penalty": options.frequency_penalty,
    }
    if options.response_schema is not None:
        known["grammar"] = {"type": "json", "value": undeclared(options.response_schema)}
    parameters = {"return_full_text": False, "details": True, **options.extra, **present(known)}
    parameters.pop("task", None)
    return {"inputs": prompt, "parameters": parameters, "stream": stream}


@dataclass(frozen=True, slots=True)
class GenerationReader:
    """Reads one answer, which gets its id here."""

    source: Source
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def piece(self, event: Event) -> Piece | None:
        """The token in the event, or None at the end of the stream."""
        if event.data.strip() == "[DONE]":
            return None
        try:
            content = orjson.loads(event.data)
        except ValueError:
            if event.name == "error":
                raise self.source.reported(event.data) from None
            raise self.source.malformed("an event of the stream is not JSON") from None
        if not isinstance(content, dict):
            raise self.source.malformed("an event of the stream is not an object")
        if content.get("error"):
            raise self.source.reported({"message": content["error"], "type": content.get("error_type")})
        return self._token(content)

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed: the first text that it has."""
        if isinstance(content, dict) and content.get("error"):
            raise self.source.reported({"message": content["error"], "type": content.get("error_type")})
        first = content
        while isinstance(first, list) and first:  # one list per text, one item per candidate
            first = first[0]
        found = first if isinstance(first, dict) else {}
        text = found.get("generated_text", found.get("sequence"))
        if not isinstance(text, str):
            raise self.source.malformed("it has neither `generated_text` nor `sequence`")
        return whole_chunk(Piece(self.answer_id, text, usage=_usage(found.get("details"))), self.source)

    def _token(self, content: dict[str, Any]) -> Piece:
        token = content.get("token")
        if not isinstance(token, dict):
            raise self.source.malformed("an event of the stream has no `token`")
        text = token.get("text")
        text = text if isinstance(text, str) and not token.get("special") else None
        logprob = token.get("logprob")
        known = text is not None and isinstance(logprob, int | float)
        details = content.get("details")
        over = content.get("generated_text") is not None
        reason = details.get("finish_reason") if isinstance(details, dict) else None
        return Piece(
            self.answer_id,
            text,
            (text or "",) if known else (),
            (float(logprob),) if known and logprob is not None else (),
            (str(reason or "stop")) if over else None,
            _usage(details),
        )


def _usage(details: Any) -> Usage | None:
    """The token counts. Those of the prompt come as a number or as the list of its tokens."""
    if not isinstance(details, dict):
        return None
    prefill = details.get("prefill")
    prompt = count_of(details.get("input_length")) or (len(prefill) if isinstance(prefill, list) else 0)
    return Usage(prompt, count_of(details.get("generated_tokens")))

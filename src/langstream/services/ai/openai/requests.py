"""The bodies of requests, members in the order in which the protocol lists them, absent where not set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langstream.services.ai.contract import CompletionOptions, Message


def chat_body(messages: Sequence[Message], options: CompletionOptions) -> dict[str, Any]:
    """The body of a chat completion. A message without a role is the user's."""
    return {
        "messages": [{"role": message.role or "user", "content": message.content} for message in messages],
        **_tuning(options),
    }


def text_body(prompts: Sequence[str], options: CompletionOptions) -> dict[str, Any]:
    """The body of a text completion."""
    tuning = _tuning(options)
    if options.logprobs is not None:
        tuning["logprobs"] = options.logprobs
    return {"prompt": list(prompts), **tuning}


def _tuning(options: CompletionOptions) -> dict[str, Any]:
    known: Mapping[str, Any] = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "logit_bias": options.logit_bias,
        "user": options.user,
        "stop": list(options.stop) if options.stop is not None else None,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
    }
    body = {name: value for name, value in known.items() if value is not None}
    for name, value in options.extra.items():
        body.setdefault(name, value)
    return body

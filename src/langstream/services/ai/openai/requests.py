"""The bodies of requests, members in the order in which the protocol lists them, absent where not set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.contract import CompletionOptions, Message

_OWN: Final = frozenset(("model", "messages", "prompt", "stream"))
"""Members that `options` cannot set: they are the agent's."""


def chat_body(messages: Sequence[Message], options: CompletionOptions) -> dict[str, Any]:
    """The body of a chat completion. A message without a role is the user's."""
    conversation = [{"role": message.role or "user", "content": message.content} for message in messages]
    return _extended({"messages": conversation, **_tuning(options)}, options)


def text_body(prompts: Sequence[str], options: CompletionOptions) -> dict[str, Any]:
    """The body of a text completion."""
    body = {"prompt": list(prompts), **_tuning(options)}
    if options.logprobs is not None:
        body["logprobs"] = options.logprobs
    return _extended(body, options)


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
    return {name: value for name, value in known.items() if value is not None}


def _extended(body: dict[str, Any], options: CompletionOptions) -> dict[str, Any]:
    """With what else the provider is to be told, as long as it replaces nothing."""
    return body | {name: value for name, value in options.extra.items() if name not in body and name not in _OWN}

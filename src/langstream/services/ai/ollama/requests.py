"""The bodies of requests to Ollama: tuning goes to `options`, the rest to the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.calls import arguments_object
from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.conversation import present
from langstream.services.ai.openai.requests import tool_object
from langstream.services.ai.schemas import instructed, undeclared

_TOP: Final = frozenset(
    (
        "context",
        "dimensions",
        "format",
        "keep_alive",
        "logprobs",
        "raw",
        "suffix",
        "system",
        "template",
        "think",
        "top_logprobs",
        "truncate",
    )
)
"""Members of requests that are no parameters of the model."""


def chat_body(model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool) -> dict[str, Any]:
    """The body for `/api/chat`. Where there are tools, the schema of the answer is told in words: a `format` would
    keep the model from calling them."""
    asked = instructed(messages, options) if options.tools else messages
    conversation = [_message(message) for message in asked]
    body = {"model": model, "messages": conversation, "stream": stream, **_tuning(options)}
    if options.tools:
        body["tools"] = [tool_object(tool) for tool in options.tools]
    return body


def text_body(model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool) -> dict[str, Any]:
    """The body for `/api/generate`. Several prompts are lines of one."""
    return {"model": model, "prompt": "\n".join(prompts), "stream": stream, **_tuning(options)}


def parameters(extra: Mapping[str, Any], tuning: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's `options`, sorted into members of the request and parameters of the model. The tuning that the
    agent has options of its own for goes first."""
    nested = extra.get("options")
    loose = {name: value for name, value in extra.items() if name not in _TOP and name != "options"}
    chosen = {**loose, **(nested if isinstance(nested, Mapping) else {}), **tuning}
    for own in ("model", "messages", "prompt", "input", "stream"):
        chosen.pop(own, None)
    members = {name: value for name, value in extra.items() if name in _TOP}
    return {**members, "options": chosen} if chosen else members


def _message(message: Message) -> dict[str, Any]:
    """A message without a role is the user's. Calls have no ids here: results are matched by name and order."""
    if message.tool_call is not None:
        return {"role": "tool", "content": message.content, "tool_name": message.tool_call.name}
    shown: dict[str, Any] = {"role": message.role or "user", "content": message.content}
    if message.tool_calls:
        shown["tool_calls"] = [
            {"function": {"name": call.name, "arguments": arguments_object(call)}} for call in message.tool_calls
        ]
        for thought in message.thoughts:
            if set(thought) == {"thinking"}:  # those of other services look otherwise
                shown |= thought
    return shown


def _tuning(options: CompletionOptions) -> dict[str, Any]:
    known = present(
        {
            "num_predict": options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "stop": list(options.stop) if options.stop is not None else None,
            "presence_penalty": options.presence_penalty,
            "frequency_penalty": options.frequency_penalty,
        }
    )
    body = parameters(options.extra, known)
    if options.response_schema is not None and not options.tools:
        body["format"] = undeclared(options.response_schema)
    if options.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": options.logprobs}
    return body

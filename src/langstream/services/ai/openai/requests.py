"""The bodies of requests, members in the order in which the protocol lists them, absent where not set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.contract import CompletionOptions, Message, Tool, ToolCall
from langstream.services.ai.schemas import instructed, instructed_prompts, is_strict, schema_name, undeclared

_OWN: Final = frozenset(("model", "messages", "prompt", "stream"))
"""Members that `options` cannot set: they are the agent's."""


def chat_body(messages: Sequence[Message], options: CompletionOptions, *, schemas: bool = True) -> dict[str, Any]:
    """The body of a chat completion. Without `schemas` the server does not know that `response_format`, and the model
    is told the schema in words."""
    asked = messages if schemas else instructed(messages, options)
    body = {"messages": [_message(message) for message in asked], **_tuning(options), **_tools(options)}
    if schemas and options.response_schema is not None:
        body["response_format"] = _response_format(options.response_schema)
    return _extended(body, options)


def text_body(prompts: Sequence[str], options: CompletionOptions) -> dict[str, Any]:
    """The body of a text completion."""
    body = {"prompt": list(instructed_prompts(prompts, options)), **_tuning(options)}
    if options.logprobs is not None:
        body["logprobs"] = options.logprobs
    return _extended(body, options)


def tool_object(tool: Tool) -> dict[str, Any]:
    """A tool as the protocol declares it."""
    declared = {"name": tool.name, "description": tool.description, "parameters": undeclared(tool.parameters)}
    return {"type": "function", "function": declared}


def _message(message: Message) -> dict[str, Any]:
    """A message without a role is the user's."""
    if message.tool_call is not None:
        return {"role": "tool", "tool_call_id": message.tool_call.id, "content": message.content}
    shown: dict[str, Any] = {"role": message.role or "user", "content": message.content}
    if message.tool_calls:
        shown["content"] = message.content or None
        shown["tool_calls"] = [_call(call) for call in message.tool_calls]
    return shown


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tools(options: CompletionOptions) -> dict[str, Any]:
    if not options.tools:
        return {}
    further = options.extra.get("tools")
    tools = [*(tool_object(tool) for tool in options.tools), *(further if isinstance(further, list) else ())]
    return {"tools": tools, "tool_choice": _choice(options.tool_choice)} if options.tool_choice else {"tools": tools}


def _choice(choice: str) -> Any:
    return choice if choice in ("auto", "required", "none") else {"type": "function", "function": {"name": choice}}


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Strict where the schema is one that strict mode takes: elsewhere the server would refuse the request."""
    described = {"name": schema_name(schema), "schema": undeclared(schema), "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


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

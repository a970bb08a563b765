"""The body of a request to the Messages API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from langstream.services.ai.calls import arguments_object
from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.conversation import Conversation, Turn, present

THOUGHTS: Final = ("thinking", "redacted_thinking")
"""The types of blocks that the service wants back. Those of other services look otherwise."""

_OWN: Final = frozenset(("model", "messages", "stream"))
"""Members that `options` cannot set: they are the agent's."""


def messages_body(
    model: str, conversation: Conversation, options: CompletionOptions, max_tokens: int, *, stream: bool
) -> dict[str, Any]:
    """Members that the agent has options for go before those of `options`; `system` and `metadata` too."""
    extra = {name: value for name, value in options.extra.items() if name not in _OWN}
    known = present(
        {
            "max_tokens": options.max_tokens,
            "system": "\n\n".join(conversation.instructions) or None,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "stop_sequences": list(options.stop) if options.stop is not None else None,
            "metadata": {"user_id": options.user} if options.user is not None else None,
        }
    )
    messages = [{"role": turn.speaker, "content": _content(turn)} for turn in conversation.turns]
    body = {"model": model, "max_tokens": max_tokens, **extra, **known, "messages": messages, "stream": stream}
    return body | _tools(options)


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    """Text, or blocks where tools are called or have answered."""
    if turn.plain:
        return "\n\n".join(turn.texts)
    return [block for message in turn.messages for block in _blocks(message)]


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    """The service wants thoughts first, exactly as it gave them, and no blank texts."""
    if message.tool_call is not None:
        result = {"type": "tool_result", "tool_use_id": message.tool_call.id, "content": message.content}
        yield {**result, "is_error": True} if message.failed else result
        return
    yield from (dict(thought) for thought in message.thoughts if thought.get("type") in THOUGHTS)
    if message.content.strip():
        yield {"type": "text", "text": message.content}
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call)}


def _tools(options: CompletionOptions) -> dict[str, Any]:
    if not options.tools:
        return {}
    further = options.extra.get("tools")
    declared = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in options.tools
    ]
    tools = {"tools": [*declared, *(further if isinstance(further, list) else ())]}
    if options.tool_choice is None:
        return tools
    kind = {"auto": "auto", "required": "any", "none": "none"}.get(options.tool_choice)
    return {**tools, "tool_choice": {"type": kind} if kind else {"type": "tool", "name": options.tool_choice}}

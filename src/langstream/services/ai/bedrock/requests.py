"""The body of a request to Converse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from langstream.services.ai.calls import arguments_object
from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.conversation import Conversation, Turn, present

_TOP: Final = frozenset(
    (
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "outputConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
        "toolConfig",
    )
)
"""Members of requests that are not for the model."""

_OWN: Final = frozenset(("messages", "modelId", "system"))


def converse_body(conversation: Conversation, options: CompletionOptions) -> dict[str, Any]:
    """The agent's `options` are members of the request where it knows them, else `additionalModelRequestFields`."""
    extra = options.extra
    body: dict[str, Any] = {name: value for name, value in extra.items() if name in _TOP}
    body["messages"] = [{"role": turn.speaker, "content": _content(turn)} for turn in conversation.turns]
    if options.tools:
        body["toolConfig"] = _tool_config(options)
    if conversation.instructions:
        body["system"] = _texts(conversation.instructions)
    if inference := {**_mapping(extra.get("inferenceConfig")), **_tuning(options)}:
        body["inferenceConfig"] = inference
    known = _TOP | _OWN | {"inferenceConfig", "additionalModelRequestFields"}
    loose = {name: value for name, value in extra.items() if name not in known}
    if fields := {**_mapping(extra.get("additionalModelRequestFields")), **loose}:
        body["additionalModelRequestFields"] = fields
    return body


def can_force_tools(model: str) -> bool:
    """Whether the model can be told that it must call a tool; the others refuse such requests."""
    return any(name in model for name in ("anthropic.claude", "amazon.nova", "mistral.mistral-large"))


def _tool_config(options: CompletionOptions) -> dict[str, Any]:
    """Beside the tools that the agent's `options` have. There is no way of forbidding calls but to offer none."""
    given = _mapping(options.extra.get("toolConfig"))
    declared = [
        {"toolSpec": {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.parameters}}}
        for tool in options.tools
    ]
    config = {**given, "tools": [*declared, *(given.get("tools") or ())]}
    match options.tool_choice:
        case None | "none":
            return config
        case "auto" | "required":
            choice: dict[str, Any] = {"auto" if options.tool_choice == "auto" else "any": {}}
        case name:
            choice = {"tool": {"name": name}}
    return {**config, "toolChoice": choice}


def _content(turn: Turn) -> list[dict[str, Any]]:
    return [block for message in turn.messages for block in _blocks(message)]


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    """The service wants thoughts first, exactly as it gave them, and none of other services."""
    if message.tool_call is not None:
        result: dict[str, Any] = {"toolUseId": message.tool_call.id, "content": [{"text": message.content or "-"}]}
        yield {"toolResult": {**result, "status": "error"} if message.failed else result}
        return
    yield from (dict(thought) for thought in message.thoughts if "reasoningContent" in thought)
    if message.content.strip() or not message.tool_calls:
        yield {"text": message.content}
    for call in message.tool_calls:
        yield {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments_object(call)}}


def _tuning(options: CompletionOptions) -> dict[str, Any]:
    return present(
        {
            "maxTokens": options.max_tokens,
            "temperature": options.temperature,
            "topP": options.top_p,
            "stopSequences": list(options.stop) if options.stop is not None else None,
        }
    )


def _texts(texts: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

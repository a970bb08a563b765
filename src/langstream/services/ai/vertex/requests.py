"""The bodies of requests to Gemini: tuning goes to `generationConfig`, the rest to the top."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.calls import OWN, arguments_object
from langstream.services.ai.contract import CompletionOptions, Message, ToolCall
from langstream.services.ai.conversation import Turn, conversation_of, present
from langstream.services.ai.schemas import instructed, undeclared

_TOP: Final = frozenset(("cachedContent", "labels", "safetySettings", "systemInstruction", "toolConfig", "tools"))
"""Members of requests that are not part of `generationConfig`."""

_WITHOUT_SCHEMAS: Final = re.compile(r"gemini-(?:1|2\.0|pro)\b")
"""Models that know `responseMimeType`, but no JSON Schema."""

_OWN: Final = frozenset(("contents", "generationConfig", "model"))


def gemini_body(model: str, messages: Sequence[Message], options: CompletionOptions) -> dict[str, Any]:
    """The body for `generateContent`. Options of the agent go before members of its `options`.

    The schema of an answer is told in words to models that do not take one, or not together with tools.
    """
    native = not options.tools and not _WITHOUT_SCHEMAS.search(model)
    conversation = conversation_of(messages if native else instructed(messages, options))
    body: dict[str, Any] = {name: value for name, value in options.extra.items() if name in _TOP}
    if conversation.instructions:
        body["systemInstruction"] = {"parts": _parts(conversation.instructions)}
    body["contents"] = [
        {"role": "model" if turn.speaker == "assistant" else "user", "parts": _turn_parts(turn)}
        for turn in conversation.turns
    ]
    if options.tools:
        body |= _tools(options)
    generation = _generation(options, native=native)
    return {**body, "generationConfig": generation} if generation else body


def _turn_parts(turn: Turn) -> list[dict[str, Any]]:
    return [part for message in turn.messages for part in _message_parts(message)]


def _message_parts(message: Message) -> Iterator[dict[str, Any]]:
    if message.tool_call is not None:
        call = message.tool_call
        response = {"error" if message.failed else "result": message.content}
        yield {"functionResponse": {**_id(call), "name": call.name, "response": response}}
        return
    if message.content or not message.tool_calls:
        yield {"text": message.content}
    for call in message.tool_calls:
        part: dict[str, Any] = {"functionCall": {**_id(call), "name": call.name, "args": arguments_object(call)}}
        yield {**part, "thoughtSignature": call.signature} if call.signature else part


def _id(call: ToolCall) -> dict[str, str]:
    """The id of a call, if it was the service that gave it one."""
    return {} if call.id.startswith(OWN) else {"id": call.id}


def _tools(options: CompletionOptions) -> dict[str, Any]:
    further = options.extra.get("tools")
    declarations = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": undeclared(tool.parameters)}
        for tool in options.tools
    ]
    tools = {"tools": [{"functionDeclarations": declarations}, *(further if isinstance(further, list) else ())]}
    if options.tool_choice is None:
        return tools
    mode = {"auto": "AUTO", "required": "ANY", "none": "NONE"}.get(options.tool_choice)
    calling = {"mode": mode} if mode else {"mode": "ANY", "allowedFunctionNames": [options.tool_choice]}
    return {**tools, "toolConfig": {"functionCallingConfig": calling}}


def _schema(options: CompletionOptions, *, native: bool) -> dict[str, Any]:
    if options.response_schema is None or options.tools:
        return {}
    json = {"responseMimeType": "application/json"}
    return {**json, "responseJsonSchema": undeclared(options.response_schema)} if native else json


def _generation(options: CompletionOptions, *, native: bool) -> dict[str, Any]:
    nested = options.extra.get("generationConfig")
    loose = {name: value for name, value in options.extra.items() if name not in _TOP | _OWN}
    known = {
        "maxOutputTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": list(options.stop) if options.stop is not None else None,
        "presencePenalty": options.presence_penalty,
        "frequencyPenalty": options.frequency_penalty,
        "responseLogprobs": True if options.logprobs is not None else None,
        "logprobs": options.logprobs or None,
    }
    nested = nested if isinstance(nested, Mapping) else {}
    return {**loose, **nested, **present(known), **_schema(options, native=native)}


def _parts(texts: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]

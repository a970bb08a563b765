"""How every service words calls of tools: an answer that makes two, streamed or whole, and the request after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langstream.services.ai.contract import CompletionOptions, Message, Tool
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.service import OpenAIService
from tests.services.ai.anthropic import anthropic_server as anthropic
from tests.services.ai.bedrock import bedrock_server as bedrock
from tests.services.ai.fake_server import FakeServer
from tests.services.ai.huggingface.hugging_face_server import HuggingFaceServer
from tests.services.ai.ollama import ollama_server as ollama
from tests.services.ai.vertex import google_server as google

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORECAST = Tool("forecast", "Forecast the weather.", SCHEMA)
CLOCK = Tool("clock", "Tell the time.", {"type": "object", "properties": {}})
OPTIONS = CompletionOptions(tools=(FORECAST, CLOCK), tool_choice="auto")
QUESTION = Message("Weather?", "user")
ROME = '{"city":"Rome"}'
PIECES = ('{"ci', 'ty":"R', 'ome"}')


class OpenAIServer(FakeServer):
    name = "openai"

    def service(self, **options: Any) -> OpenAIService:
        configuration = {"access-key": "sk-test", "url": self.url, **options}
        return OpenAIService(OpenAIConfiguration.model_validate(configuration))


def openai_delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "a-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def openai_stream(server: Any) -> None:
    def piece(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
        return openai_delta({"tool_calls": [{"index": index, "function": function, **more}]})

    server.streams(
        openai_delta({"role": "assistant", "content": "Let me see."}),
        piece(0, "", id="call_1", type="function", name="forecast"),
        *(piece(0, text) for text in PIECES),
        piece(1, "", id="call_2", type="function", name="clock"),
        piece(1, "{}"),
        openai_delta({}, "tool_calls"),
        {"id": "a-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
        "[DONE]",
    )


def openai_whole(server: Any) -> None:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "forecast", "arguments": ROME}},
        {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
    ]
    message = {"role": "assistant", "content": "Let me see.", "tool_calls": calls}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    server.answers({"id": "a-1", "choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage})


def anthropic_stream(server: Any) -> None:
    def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": content},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    def use(index: int, name: str) -> dict[str, Any]:
        return {"type": "tool_use", "id": f"call_{index}", "name": name, "input": {}}

    server.says(
        anthropic.start(),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Ro"},
            {"type": "thinking_delta", "thinking": "me"},
            {"type": "signature_delta", "signature": "sig=="},
        ),
        anthropic.PING,
        *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let me see."}),
        *block(2, use(1, "forecast"), *({"type": "input_json_delta", "partial_json": text} for text in ("", *PIECES))),
        *block(3, use(2, "clock"), {"type": "input_json_delta", "partial_json": ""}),
        anthropic.end("tool_use"),
        anthropic.STOP,
    )


def anthropic_whole(server: Any) -> None:
    content = [
        {"type": "thinking", "thinking": "Rome", "signature": "sig=="},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "call_1", "name": "forecast", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "call_2", "name": "clock", "input": {}},
    ]
    usage = {"input_tokens": 7, "output_tokens": 3}
    server.answers({"id": "msg_1", "content": content, "stop_reason": "tool_use", "usage": usage})


def google_parts() -> list[dict[str, Any]]:
    call = {"name": "forecast", "args": {"city": "Rome"}, "id": "call_1"}
    return [
        {"text": "Hm", "thought": True},
        {"text": "Let me see."},
        {"functionCall": call, "thoughtSignature": "sig=="},
        {"functionCall": {"name": "clock", "args": {}, "id": "call_2"}},
    ]


def google_candidate(parts: Sequence[Any], **more: Any) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}, **more.pop("candidate", {})}
    return {"candidates": [candidate], "responseId": "r-1", **more}


def google_stream(server: Any) -> None:
    thought, text, first, second = google_parts()
    end = {"candidate": {"finishReason": "STOP"}, "usageMetadata": google.COUNTS}
    server.streams(
        google_candidate([thought]),
        google_candidate([text, first]),
        google_candidate([second]),
        google_candidate([], **end),
    )


def google_whole(server: Any) -> None:
    end = {"candidate": {"finishReason": "STOP"}, "usageMetadata": google.COUNTS}
    server.answers(google_candidate(google_parts(), **end))


def bedrock_stream(server: Any) -> None:
    def start(index: int, name: str) -> bytes:
        use = {"toolUseId": f"call_{index - 1}", "name": name}
        return bedrock.event("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": use}})

    def delta(index: int, content: dict[str, Any]) -> bytes:
        return bedrock.event("contentBlockDelta", {"contentBlockIndex": index, "delta": content})

    def stop(index: int) -> bytes:
        return bedrock.event("contentBlockStop", {"contentBlockIndex": index})

    server.frames(
        bedrock.event("messageStart", {"role": "assistant"}),
        delta(0, {"reasoningContent": {"text": "Ro"}}),
        delta(0, {"reasoningContent": {"text": "me"}}),
        delta(0, {"reasoningContent": {"signature": "sig=="}}),
        stop(0),
        delta(1, {"text": "Let me see."}),
        stop(1),
        start(2, "forecast"),
        *(delta(2, {"toolUse": {"input": text}}) for text in PIECES),
        stop(2),
        start(3, "clock"),
        stop(3),
        bedrock.event("messageStop", {"stopReason": "tool_use"}),
        bedrock.event("metadata", {"usage": bedrock.COUNTS}),
    )


def bedrock_whole(server: Any) -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Rome", "signature": "sig=="}}},
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "call_1", "name": "forecast", "input": {"city": "Rome"}}},
        {"toolUse": {"toolUseId": "call_2", "name": "clock", "input": {}}},
    ]
    message = {"role": "assistant", "content": content}
    server.answers({"output": {"message": message}, "stopReason": "tool_use", "usage": bedrock.COUNTS})


def ollama_calls(*calls: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]


def ollama_stream(server: Any) -> None:
    def line(**message: Any) -> dict[str, Any]:
        return {"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": False}

    server.lines(
        line(thinking="Ro"),
        line(thinking="me"),
        line(content="Let me see."),
        line(tool_calls=ollama_calls(("forecast", {"city": "Rome"}))),
        line(tool_calls=ollama_calls(("clock", {}))),
        ollama.message("", done=True, done_reason="stop", **ollama.COUNTS),
    )


def ollama_whole(server: Any) -> None:
    content = ollama.message("Let me see.", done=True, done_reason="stop", **ollama.COUNTS)
    content["message"] |= {
        "thinking": "Rome",
        "tool_calls": ollama_calls(("forecast", {"city": "Rome"}), ("clock", {})),
    }
    server.answers(content)


ANTHROPIC_THOUGHT = {"type": "thinking", "thinking": "Rome", "signature": "sig=="}
BEDROCK_THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Rome", "signature": "sig=="}}}


@dataclass(frozen=True)
class Protocol:
    """How one service says it. `ids`: it gives calls ids. `declared` and `told` are parts of the second request."""

    server: type[Any]
    stream: Any
    whole: Any
    thoughts: tuple[Any, ...]
    declared: dict[str, Any]
    told: list[Any]
    messages: str = "messages"
    ids: bool = True
    signature: str = ""


def _functions() -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in (FORECAST, CLOCK)
    ]


OPENAI_TOLD = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "forecast", "arguments": ROME}},
            {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "call_2", "content": "no clock"},
]

PROTOCOLS = [
    Protocol(
        OpenAIServer,
        openai_stream,
        openai_whole,
        (),
        {"tools": _functions(), "tool_choice": "auto"},
        OPENAI_TOLD,
    ),
    Protocol(
        HuggingFaceServer,
        openai_stream,
        openai_whole,
        (),
        {"tools": _functions(), "tool_choice": "auto"},
        OPENAI_TOLD,
    ),
    Protocol(
        anthropic.AnthropicServer,
        anthropic_stream,
        anthropic_whole,
        (ANTHROPIC_THOUGHT,),
        {
            "tools": [
                {"name": "forecast", "description": "Forecast the weather.", "input_schema": SCHEMA},
                {"name": "clock", "description": "Tell the time.", "input_schema": CLOCK.parameters},
            ],
            "tool_choice": {"type": "auto"},
        },
        [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    ANTHROPIC_THOUGHT,
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "call_1", "name": "forecast", "input": {"city": "Rome"}},
                    {"type": "tool_use", "id": "call_2", "name": "clock", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "no clock", "is_error": True},
                ],
            },
        ],
    ),
    Protocol(
        google.GoogleServer,
        google_stream,
        google_whole,
        (),
        {
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "forecast", "description": "Forecast the weather.", "parametersJsonSchema": SCHEMA},
                        {"name": "clock", "description": "Tell the time.", "parametersJsonSchema": CLOCK.parameters},
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
        [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Let me see."},
                    {
                        "functionCall": {"id": "call_1", "name": "forecast", "args": {"city": "Rome"}},
                        "thoughtSignature": "sig==",
                    },
                    {"functionCall": {"id": "call_2", "name": "clock", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_1", "name": "forecast", "response": {"result": "sunny"}}},
                    {"functionResponse": {"id": "call_2", "name": "clock", "response": {"error": "no clock"}}},
                ],
            },
        ],
        messages="contents",
        signature="sig==",
    ),
    Protocol(
        bedrock.BedrockServer,
        bedrock_stream,
        bedrock_whole,
        (BEDROCK_THOUGHT,),
        {
            "toolConfig": {
                "tools": [
                    {
                        "toolSpec": {
                            "name": tool.name,
                            "description": tool.description,
                            "inputSchema": {"json": tool.parameters},
                        }
                    }
                    for tool in (FORECAST, CLOCK)
                ],
                "toolChoice": {"auto": {}},
            }
        },
        [
            {"role": "user", "content": [{"text": "Weather?"}]},
            {
                "role": "assistant",
                "content": [
                    BEDROCK_THOUGHT,
                    {"text": "Let me see."},
                    {"toolUse": {"toolUseId": "call_1", "name": "forecast", "input": {"city": "Rome"}}},
                    {"toolUse": {"toolUseId": "call_2", "name": "clock", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "sunny"}]}},
                    {"toolResult": {"toolUseId": "call_2", "content": [{"text": "no clock"}], "status": "error"}},
                ],
            },
        ],
    ),
    Protocol(
        ollama.OllamaServer,
        ollama_stream,
        ollama_whole,
        ({"thinking": "Rome"},),
        {"tools": _functions()},
        [
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "thinking": "Rome",
                "tool_calls": ollama_calls(("forecast", {"city": "Rome"}), ("clock", {})),
            },
            {"role": "tool", "content": "sunny", "tool_name": "forecast"},
            {"role": "tool", "content": "no clock", "tool_name": "clock"},
        ],
        ids=False,
    ),
]

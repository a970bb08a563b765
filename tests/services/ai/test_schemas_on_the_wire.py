"""The schema of an answer in every protocol: natively, by a tool that must be called, or in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import orjson
import pytest

from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Tool
from langstream.services.ai.schemas import ANSWER_TOOL, answer_tool, instruction, is_strict, schema_name
from tests.services.ai.anthropic import anthropic_server as anthropic
from tests.services.ai.anthropic.anthropic_server import AnthropicServer
from tests.services.ai.bedrock import bedrock_server as bedrock
from tests.services.ai.bedrock.bedrock_server import BedrockServer
from tests.services.ai.huggingface.hugging_face_server import GenerationServer, HuggingFaceServer
from tests.services.ai.ollama.ollama_server import OllamaServer
from tests.services.ai.tool_protocols import OpenAIServer
from tests.services.ai.vertex.google_server import GoogleServer

SCHEMA: dict[str, Any] = {
    "title": "The weather!",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
STRICT = {**SCHEMA, "additionalProperties": False}
OPTIONS = CompletionOptions(response_schema=SCHEMA)
CLOCK = Tool("clock", "Tell the time.", {"type": "object", "properties": {}})
WITH_TOOLS = replace(OPTIONS, tools=(CLOCK,))
CLAUDE = "anthropic.claude-sonnet-4-5"
ANSWER = '{"city":"Rome"}'

Connect: TypeAlias = Callable[..., Awaitable[tuple[Any, AIService]]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Starts a server, and a service for it."""
    opened: list[Any] = []

    async def connect(server_type: type[Any], **options: Any) -> tuple[Any, AIService]:
        server = server_type()
        await server.start()
        opened.append(server)
        service: AIService = server.service(**options)
        await service.start()
        opened.append(service)
        return server, service

    yield connect
    for thing in reversed(opened):
        await thing.close()


async def ask(
    service: AIService, options: CompletionOptions = OPTIONS, *, model: str = "m", stream: bool = False
) -> list[Chunk]:
    messages = [Message("Be brief.", "system"), Message("Where?", "user")]
    return [chunk async for chunk in service.chat(model, messages, options, stream=stream)]


async def body_of(server: Any, service: AIService, options: CompletionOptions = OPTIONS, model: str = "m") -> Any:
    """The body of the request for an answer."""
    if isinstance(server, OpenAIServer):
        server.answers({"choices": [{"message": {"content": ANSWER}}]})
    else:
        server.whole(ANSWER)
    (chunk,) = await ask(service, options, model=model)
    assert chunk.text == ANSWER
    return server.requests[-1]["body"]


def is_told(body: Any) -> bool:
    """Whether the schema stands in the request in words."""
    return instruction(SCHEMA).splitlines()[0] in orjson.dumps(body).decode()


@pytest.mark.parametrize(("schema", "strict"), [(SCHEMA, False), (STRICT, True)])
@pytest.mark.parametrize("server_type", [OpenAIServer, HuggingFaceServer])
async def test_openai_and_hugging_face_have_a_response_format(
    connect: Connect, server_type: Any, schema: dict[str, Any], strict: bool
) -> None:
    server, service = await connect(server_type)
    body = await body_of(server, service, CompletionOptions(response_schema=schema))
    described = {"name": "The_weather", "schema": schema, "strict": strict}
    assert body["response_format"] == {"type": "json_schema", "json_schema": described}
    assert not is_told(body)


@pytest.mark.parametrize(
    ("options", "native"),
    [
        ({"provider": "azure"}, False),
        ({"provider": "azure", "api-version": "2024-10-21"}, True),
        ({"json-schemas": False}, False),
        ({"provider": "azure", "json-schemas": True}, True),
    ],
)
async def test_servers_that_know_no_schemas_are_told_in_words(
    connect: Connect, options: dict[str, Any], native: bool
) -> None:
    server, service = await connect(OpenAIServer, **options)
    body = await body_of(server, service)
    assert ("response_format" in body, is_told(body)) == (native, not native)
    if not native:
        assert body["messages"][0]["content"].startswith("Be brief.\n\nAnswer with one JSON value")


async def test_texts_of_openai_are_continued_by_instruction(connect: Connect) -> None:
    server, service = await connect(OpenAIServer)
    server.answers({"choices": [{"text": ANSWER}]})
    (chunk,) = [chunk async for chunk in service.complete("m", ["one", "two"], OPTIONS, stream=False)]
    first, second = server.requests[0]["body"]["prompt"]
    assert (chunk.text, first) == (ANSWER, "one")
    assert second.startswith("two\n\nAnswer with one JSON value")


async def test_text_generation_of_hugging_face_has_a_grammar(connect: Connect) -> None:
    server, service = await connect(GenerationServer)
    server.whole(ANSWER)
    _ = [chunk async for chunk in service.complete("m", ["two"], OPTIONS, stream=False)]
    assert server.requests[0]["body"]["parameters"]["grammar"] == {"type": "json", "value": SCHEMA}


async def test_ollama_has_a_format_which_would_keep_models_from_calling_tools(connect: Connect) -> None:
    server, service = await connect(OllamaServer)
    declared = {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMA}
    assert (await body_of(server, service, CompletionOptions(response_schema=declared)))["format"] == SCHEMA
    body = await body_of(server, service, WITH_TOOLS)
    assert "format" not in body
    assert is_told(body)


@pytest.mark.parametrize(
    ("model", "options", "native"),
    [
        ("gemini-2.5-flash", OPTIONS, True),
        ("endpoints/123", OPTIONS, True),
        ("gemini-2.0-flash", OPTIONS, False),
        ("gemini-1.5-pro", OPTIONS, False),
        ("gemini-2.5-flash", WITH_TOOLS, False),
    ],
)
async def test_gemini_has_a_json_schema_if_the_model_knows_it_and_calls_no_tools(
    connect: Connect, model: str, options: CompletionOptions, native: bool
) -> None:
    server, service = await connect(GoogleServer)
    body = await body_of(server, service, options, model)
    generation = body.get("generationConfig", {})
    assert generation.get("responseJsonSchema") == (SCHEMA if native else None)
    assert generation.get("responseMimeType") == (None if options.tools else "application/json")
    assert is_told(body) is not native


def anthropic_call(name: str, *pieces: str) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": 0, "content_block": use},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]


async def test_claude_answers_by_the_arguments_of_a_tool_streamed_as_text(connect: Connect) -> None:
    server, service = await connect(AnthropicServer)
    server.says(
        anthropic.start(),
        *anthropic_call(ANSWER_TOOL, '{"city"', ':"Rome"}'),
        anthropic.end("tool_use"),
        anthropic.STOP,
    )
    *others, last = await ask(service, stream=True)
    assert [chunk.text for chunk in others] == ['{"city"', ':"Rome"}']
    assert (last.tool_calls, last.finish) == ((), "stop")
    body = server.requests[0]["body"]
    (tool,) = body["tools"]
    assert (tool["name"], tool["input_schema"]) == (ANSWER_TOOL, SCHEMA)
    assert body["tool_choice"] == {"type": "tool", "name": ANSWER_TOOL}
    assert not is_told(body)


async def test_claude_answers_by_it_whole_and_among_other_tools(connect: Connect) -> None:
    server, service = await connect(AnthropicServer)
    use = {"type": "tool_use", "id": "t1", "name": ANSWER_TOOL, "input": {"city": "Rome"}}
    server.answers({"id": "m", "content": [use], "stop_reason": "tool_use", "usage": {}})
    (chunk,) = await ask(service, WITH_TOOLS)
    assert (chunk.text, chunk.tool_calls, chunk.finish) == (ANSWER, (), "stop")
    body = server.requests[0]["body"]
    assert [tool["name"] for tool in body["tools"]] == ["clock", ANSWER_TOOL]
    assert body["tool_choice"] == {"type": "any"}


async def test_claude_may_call_other_tools_first(connect: Connect) -> None:
    server, service = await connect(AnthropicServer)
    server.says(anthropic.start(), *anthropic_call("clock", "{}"), anthropic.end("tool_use"), anthropic.STOP)
    *_, last = await ask(service, WITH_TOOLS, stream=True)
    assert [call.name for call in last.tool_calls] == ["clock"]
    assert last.finish == "tool-calls"


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, extra={"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        replace(OPTIONS, response_schema={**SCHEMA, "type": "array"}),
    ],
)
async def test_claude_is_told_in_words_where_no_tool_can_be_forced(
    connect: Connect, options: CompletionOptions
) -> None:
    server, service = await connect(AnthropicServer)
    body = await body_of(server, service, options)
    assert is_told(body)
    assert "tools" not in body


async def test_converse_answers_by_the_arguments_of_a_tool_streamed_as_text(connect: Connect) -> None:
    server, service = await connect(BedrockServer)
    use = {"toolUse": {"toolUseId": "t1", "name": ANSWER_TOOL}}
    server.frames(
        bedrock.event("contentBlockStart", {"contentBlockIndex": 0, "start": use}),
        *(
            bedrock.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": piece}}})
            for piece in ('{"city"', ':"Rome"}')
        ),
        bedrock.event("contentBlockStop", {"contentBlockIndex": 0}),
        bedrock.event("messageStop", {"stopReason": "tool_use"}),
    )
    *others, last = await ask(service, model=CLAUDE, stream=True)
    assert [chunk.text for chunk in others] == ['{"city"', ':"Rome"}']
    assert (last.tool_calls, last.finish) == ((), "stop")
    config = server.requests[0]["body"]["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": ANSWER_TOOL}}
    assert config["tools"][0]["toolSpec"]["inputSchema"] == {"json": SCHEMA}


async def test_models_of_bedrock_that_cannot_be_forced_are_told_in_words(connect: Connect) -> None:
    server, service = await connect(BedrockServer)
    body = await body_of(server, service, model="meta.llama3-1-70b-instruct-v1:0")
    assert is_told(body)
    assert "toolConfig" not in body


def test_strict_mode_takes_closed_objects_only() -> None:
    assert is_strict(STRICT)
    assert not is_strict(SCHEMA)
    assert not is_strict({**STRICT, "required": []})
    assert not is_strict({"type": "array", "items": STRICT})
    assert is_strict({**STRICT, "properties": {"city": {"type": "array", "items": STRICT}}})
    assert not is_strict({**STRICT, "properties": {"city": {"type": "array", "items": SCHEMA}}})
    assert not is_strict({**STRICT, "properties": {"city": {"oneOf": [STRICT]}}})
    assert not is_strict({**STRICT, "$defs": {"other": SCHEMA}})


def test_schemas_have_names_of_plain_characters() -> None:
    assert schema_name(SCHEMA) == "The_weather"
    assert schema_name({}) == schema_name({"title": "!"}) == "answer"
    assert len(schema_name({"title": "x" * 200})) == 64


def test_only_objects_can_be_arguments() -> None:
    assert answer_tool({"type": "array"}) is None
    tool = answer_tool({"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMA})
    assert tool is not None
    assert tool.parameters == SCHEMA

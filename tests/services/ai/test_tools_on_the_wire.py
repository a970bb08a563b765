"""Calls of tools in the real format of every protocol: streamed in pieces, whole, and sent back with their results."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.calls import OWN
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, ToolCall, Usage
from tests.services.ai.tool_protocols import (
    OPTIONS,
    PROTOCOLS,
    QUESTION,
    OpenAIServer,
    Protocol,
    google_candidate,
    openai_delta,
)
from tests.services.ai.vertex import google_server as google


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.server.name)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each protocol in turn."""
    found: Protocol = request.param
    return found


@pytest.fixture
async def server(protocol: Protocol) -> AsyncIterator[Any]:
    """Its server, running."""
    server = protocol.server()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: Any) -> AsyncIterator[AIService]:
    """A service for it."""
    service: AIService = server.service()
    await service.start()
    yield service
    await service.close()


async def chat(service: AIService, *messages: Message, stream: bool = True, options: Any = OPTIONS) -> list[Chunk]:
    asked = messages or (QUESTION,)
    return [chunk async for chunk in service.chat("model-1", asked, options, stream=stream)]


@pytest.mark.parametrize("stream", [True, False])
async def test_calls_are_put_together_and_come_with_the_last_piece(
    protocol: Protocol, server: Any, service: AIService, stream: bool
) -> None:
    (protocol.stream if stream else protocol.whole)(server)
    *others, last = await chat(service, stream=stream)
    assert "".join(chunk.text for chunk in (*others, last)) == "Let me see."
    assert all(not chunk.tool_calls for chunk in others)
    first, second = last.tool_calls
    assert (first.name, json.loads(first.arguments), first.signature) == (
        "forecast",
        {"city": "Rome"},
        protocol.signature,
    )
    assert (second.name, json.loads(second.arguments), second.signature) == ("clock", {}, "")
    assert last.finish == "tool-calls"
    assert last.thoughts == protocol.thoughts
    if protocol.ids:
        assert (first.id, second.id) == ("call_1", "call_2")
    else:
        assert first.id.startswith(OWN)
        assert first.id != second.id
    if server.name != "openai" or not stream:
        assert last.usage == Usage(7, 3)


async def test_a_stream_of_calls_cut_into_single_bytes_is_the_same(
    protocol: Protocol, server: Any, service: AIService
) -> None:
    protocol.stream(server)
    server.replies[0].pieces = [bytes([byte]) for piece in server.replies[0].pieces for byte in piece]
    *_, last = await chat(service)
    assert [(call.name, json.loads(call.arguments)) for call in last.tool_calls] == [
        ("forecast", {"city": "Rome"}),
        ("clock", {}),
    ]


async def test_calls_go_back_with_their_results(protocol: Protocol, server: Any, service: AIService) -> None:
    protocol.stream(server)
    *_, last = await chat(service)
    server.replies.clear()
    protocol.whole(server)
    first, second = last.tool_calls
    await chat(
        service,
        QUESTION,
        Message("Let me see.", "assistant", last.tool_calls, tuple(last.thoughts)),
        Message("sunny", "tool", tool_call=first),
        Message("no clock", "tool", tool_call=second, failed=True),
        stream=False,
    )
    body = server.requests[1]["body"]
    assert {name: body.get(name) for name in protocol.declared} == protocol.declared
    assert body[protocol.messages] == protocol.told


async def test_thoughts_of_other_services_are_not_sent(protocol: Protocol, server: Any, service: AIService) -> None:
    protocol.whole(server)
    others = [thought for other in PROTOCOLS for thought in other.thoughts if thought not in protocol.thoughts]
    call = ToolCall("call_1", "clock", "{}")
    said = Message("", "assistant", (call,), tuple(others))
    await chat(service, QUESTION, said, Message("noon", "tool", tool_call=call), stream=False)
    assert "sig==" not in json.dumps(server.requests[0]["body"])
    assert "thinking" not in json.dumps(server.requests[0]["body"])


@pytest.mark.parametrize("choice", ["required", "none", "clock", None])
async def test_a_choice_of_tools_is_asked_for(
    protocol: Protocol, server: Any, service: AIService, choice: str | None
) -> None:
    protocol.whole(server)
    await chat(service, stream=False, options=replace(OPTIONS, tool_choice=choice))
    body = server.requests[0]["body"]
    wanted: dict[str, dict[str | None, Any]] = {
        "openai": {
            "required": "required",
            "none": "none",
            "clock": {"type": "function", "function": {"name": "clock"}},
        },
        "anthropic": {
            "required": {"type": "any"},
            "none": {"type": "none"},
            "clock": {"type": "tool", "name": "clock"},
        },
        "vertex": {
            "required": {"functionCallingConfig": {"mode": "ANY"}},
            "none": {"functionCallingConfig": {"mode": "NONE"}},
            "clock": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}},
        },
        "bedrock": {"required": {"any": {}}, "clock": {"tool": {"name": "clock"}}},
        "ollama": {},
    }
    wanted["hugging-face"] = wanted["openai"]
    members = {"vertex": body.get("toolConfig"), "bedrock": body.get("toolConfig", {}).get("toolChoice")}
    assert members.get(server.name, body.get("tool_choice")) == wanted[server.name].get(choice)


async def test_a_stream_that_breaks_off_in_a_call_is_a_passing_failure(
    protocol: Protocol, server: Any, service: AIService
) -> None:
    protocol.stream(server)
    reply = server.replies[0]
    reply.pieces, reply.cut = reply.pieces[:-3], True
    with pytest.raises(ServiceError) as caught:
        await chat(service)
    assert caught.value.category == "transient"


async def test_without_tools_nothing_about_them_is_sent(protocol: Protocol, server: Any, service: AIService) -> None:
    protocol.whole(server)
    await chat(service, stream=False, options=CompletionOptions())
    assert not {"tools", "tool_choice", "toolConfig"} & set(server.requests[0]["body"])


async def test_calls_without_ids_or_with_repeated_indexes_are_kept_apart() -> None:
    server = OpenAIServer()
    await server.start()
    calls = [{"index": 0, "id": name, "function": {"name": name, "arguments": "{}"}} for name in ("one", "two")]
    bare = {"function": {"name": "three", "arguments": {"a": 1}}}
    server.streams(*(openai_delta({"tool_calls": [call]}) for call in calls), openai_delta({}, "tool_calls"), "[DONE]")
    server.answers({"choices": [{"message": {"content": None, "tool_calls": [bare, bare]}}]})
    service = server.service()
    await service.start()
    *_, last = await chat(service)
    assert [call.name for call in last.tool_calls] == ["one", "two"]
    (whole,) = await chat(service, stream=False)
    assert [(call.name, call.arguments) for call in whole.tool_calls] == [("three", '{"a":1}')] * 2
    await service.close()
    await server.close()


async def test_a_call_that_google_cannot_read_itself_is_malformed() -> None:
    server = google.GoogleServer()
    await server.start()
    server.answers(google_candidate([], candidate={"finishReason": "MALFORMED_FUNCTION_CALL"}))
    service = server.service()
    await service.start()
    with pytest.raises(ServiceError, match="MALFORMED_FUNCTION_CALL") as caught:
        await chat(service, stream=False)
    assert caught.value.category == "malformed"
    with pytest.raises(ServiceError, match="cannot call tools"):
        service.chat("chat-bison", [QUESTION], OPTIONS, stream=False)
    await service.close()
    await server.close()


async def test_ids_made_here_do_not_reach_google() -> None:
    server = google.GoogleServer()
    await server.start()
    server.whole("fine")
    service = server.service()
    await service.start()
    call = ToolCall(f"{OWN}1", "clock", "{}")
    await chat(
        service, QUESTION, Message("", "assistant", (call,)), Message("noon", "tool", tool_call=call), stream=False
    )
    _, said, told = server.requests[0]["body"]["contents"]
    assert said["parts"] == [{"functionCall": {"name": "clock", "args": {}}}]
    assert told["parts"] == [{"functionResponse": {"name": "clock", "response": {"result": "noon"}}}]
    await service.close()
    await server.close()

"""Anthropic: what is sent, and what its events mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.anthropic.service import AnthropicService
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from tests.services.ai.anthropic.anthropic_server import (
    BLOCK,
    BLOCK_END,
    KEY,
    STOP,
    AnthropicServer,
    delta,
    end,
    start,
)

NONE = CompletionOptions()


@pytest.fixture
async def server() -> AsyncIterator[AnthropicServer]:
    server = AnthropicServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: AnthropicServer) -> AsyncIterator[AnthropicService]:
    options: dict[str, Any] = {"max-attempts": 1, "beta": ["one", "two"]}
    service = server.service(None, **options)
    await service.start()
    yield service
    await service.close()


async def chat(
    service: AIService, *messages: Message, options: CompletionOptions = NONE, stream: bool = True
) -> list[Chunk]:
    asked = messages or (Message("hi", "user"),)
    return [chunk async for chunk in service.chat("claude", asked, options, stream=stream)]


async def failure(service: AIService, *, stream: bool = True) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await chat(service, stream=stream)
    return caught.value


async def test_a_request_on_the_wire(server: AnthropicServer, service: AnthropicService) -> None:
    server.chat("yes")
    await chat(
        service,
        Message("be brief", "system"),
        Message("hi", "user"),
        Message("hello", "assistant"),
        Message("and", None),
        Message("now?", "user"),
        Message("no jokes", "system"),
    )
    (request,) = server.requests
    assert request["path"] == "/v1/messages"
    assert request["headers"]["x-api-key"] == KEY
    assert request["headers"]["anthropic-version"] == "2023-06-01"
    assert request["headers"]["anthropic-beta"] == "one,two"
    assert "authorization" not in request["headers"]
    assert request["body"] == {
        "model": "claude",
        "max_tokens": 4096,
        "system": "be brief\n\nno jokes",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": "and\n\nnow?"},
        ],
        "stream": True,
    }


async def test_instructions_alone_are_a_question(server: AnthropicServer, service: AnthropicService) -> None:
    server.chat("yes")
    await chat(service, Message("say yes", "system"))
    body = server.requests[0]["body"]
    assert body["messages"] == [{"role": "user", "content": "say yes"}]
    assert "system" not in body


async def test_options_are_sent(server: AnthropicServer, service: AnthropicService) -> None:
    server.chat("yes")
    options = CompletionOptions(
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        stop=["END"],
        user="u",
        logit_bias={"1": 2},
        extra={"top_k": 5, "thinking": {"type": "disabled"}, "max_tokens": 1, "model": "other", "stream": False},
    )
    await chat(service, options=options)
    assert server.requests[0]["body"] == {
        "model": "claude",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "top_k": 5,
        "thinking": {"type": "disabled"},
        "stream": True,
    }


async def test_a_text_completion_is_a_chat_of_one_message(server: AnthropicServer, service: AnthropicService) -> None:
    server.chat("yes")
    assert [chunk.text async for chunk in service.complete("claude", ["a", "b"], NONE, stream=True)] == ["yes", ""]
    assert server.requests[0]["body"]["messages"] == [{"role": "user", "content": "a\nb"}]


async def test_thoughts_and_tools_are_no_text(server: AnthropicServer, service: AnthropicService) -> None:
    server.says(
        start(),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
        BLOCK_END,
        BLOCK,
        delta("yes", 1),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "something_new"},
        end(),
        STOP,
    )
    assert [chunk.text for chunk in await chat(service)] == ["yes", ""]


async def test_cached_tokens_belong_to_the_prompt(server: AnthropicServer, service: AnthropicService) -> None:
    server.says(
        start(cache_creation_input_tokens=100, cache_read_input_tokens=20),
        BLOCK,
        delta("x"),
        end(output_tokens=9),
        STOP,
    )
    assert (await chat(service))[-1].usage == Usage(127, 9)


async def test_a_whole_answer_joins_its_blocks(server: AnthropicServer, service: AnthropicService) -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    server.answers({"id": "msg_2", "content": content, "stop_reason": "max_tokens"})
    assert await chat(service, stream=False) == [Chunk("ab", "msg_2", last=True, finish="length")]


async def test_a_stream_without_its_end_is_a_failure(server: AnthropicServer, service: AnthropicService) -> None:
    server.says(start(), BLOCK, delta("x"))
    error = await failure(service)
    assert error.category == "transient"
    assert "before the end" in str(error)


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("overloaded_error", "transient"),
        ("api_error", "transient"),
        ("rate_limit_error", "rate-limited"),
        ("invalid_request_error", "refused"),
        ("authentication_error", "authentication"),
    ],
)
async def test_errors_in_the_stream_are_told_apart(
    server: AnthropicServer, service: AnthropicService, kind: str, category: str
) -> None:
    server.says(start(), BLOCK, delta("x"), {"type": "error", "error": {"type": kind, "message": "the words"}})
    error = await failure(service)
    assert error.category == category
    assert "the words" in str(error)


@pytest.mark.parametrize(
    ("status", "words", "category"),
    [
        (529, "Overloaded", "transient"),
        (413, "Request exceeds the maximum size", "too-long"),
        (400, "prompt is too long: 208310 tokens > 200000 maximum", "too-long"),
        (400, "Your credit balance is too low to access the API", "refused"),
    ],
)
async def test_refusals_are_told_apart(
    server: AnthropicServer, service: AnthropicService, status: int, words: str, category: str
) -> None:
    server.refuse(status, words)
    assert (await failure(service)).category == category


async def test_the_reset_of_a_limit_that_is_used_up_is_respected(
    server: AnthropicServer, service: AnthropicService
) -> None:
    moment = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": moment,
        "anthropic-ratelimit-requests-remaining": "10",
        "anthropic-ratelimit-requests-reset": "2099-01-01T00:00:00Z",
    }
    server.refuse(429, "slow down", headers=headers)
    wait = (await failure(service)).retry_after_seconds
    assert wait is not None
    assert 3000 < wait <= 3600


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_withheld_is_a_failure(
    server: AnthropicServer, service: AnthropicService, stream: bool
) -> None:
    if stream:
        server.chat(finish="refusal")
    else:
        server.answers({"id": "m", "content": [], "stop_reason": "refusal"})
    assert (await failure(service, stream=stream)).category == "content-filtered"


async def test_an_answer_that_was_cut_is_kept(server: AnthropicServer, service: AnthropicService) -> None:
    server.chat("so far", finish="refusal")
    assert "".join(chunk.text for chunk in await chat(service)) == "so far"


@pytest.mark.parametrize("event", [b"data: {oops\n\n", b"data: []\n\n", delta(5)])  # type: ignore[arg-type]
async def test_events_that_make_no_sense_are_malformed(
    server: AnthropicServer, service: AnthropicService, event: Any
) -> None:
    server.says(start(), event)
    assert (await failure(service)).category == "malformed"


async def test_there_are_no_embeddings(service: AnthropicService) -> None:
    with pytest.raises(ServiceError, match="no embeddings"):
        await service.embed("m", ["x"], {})

"""The OpenAI service against a server: what is sent, what comes back, streamed and whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import pytest

from langstream.errors import ServiceError
from langstream.services.ai import stream as stream_module
from langstream.services.ai.contract import Chunk, CompletionOptions, Message, Usage
from langstream.services.ai.openai import service as service_module
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.service import OpenAIService

Server: TypeAlias = Any
Connect: TypeAlias = Callable[..., Any]
NONE = CompletionOptions()


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    """Makes started services for the server."""
    made: list[OpenAIService] = []

    async def connect(**options: Any) -> OpenAIService:
        named = {name.replace("_", "-"): value for name, value in options.items()}
        configuration = {"access-key": "sk-test", "url": server.url, **named}
        service = OpenAIService(OpenAIConfiguration.model_validate(configuration))
        made.append(service)
        await service.start()
        return service

    yield connect
    for service in made:
        await service.close()


async def chat(service: OpenAIService, *, stream: bool = True, options: CompletionOptions = NONE) -> list[Chunk]:
    return [chunk async for chunk in service.chat("m", [Message("hi", "user")], options, stream=stream)]


async def text(service: OpenAIService, *, stream: bool = True) -> list[Chunk]:
    return [chunk async for chunk in service.complete("m", ["hi"], NONE, stream=stream)]


def choice(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "t-1", "choices": [{"index": 0, "text": text, "finish_reason": finish, **more}]}


async def test_a_chat_request_on_the_wire(server: Server, connect: Connect) -> None:
    server.chat("yes")
    await chat(await connect())
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer sk-test"
    assert request["body"] == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


async def test_an_azure_request_on_the_wire(server: Server, connect: Connect) -> None:
    server.chat("yes")
    await chat(await connect(provider="azure"))
    (request,) = server.requests
    assert request["path"] == "/openai/deployments/m/chat/completions"
    assert request["query"] == {"api-version": "2023-08-01-preview"}
    assert request["headers"]["api-key"] == "sk-test"
    assert "authorization" not in request["headers"]
    assert request["body"] == {"messages": [{"role": "user", "content": "hi"}], "stream": True}


async def test_options_are_sent_and_absent_ones_are_not(server: Server, connect: Connect) -> None:
    server.chat("yes")
    options = CompletionOptions(
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        logit_bias={"50256": -100},
        user="u",
        stop=["END"],
        presence_penalty=0.1,
        frequency_penalty=0.2,
        extra={"seed": 7, "max_tokens": 1, "messages": [], "model": "other", "stream": False},
    )
    await chat(await connect(), options=options)
    assert server.requests[0]["body"] == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.25,
        "logit_bias": {"50256": -100},
        "user": "u",
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "seed": 7,
        "stream": True,
    }


async def test_streamed_pieces_come_one_by_one_and_the_last_is_marked(server: Server, connect: Connect) -> None:
    server.chat("one", " two")
    assert await chat(await connect()) == [
        Chunk("one", "answer-1"),
        Chunk(" two", "answer-1"),
        Chunk("", "answer-1", last=True, finish="stop"),
    ]


async def test_the_text_beside_the_end_marker_counts(server: Server, connect: Connect) -> None:
    end = {"id": "a", "choices": [{"delta": {"content": " two"}, "finish_reason": "length"}]}
    server.streams({"id": "a", "choices": [{"delta": {"content": "one"}}]}, end, "[DONE]")
    assert await chat(await connect()) == [Chunk("one", "a"), Chunk(" two", "a", last=True, finish="length")]


async def test_usage_arrives_with_the_last_piece(server: Server, connect: Connect) -> None:
    usage = {"id": "answer-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    end = {"id": "answer-1", "choices": [{"delta": {}, "finish_reason": "stop"}]}
    server.streams({"id": "answer-1", "choices": [{"delta": {"content": "x"}}]}, end, usage, "[DONE]")
    *_, last = await chat(await connect(stream_usage=True))
    assert last == Chunk("", "answer-1", last=True, usage=Usage(3, 1), finish="stop")
    assert server.requests[0]["body"]["stream_options"] == {"include_usage": True}


async def test_a_stream_without_an_end_marker_ends_all_the_same(server: Server, connect: Connect) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]})
    assert await chat(await connect()) == [Chunk("x", "a"), Chunk("", "a", last=True)]


async def test_a_stream_kept_open_after_its_end_marker_ends(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "GRACE_SECONDS", 0.05)
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}, hang=True)
    assert await chat(await connect()) == [Chunk("x", "a", last=True, finish="stop")]


async def test_other_choices_are_left_out(server: Server, connect: Connect) -> None:
    other = {"id": "a", "choices": [{"index": 1, "delta": {"content": "no"}}]}
    server.streams(other, {"id": "a", "choices": [{"index": 0, "delta": {"content": "yes"}}]}, "[DONE]")
    assert "".join(chunk.text for chunk in await chat(await connect())) == "yes"


async def test_a_server_that_does_not_stream_answers_in_one_piece(server: Server, connect: Connect) -> None:
    server.answers({"id": "a", "choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})
    assert await chat(await connect()) == [Chunk("whole", "a", last=True, finish="stop")]


async def test_without_streaming_the_answer_is_one_piece_with_its_usage(server: Server, connect: Connect) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    server.answers({"id": "a", "choices": [{"message": {"content": "\n\nwhole"}}], "usage": usage})
    assert await chat(await connect(), stream=False) == [Chunk("\n\nwhole", "a", last=True, usage=Usage(3, 2))]
    assert server.requests[0]["body"]["stream"] is False


async def test_an_empty_answer_is_an_answer(server: Server, connect: Connect) -> None:
    server.answers({"id": "a", "choices": [{"message": {"content": None}, "finish_reason": "stop"}]})
    assert await chat(await connect(), stream=False) == [Chunk("", "a", last=True, finish="stop")]


async def test_a_blank_first_piece_of_text_is_left_out_with_its_log_probabilities(
    server: Server, connect: Connect
) -> None:
    def probability(token: str, value: float) -> dict[str, Any]:
        return {"logprobs": {"tokens": [token], "token_logprobs": [value]}}

    server.streams(
        choice("\n\n", **probability("\n\n", -9)), choice("T1", **probability("T1", -1)), choice(""), choice("", "stop")
    )
    assert await text(await connect()) == [
        Chunk("T1", "t-1", tokens=("T1",), logprobs=(-1.0,)),
        Chunk("", "t-1"),
        Chunk("", "t-1", last=True, finish="stop"),
    ]


async def test_two_end_markers_make_one_last_piece(server: Server, connect: Connect) -> None:
    server.streams(choice("T1"), choice(" T2", "length"), choice("", "length"), "[DONE]")
    assert await text(await connect()) == [Chunk("T1", "t-1"), Chunk(" T2", "t-1", last=True, finish="length")]


async def test_a_blank_only_piece_with_the_end_marker_completes(server: Server, connect: Connect) -> None:
    server.streams(choice("\n", "stop"), "[DONE]")
    assert await text(await connect()) == [Chunk("", "t-1", last=True, finish="stop")]


async def test_a_text_request_on_the_wire(server: Server, connect: Connect) -> None:
    server.streams(choice("x", "stop"))
    service = await connect()
    options = CompletionOptions(logprobs=5)
    async with aclosing(service.complete("m", ["a", "b"], options, stream=True)) as chunks:
        assert [chunk.text async for chunk in chunks] == ["x"]
    assert server.requests[0]["path"] == "/v1/completions"
    assert server.requests[0]["body"] == {"model": "m", "prompt": ["a", "b"], "logprobs": 5, "stream": True}


async def test_embeddings_come_in_the_order_of_the_texts(server: Server, connect: Connect) -> None:
    data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0.5]}]
    server.answers({"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    found = await (await connect()).embed("e", ["a", "b"], {})
    assert found.vectors == [[1.0, 0.5], [0.0, 1.0]]
    assert found.usage == Usage(4)
    assert server.requests[0]["path"] == "/v1/embeddings"
    assert server.requests[0]["body"] == {"model": "e", "input": ["a", "b"]}


async def test_many_texts_are_sent_in_several_requests(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MOST_TEXTS", 2)
    server.answers({"data": [{"embedding": [1]}, {"embedding": [2]}], "usage": {"prompt_tokens": 2}})
    server.answers({"data": [{"embedding": [3]}], "usage": {"prompt_tokens": 1}})
    found = await (await connect()).embed("e", ["a", "b", "c"], {})
    assert found.vectors == [[1.0], [2.0], [3.0]]
    assert found.usage == Usage(3)
    assert [request["body"]["input"] for request in server.requests] == [["a", "b"], ["c"]]


async def test_abandoning_an_answer_closes_its_connection(server: Server, connect: Connect) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]}, hang=True)
    service = await connect()
    async with aclosing(service.chat("m", [Message("hi")], NONE, stream=True)) as chunks:
        assert (await anext(chunks)).text == "x"
    await asyncio.wait_for(server.hung_up.wait(), 60)


async def test_cancelling_a_call_closes_its_connection(server: Server, connect: Connect) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]}, hang=True)
    call = asyncio.create_task(chat(await connect()))
    await asyncio.wait_for(server.asked.wait(), 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.hung_up.wait(), 60)


async def test_a_service_that_is_not_started_says_so() -> None:
    service = OpenAIService(OpenAIConfiguration.model_validate({"access-key": "k"}))
    with pytest.raises(ServiceError, match="not started"):
        await service.embed("m", ["x"], {})

"""The OpenAI service against a server that refuses, fails, breaks off or talks nonsense."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.service import OpenAIService
from langstream.services.ai.retries import RetryPolicy

Server: TypeAlias = Any
Connect: TypeAlias = Callable[..., Any]
KEY = "my-very-secret-key"


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    """Makes started services that note their waits instead of waiting."""
    made: list[OpenAIService] = []

    async def connect(waits: list[float] | None = None, **options: Any) -> OpenAIService:
        async def sleep(seconds: float) -> None:
            if waits is not None:
                waits.append(seconds)

        named = {name.replace("_", "-"): value for name, value in options.items()}
        configuration = OpenAIConfiguration.model_validate({"access-key": KEY, "url": server.url, **named})
        policy = RetryPolicy(attempts=3, sleep=sleep, spread=lambda longest: longest)
        service = OpenAIService(configuration, policy)
        made.append(service)
        await service.start()
        return service

    yield connect
    for service in made:
        await service.close()


async def ask(service: OpenAIService, *, stream: bool = True) -> str:
    chunks = service.chat("m", [Message("hi", "user")], CompletionOptions(), stream=stream)
    return "".join([chunk.text async for chunk in chunks])


async def failure(service: OpenAIService, *, stream: bool = True) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ask(service, stream=stream)
    return caught.value


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
@pytest.mark.parametrize("stream", [True, False])
async def test_passing_failures_are_asked_again(server: Server, connect: Connect, status: int, stream: bool) -> None:
    server.answers({"error": {"message": "busy"}}, status=status)
    server.answers({"choices": [{"message": {"content": "fine"}}]})
    waits: list[float] = []
    assert await ask(await connect(waits), stream=stream) == "fine"
    assert waits == [0.5]


async def test_retry_after_is_respected(server: Server, connect: Connect) -> None:
    server.answers({}, status=429, headers={"Retry-After": "17"})
    server.answers({}, status=429, headers={"Retry-After-Ms": "20"})
    server.chat("fine")
    waits: list[float] = []
    assert await ask(await connect(waits)) == "fine"
    assert waits == [17.0, 0.02]


async def test_a_long_wait_is_handed_to_the_caller(server: Server, connect: Connect) -> None:
    server.answers({}, status=429, headers={"Retry-After": "900"})
    error = await failure(await connect())
    assert (error.category, error.retryable, error.retry_after_seconds) == ("rate-limited", True, 900.0)
    assert len(server.requests) == 1


async def test_attempts_are_limited(server: Server, connect: Connect) -> None:
    server.answers({"error": {"message": "sick"}}, status=500)
    error = await failure(await connect())
    assert error.category == "transient"
    assert "answered 500: sick" in str(error)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_refusals_are_final(server: Server, connect: Connect, status: int) -> None:
    server.answers({"error": {"message": f"never with {KEY}"}}, status=status)
    error = await failure(await connect())
    assert error.retryable is False
    assert KEY not in str(error)
    assert len(server.requests) == 1


async def test_a_redirect_is_not_followed(server: Server, connect: Connect) -> None:
    server.answers({}, status=302, headers={"Location": "https://elsewhere.example/v1?key=x"})
    error = await failure(await connect())
    assert error.category == "refused"
    assert "https://elsewhere.example/v1;" in str(error)
    assert len(server.requests) == 1


async def test_a_stream_that_breaks_off_is_a_passing_failure(server: Server, connect: Connect) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]}, cut=True)
    error = await failure(await connect())
    assert error.category == "transient"
    assert "before the end" in str(error)
    assert len(server.requests) == 1  # a piece was handed on: it is for the caller to start over


async def test_a_stream_that_breaks_off_before_its_first_event_is_asked_again(server: Server, connect: Connect) -> None:
    server.streams(b": hello\n\n", cut=True)
    server.chat("fine")
    assert await ask(await connect()) == "fine"


async def test_a_stream_whose_first_event_is_an_error_is_asked_again(server: Server, connect: Connect) -> None:
    server.streams({"error": {"message": "overloaded", "type": "server_error"}})
    server.streams({"id": "a", "choices": [{"delta": {"role": "assistant"}}]}, cut=True)
    server.chat("fine")
    assert await ask(await connect()) == "fine"
    assert len(server.requests) == 3


async def test_a_stream_that_falls_silent_is_a_passing_failure(server: Server, connect: Connect) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]}, hang=True)
    error = await failure(await connect(idle_timeout_seconds=0.1))
    assert error.category == "transient"
    assert "sent nothing" in str(error)


async def test_a_server_that_never_answers_is_a_passing_failure(server: Server, connect: Connect) -> None:
    server.answers({}, silent=True)
    error = await failure(await connect(request_timeout_seconds=0.1), stream=False)
    assert error.category == "transient"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"text": 5}]}'])
async def test_nonsense_is_malformed(server: Server, connect: Connect, body: bytes) -> None:
    server.answers(body)
    error = await failure(await connect(), stream=False)
    assert error.category == "malformed"
    assert "makes no sense" in str(error)


async def test_an_event_that_is_not_json_is_malformed(server: Server, connect: Connect) -> None:
    server.streams("{oops")
    assert (await failure(await connect())).category == "malformed"


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "the model fell over", "type": "server_error"}},
        b'event: error\ndata: {"message": "the model fell over"}\n\n',
        b"event: error\ndata: the model fell over\n\n",
    ],
)
async def test_an_error_inside_a_stream_is_reported(server: Server, connect: Connect, event: Any) -> None:
    server.streams({"id": "a", "choices": [{"delta": {"content": "x"}}]}, event)
    error = await failure(await connect())
    assert error.category == "transient"
    assert "the model fell over" in str(error)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_withheld_by_the_filter_is_a_failure(server: Server, connect: Connect, stream: bool) -> None:
    if stream:
        server.chat(finish="content_filter")
    else:
        server.answers({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]})
    assert (await failure(await connect(), stream=stream)).category == "content-filtered"


async def test_an_answer_cut_by_the_filter_is_kept(server: Server, connect: Connect) -> None:
    server.chat("so far", finish="content_filter")
    assert await ask(await connect()) == "so far"


@pytest.mark.parametrize(
    "answer", [{"data": []}, {"data": "x"}, {"data": [{"embedding": []}]}, {"data": [{"embedding": None}]}, {}]
)
async def test_embeddings_that_do_not_fit_the_texts_are_malformed(
    server: Server, connect: Connect, answer: Any
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await (await connect()).embed("m", ["one"], {})
    assert caught.value.category == "malformed"


async def test_a_server_that_is_not_there_is_a_passing_failure(connect: Connect) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    waits: list[float] = []
    error = await failure(await connect(waits, url=url))
    assert error.category == "transient"
    assert "cannot be reached" in str(error)
    assert waits == [0.5, 1.0]


async def test_an_unknown_host_is_named(connect: Connect) -> None:
    error = await failure(await connect(url="http://no-such-host.invalid/v1"))
    assert "http://no-such-host.invalid/v1" in str(error)
    assert "cannot be reached" in str(error)


@pytest.mark.parametrize(("events", "complete"), [(b"data: [DONE]\n\n", True), (b"", False)])
async def test_an_answer_of_unknown_length_needs_its_end_marker(
    connect: Connect, events: bytes, complete: bool
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        writer.write(head + b'data: {"id": "a", "choices": [{"delta": {"content": "x"}}]}\n\n' + events)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        service = await connect(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        if complete:
            assert await ask(service) == "x"
        else:
            assert "before the end" in str(await failure(service))

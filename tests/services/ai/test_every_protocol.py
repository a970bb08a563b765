"""What every remote AI service does, whatever its protocol: streams, counts, retries, tells failures apart, lets go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from langstream.services.ai.huggingface.service import HuggingFaceService
from langstream.services.ai.retries import RetryPolicy
from tests.services.ai.anthropic.anthropic_server import AnthropicServer
from tests.services.ai.bedrock.bedrock_server import BedrockServer
from tests.services.ai.huggingface.hugging_face_server import GenerationServer, HuggingFaceServer
from tests.services.ai.ollama.ollama_server import OllamaServer
from tests.services.ai.vertex.google_server import GoogleServer

Connect: TypeAlias = Callable[..., Awaitable[AIService]]


class ChatOfHuggingFace(HuggingFaceServer):
    """Chat and text have different protocols there: this service only chats."""

    only = "chat"

    def service(self, retries: RetryPolicy | None = None, *parts: Any, **options: Any) -> HuggingFaceService:
        class OnlyChat(HuggingFaceService):
            def complete(self, model: str, prompts: Any, options: Any, *, stream: bool) -> AsyncGenerator[Chunk, None]:
                return self.chat(model, [Message(prompt) for prompt in prompts], options, stream=stream)

        return self.made(OnlyChat, retries, **options)


class TextOfHuggingFace(GenerationServer):
    """This one only completes text."""

    only = "text"

    def service(self, retries: RetryPolicy | None = None, *parts: Any, **options: Any) -> HuggingFaceService:
        class OnlyText(HuggingFaceService):
            def chat(self, model: str, messages: Any, options: Any, *, stream: bool) -> AsyncGenerator[Chunk, None]:
                return self.complete(model, [message.content for message in messages], options, stream=stream)

        return self.made(OnlyText, retries, **options)


PROTOCOLS = [OllamaServer, AnthropicServer, GoogleServer, BedrockServer, ChatOfHuggingFace, TextOfHuggingFace]


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A running server of each protocol in turn."""
    server = request.param()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def connect(server: Any) -> AsyncIterator[Connect]:
    """Makes started services that note their waits instead of waiting."""
    made: list[AIService] = []

    async def connect(waits: list[float] | None = None, **options: Any) -> AIService:
        async def sleep(seconds: float) -> None:
            if waits is not None:
                waits.append(seconds)

        named = {name.replace("_", "-"): value for name, value in options.items()}
        service: AIService = server.service(
            RetryPolicy(attempts=3, sleep=sleep, spread=lambda longest: longest), **named
        )
        made.append(service)
        await service.start()
        return service

    yield connect
    for service in made:
        await service.close()


async def chunks(service: AIService, *, stream: bool = True, text: bool = False) -> list[Chunk]:
    options = CompletionOptions()
    if text:
        return [chunk async for chunk in service.complete("m", ["hi"], options, stream=stream)]
    return [chunk async for chunk in service.chat("m", [Message("hi", "user")], options, stream=stream)]


async def ask(service: AIService, *, stream: bool = True) -> str:
    return "".join(chunk.text for chunk in await chunks(service, stream=stream))


async def failure(service: AIService, *, stream: bool = True) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ask(service, stream=stream)
    return caught.value


@pytest.mark.parametrize("text", [False, True])
async def test_pieces_come_one_by_one_and_the_last_is_marked(server: Any, connect: Connect, text: bool) -> None:
    server.chat("one", " two", " drei ist größer")
    found = await chunks(await connect(), text=text)
    assert [chunk.text for chunk in found] == ["one", " two", " drei ist größer", ""]
    assert [chunk.last for chunk in found] == [False, False, False, True]
    assert found[0].answer_id
    assert {chunk.answer_id for chunk in found} == {found[0].answer_id}


@pytest.mark.parametrize("text", [False, True])
async def test_a_blank_first_piece_of_a_text_completion_is_left_out(server: Any, connect: Connect, text: bool) -> None:
    server.chat("", "\n\n", "", "one")
    found = [chunk.text for chunk in await chunks(await connect(), text=text)]
    task = getattr(server, "only", "text" if text else "chat")
    assert found == (["one", ""] if task == "text" else ["\n\n", "one", ""])


async def test_the_last_piece_has_the_token_counts(server: Any, connect: Connect) -> None:
    server.chat("one")
    *others, last = await chunks(await connect())
    assert last.usage == Usage(7, 3)
    assert all(chunk.usage is None for chunk in others)


@pytest.mark.parametrize("text", [False, True])
async def test_without_streaming_the_answer_is_one_piece(server: Any, connect: Connect, text: bool) -> None:
    server.whole("all of it")
    (chunk,) = await chunks(await connect(), stream=False, text=text)
    assert (chunk.text, chunk.last, chunk.usage) == ("all of it", True, Usage(7, 3))
    assert chunk.answer_id


async def test_a_stream_cut_into_single_bytes_is_the_same(server: Any, connect: Connect) -> None:
    server.chat("ein", " größerer")
    reply = server.replies[0]
    reply.pieces = [bytes([byte]) for piece in reply.pieces for byte in piece]
    assert await ask(await connect()) == "ein größerer"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_failures_are_asked_again(server: Any, connect: Connect, status: int, stream: bool) -> None:
    server.refuse(status, "busy")
    server.chat("fine") if stream else server.whole("fine")
    waits: list[float] = []
    assert await ask(await connect(waits), stream=stream) == "fine"
    assert waits == [0.5]


async def test_retry_after_is_respected(server: Any, connect: Connect) -> None:
    server.refuse(429, "slow down", headers={"Retry-After": "17"})
    server.chat("fine")
    waits: list[float] = []
    assert await ask(await connect(waits)) == "fine"
    assert waits == [17.0]


async def test_a_long_wait_is_handed_to_the_caller(server: Any, connect: Connect) -> None:
    server.refuse(429, "slow down", headers={"Retry-After": "900"})
    error = await failure(await connect())
    assert (error.category, error.retryable, error.retry_after_seconds) == ("rate-limited", True, 900.0)
    assert len(server.requests) == 1


async def test_attempts_are_limited(server: Any, connect: Connect) -> None:
    server.refuse(500, "sick")
    error = await failure(await connect())
    assert error.category == "transient"
    assert "answered 500: sick" in str(error)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "category"), [(400, "refused"), (401, "authentication"), (403, "authentication"), (404, "not-found")]
)
async def test_refusals_are_final_and_keep_secrets(server: Any, connect: Connect, status: int, category: str) -> None:
    server.refuse(status, f"never with {' or '.join(server.secrets)}")
    error = await failure(await connect())
    assert (error.category, error.retryable) == (category, False)
    assert "never with" in str(error)
    assert not any(secret in str(error) for secret in server.secrets)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'"words"'])
async def test_nonsense_is_malformed(server: Any, connect: Connect, body: bytes) -> None:
    server.answers(body)
    error = await failure(await connect(), stream=False)
    assert error.category == "malformed"
    assert "makes no sense" in str(error)


async def test_a_stream_that_breaks_off_is_a_passing_failure(server: Any, connect: Connect) -> None:
    server.chat("one", finish=None, cut=True)
    error = await failure(await connect())
    assert error.category == "transient"
    assert "before the end" in str(error)
    assert len(server.requests) == 1  # a piece was handed on: it is for the caller to start over


async def test_a_stream_that_breaks_off_before_its_first_piece_is_asked_again(server: Any, connect: Connect) -> None:
    server.chat(finish=None, cut=True)
    server.chat("fine")
    assert await ask(await connect()) == "fine"


async def test_a_stream_that_falls_silent_is_a_passing_failure(server: Any, connect: Connect) -> None:
    server.chat("one", finish=None, hang=True)
    error = await failure(await connect(idle_timeout_seconds=0.1))
    assert error.category == "transient"
    assert "sent nothing" in str(error)


async def test_a_slow_stream_is_read_to_its_end(server: Any, connect: Connect) -> None:
    server.chat("one", " two", pause_seconds=0.05)
    assert await ask(await connect(request_timeout_seconds=0.01)) == "one two"  # a limit for whole answers only


async def test_a_server_that_never_answers_is_a_passing_failure(server: Any, connect: Connect) -> None:
    server.answers({}, silent=True)
    error = await failure(await connect(request_timeout_seconds=0.1), stream=False)
    assert error.category == "transient"


async def test_a_server_that_is_not_there_is_a_passing_failure(server: Any, connect: Connect) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server.url, running = f"http://127.0.0.1:{free.getsockname()[1]}", server.url
    error = await failure(await connect())
    server.url = running
    assert error.category == "transient"
    assert "cannot be reached" in str(error)


async def test_a_redirect_is_not_followed(server: Any, connect: Connect) -> None:
    server.answers({}, status=307, headers={"Location": "https://elsewhere.example/?key=x"})
    error = await failure(await connect())
    assert error.category == "refused"
    assert len(server.requests) == 1


async def test_abandoning_an_answer_closes_its_connection(server: Any, connect: Connect) -> None:
    server.chat("one", finish=None, hang=True)
    service = await connect()
    async with aclosing(service.chat("m", [Message("hi")], CompletionOptions(), stream=True)) as answer:
        assert (await anext(answer)).text == "one"
    await asyncio.wait_for(server.hung_up.wait(), 60)


@pytest.mark.parametrize("stream", [True, False])
async def test_cancelling_a_call_closes_its_connection(server: Any, connect: Connect, stream: bool) -> None:
    if stream:
        server.chat("one", finish=None, hang=True)
    else:
        server.answers({}, silent=True)
    call = asyncio.create_task(ask(await connect(), stream=stream))
    await asyncio.wait_for(server.asked.wait(), 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.hung_up.wait(), 60)


async def test_a_service_that_is_not_started_says_so(server: Any) -> None:
    with pytest.raises(ServiceError, match="not started"):
        await ask(server.service())


def test_secrets_are_not_shown(server: Any) -> None:
    service = server.service()
    shown = f"{service!r} {vars(service)!r} {service.source(server.url)!r}"
    assert not any(secret in shown for secret in server.secrets)

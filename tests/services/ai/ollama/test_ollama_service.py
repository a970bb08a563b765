"""Ollama: what is sent, and what its lines mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from langstream.services.ai.ollama.configuration import OllamaConfiguration
from langstream.services.ai.ollama.service import OllamaService
from tests.services.ai.ollama.ollama_server import OllamaServer, message

NONE = CompletionOptions()


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    server = OllamaServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: OllamaServer) -> AsyncIterator[OllamaService]:
    service = server.service()
    await service.start()
    yield service
    await service.close()


async def chat(service: AIService, options: CompletionOptions = NONE, *, stream: bool = True) -> list[Chunk]:
    messages = [Message("be brief", "system"), Message("hi")]
    return [chunk async for chunk in service.chat("llama3.2", messages, options, stream=stream)]


async def text(service: AIService, options: CompletionOptions = NONE) -> list[Chunk]:
    return [chunk async for chunk in service.complete("llama3.2", ["a", "b"], options, stream=True)]


async def test_a_chat_request_on_the_wire(server: OllamaServer, service: OllamaService) -> None:
    server.chat("yes")
    await chat(service)
    (request,) = server.requests
    assert request["path"] == "/api/chat"
    assert request["headers"]["authorization"] == "Bearer ollama-very-secret"
    assert request["body"] == {
        "model": "llama3.2",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": True,
    }


async def test_prompts_of_a_text_completion_are_lines(server: OllamaServer, service: OllamaService) -> None:
    server.lines({"response": "yes", "done": False}, {"response": "", "done": True})
    assert "".join(chunk.text for chunk in await text(service)) == "yes"
    assert server.requests[0]["path"] == "/api/generate"
    assert server.requests[0]["body"] == {"model": "llama3.2", "prompt": "a\nb", "stream": True}


async def test_stream_false_is_sent(server: OllamaServer, service: OllamaService) -> None:
    server.whole("yes")
    await chat(service, stream=False)
    assert server.requests[0]["body"]["stream"] is False


async def test_options_become_parameters_and_members(server: OllamaServer, service: OllamaService) -> None:
    server.chat("yes")
    options = CompletionOptions(
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        stop=["END"],
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=3,
        extra={
            "num_ctx": 8192,
            "keep_alive": "10m",
            "format": "json",
            "temperature": 2,
            "options": {"seed": 7},
            "model": "other",
            "messages": [],
        },
    )
    await chat(service, options)
    body = server.requests[0]["body"]
    assert body["model"] == "llama3.2"
    assert len(body["messages"]) == 2
    assert (body["keep_alive"], body["format"], body["logprobs"], body["top_logprobs"]) == ("10m", "json", True, 3)
    assert body["options"] == {
        "num_ctx": 8192,
        "seed": 7,
        "num_predict": 9,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }


async def test_the_text_of_the_last_line_counts(server: OllamaServer, service: OllamaService) -> None:
    server.lines(
        {"response": "T1", "done": False}, {"response": " T2", "done": False}, {"response": " T3", "done": True}
    )
    found = await text(service)
    assert [(chunk.text, chunk.last) for chunk in found] == [("T1", False), (" T2", False), (" T3", True)]


async def test_a_stream_without_an_end_ends_all_the_same(server: OllamaServer, service: OllamaService) -> None:
    server.lines(message("T1"))
    assert [(chunk.text, chunk.last) for chunk in await chat(service)] == [("T1", False), ("", True)]


async def test_lines_labelled_as_plain_json_are_lines(server: OllamaServer, service: OllamaService) -> None:
    server.chat("T1", " T2")
    server.replies[0].content_type = "application/json"
    assert "".join(chunk.text for chunk in await chat(service)) == "T1 T2"


async def test_a_prompt_from_the_cache_has_no_count(server: OllamaServer, service: OllamaService) -> None:
    server.lines(message("x", done=True, eval_count=4))
    assert (await chat(service))[-1].usage == Usage(0, 4)


async def test_log_probabilities_are_read(server: OllamaServer, service: OllamaService) -> None:
    server.lines(message("yes", logprobs=[{"token": "yes", "logprob": -0.5}]), message("", done=True))
    first, _ = await chat(service)
    assert (first.tokens, first.logprobs) == (("yes",), (-0.5,))


async def test_an_error_in_the_stream_is_reported(server: OllamaServer, service: OllamaService) -> None:
    server.lines(message("x"), {"error": "llama runner process has terminated"})
    with pytest.raises(ServiceError, match="runner process") as caught:
        await chat(service)
    assert caught.value.category == "transient"


async def test_a_line_that_is_not_json_is_malformed(server: OllamaServer, service: OllamaService) -> None:
    server.lines(message("x"), b"{oops\n")
    with pytest.raises(ServiceError) as caught:
        await chat(service)
    assert caught.value.category == "malformed"


async def test_a_missing_model_says_what_to_do(server: OllamaServer, service: OllamaService) -> None:
    server.refuse(404, "model 'llama3.2' not found")
    with pytest.raises(ServiceError, match="ollama pull") as caught:
        await chat(service)
    assert caught.value.category == "not-found"


async def test_a_prompt_that_is_too_long_is_told_apart(server: OllamaServer, service: OllamaService) -> None:
    server.refuse(400, "the input length exceeds the context length")
    with pytest.raises(ServiceError) as caught:
        await service.embed("m", ["x"], {})
    assert caught.value.category == "too-long"


async def test_embeddings_of_a_batch_are_one_request(server: OllamaServer, service: OllamaService) -> None:
    server.answers({"embeddings": [[1, 0.5], [0, 1]], "prompt_eval_count": 4})
    found = await service.embed("e", ["a", "b"], {"options": {"truncate": False, "num_ctx": 512}})
    assert found.vectors == [[1.0, 0.5], [0.0, 1.0]]
    assert found.usage == Usage(4)
    assert server.requests[0]["path"] == "/api/embed"
    assert server.requests[0]["body"] == {
        "model": "e",
        "input": ["a", "b"],
        "truncate": False,
        "options": {"num_ctx": 512},
    }


async def test_older_servers_are_asked_text_by_text(server: OllamaServer, service: OllamaService) -> None:
    server.answers(b"404 page not found", status=404, content_type="text/plain")
    server.answers({"embedding": [-0.9, 1.28]})
    found = await service.embed("llama2", ["test"], {})
    assert found.vectors == [[-0.9, 1.28]]
    assert server.requests[1]["path"] == "/api/embeddings"
    assert server.requests[1]["body"] == {"model": "llama2", "prompt": "test"}
    await service.embed("llama2", ["again"], {})
    assert [request["path"] for request in server.requests[2:]] == ["/api/embeddings"]  # it is remembered


async def test_a_missing_model_of_embeddings_is_reported_as_such(server: OllamaServer, service: OllamaService) -> None:
    server.refuse(404, "model 'e' not found")
    with pytest.raises(ServiceError, match="model 'e' not found"):
        await service.embed("e", ["x"], {})


@pytest.mark.parametrize("answer", [{}, [], {"embeddings": [[1], [2]]}, {"embeddings": [["x"]]}, {"embeddings": [[]]}])
async def test_embeddings_that_do_not_fit_are_malformed(
    server: OllamaServer, service: OllamaService, answer: Any
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await service.embed("m", ["one"], {})
    assert caught.value.category == "malformed"


async def test_no_texts_need_no_request(server: OllamaServer, service: OllamaService) -> None:
    server.answers({"embeddings": []})
    assert (await service.embed("m", [], {})).vectors == []


@pytest.mark.parametrize("url", ["ollama:11434", "ftp://x", "http://"])
def test_the_address_must_be_one(url: str) -> None:
    with pytest.raises(ValidationError, match="http"):
        OllamaConfiguration.model_validate({"url": url})

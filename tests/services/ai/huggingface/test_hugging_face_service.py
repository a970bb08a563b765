"""Hugging Face: what is sent where, and what the answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from langstream.services.ai.huggingface import service as service_module
from langstream.services.ai.huggingface.configuration import HuggingFaceConfiguration
from langstream.services.ai.huggingface.embeddings import ALLOWED_VARIABLE, local_model
from langstream.services.ai.huggingface.endpoints import endpoints_of
from langstream.services.ai.huggingface.service import HuggingFaceService
from langstream.services.ai.local.engine import Engines
from tests.services.ai.huggingface.hugging_face_server import KEY, GenerationServer, HuggingFaceServer, token

NONE = CompletionOptions()
ONCE: dict[str, Any] = {"max-attempts": 1}


@pytest.fixture
async def server() -> AsyncIterator[GenerationServer]:
    server = GenerationServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: GenerationServer) -> AsyncIterator[HuggingFaceService]:
    service = server.service(None, **ONCE)
    await service.start()
    yield service
    await service.close()


async def text(
    service: AIService, *prompts: str, options: CompletionOptions = NONE, stream: bool = True, model: str = "o/llama"
) -> list[Chunk]:
    asked = prompts or ("hi",)
    return [chunk async for chunk in service.complete(model, asked, options, stream=stream)]


async def chat(service: AIService, content: str, options: CompletionOptions = NONE, model: str = "o/llama") -> str:
    chunks = service.chat(model, [Message(content)], options, stream=True)
    return "".join([chunk.text async for chunk in chunks])


async def failure(service: AIService, *, stream: bool = True) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await text(service, stream=stream)
    return caught.value


async def test_chat_speaks_the_protocol_of_openai(server: GenerationServer, service: HuggingFaceService) -> None:
    HuggingFaceServer.chat(server, "yes")
    assert await chat(service, "hi", CompletionOptions(max_tokens=5, extra={"seed": 1})) == "yes"
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert request["body"] == {
        "model": "o/llama",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_without_a_token_none_is_sent(server: GenerationServer) -> None:
    options: dict[str, Any] = {"access-key": None}
    service = server.service(None, **options)
    await service.start()
    server.chat("yes")
    await text(service)
    assert "authorization" not in server.requests[0]["headers"]
    await service.close()


async def test_a_text_request_on_the_wire(server: GenerationServer, service: HuggingFaceService) -> None:
    server.chat("yes")
    options = CompletionOptions(
        max_tokens=9, temperature=0.5, top_p=0.25, stop=["END"], extra={"top_k": 5, "temperature": 2}
    )
    await text(service, "a", "b", options=options)
    assert server.requests[0]["path"] == "/models/o/llama"
    assert server.requests[0]["body"] == {
        "inputs": "a\nb",
        "parameters": {
            "return_full_text": False,
            "details": True,
            "max_new_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.25,
            "stop": ["END"],
            "top_k": 5,
        },
        "stream": True,
    }


async def test_tokens_come_with_their_log_probabilities(server: GenerationServer, service: HuggingFaceService) -> None:
    server.chat("T1", " T2")
    found = await text(service)
    assert [(chunk.text, chunk.tokens, chunk.logprobs) for chunk in found] == [
        ("T1", ("T1",), (-0.5,)),
        (" T2", (" T2",), (-0.5,)),
        ("", (), ()),
    ]
    assert found[-1].usage == Usage(7, 3)


async def test_the_last_token_counts_unless_it_is_special(
    server: GenerationServer, service: HuggingFaceService
) -> None:
    details = {"finish_reason": "length"}
    server.streams(token("T1"), token(" T2", generated_text="T1 T2", details=details))
    assert [(chunk.text, chunk.last) for chunk in await text(service)] == [("T1", False), (" T2", True)]


async def test_a_model_without_counts_answers_too(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers({"generated_text": "yes"})
    (chunk,) = await text(service)
    assert (chunk.text, chunk.last, chunk.usage) == ("yes", True, None)


async def test_a_bert_fills_its_mask(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers(
        [
            {"token_str": "w1", "sequence": "answer 1", "score": 10},
            {"token_str": "w2", "sequence": "answer 2", "score": 5},
        ]
    )
    assert await chat(service, "The sky is [MASK].", model="bert-base-uncased") == "answer 1"
    assert server.requests[0]["path"] == "/models/bert-base-uncased"
    assert server.requests[0]["body"] == ["The sky is [MASK]."]


async def test_other_models_may_read_about_masks(server: GenerationServer, service: HuggingFaceService) -> None:
    HuggingFaceServer.chat(server, "yes")
    await chat(service, "What is [MASK]?", model="meta-llama/Llama-3.1-8B")
    assert server.requests[0]["path"] == "/v1/chat/completions"


@pytest.mark.parametrize("model", ["FacebookAI/xlm-roberta-base", "distilbert/distilroberta-base", "camembert-base"])
async def test_relatives_of_bert_are_known(server: GenerationServer, service: HuggingFaceService, model: str) -> None:
    server.answers([[{"sequence": "first"}], [{"sequence": "second"}]])
    assert [chunk.text for chunk in await text(service, "a <mask>", "b", model=model)] == ["first"]


async def test_the_task_may_be_named(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers([{"sequence": "yes"}])
    options = CompletionOptions(extra={"task": "fill-mask"})
    assert await chat(service, "a [MASK]", options, model="mine/model") == "yes"
    server.replies.clear()
    server.chat("fine")
    await text(service, "a [MASK]", options=CompletionOptions(extra={"task": "text-generation"}), model="bert")
    assert "task" not in server.requests[1]["body"]["parameters"]


async def test_a_model_that_is_loading_is_waited_for(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers({"error": "Model o/llama is currently loading", "estimated_time": 20.5}, status=503)
    error = await failure(service)
    assert (error.category, error.retry_after_seconds) == ("transient", 20.5)


async def test_the_limit_in_the_header_is_respected(server: GenerationServer, service: HuggingFaceService) -> None:
    server.refuse(429, "slow down", headers={"RateLimit": '"api";r=0;t=55, "pages";r=5;t=900'})
    error = await failure(service)
    assert (error.category, error.retry_after_seconds) == ("rate-limited", 55)


@pytest.mark.parametrize(
    ("status", "body", "category"),
    [
        (422, {"error": "`inputs` must have less than 1024 tokens", "error_type": "validation"}, "too-long"),
        (422, {"error": "`temperature` must be strictly positive", "error_type": "validation"}, "refused"),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, "transient"),
        (402, {"error": "You have exceeded your monthly included credits"}, "exhausted"),
        (400, {"error": ["one thing", "and another"]}, "refused"),
    ],
)
async def test_refusals_are_told_apart(
    server: GenerationServer, service: HuggingFaceService, status: int, body: Any, category: str
) -> None:
    server.answers(body, status=status)
    assert (await failure(service)).category == category


async def test_an_error_in_the_stream_is_reported(server: GenerationServer, service: HuggingFaceService) -> None:
    server.streams(token("x"), {"error": "Request failed during generation", "error_type": "generation"})
    error = await failure(service)
    assert error.category == "transient"
    assert "during generation" in str(error)


async def test_a_stream_without_its_end_is_a_failure(server: GenerationServer, service: HuggingFaceService) -> None:
    server.chat("x", finish=None)
    error = await failure(service)
    assert error.category == "transient"
    assert "before the end" in str(error)


@pytest.mark.parametrize("event", ["{oops", [], {"choices": []}])
async def test_events_that_make_no_sense_are_malformed(
    server: GenerationServer, service: HuggingFaceService, event: Any
) -> None:
    server.streams(event)
    assert (await failure(service)).category == "malformed"


@pytest.mark.parametrize("answer", [[], {}, "x", [[]], [{"generated_text": 5}]])
async def test_answers_that_make_no_sense_are_malformed(
    server: GenerationServer, service: HuggingFaceService, answer: Any
) -> None:
    server.answers(answer)
    assert (await failure(service, stream=False)).category == "malformed"


async def test_embeddings_on_the_wire(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers([[0.1], [0.2]])
    found = await service.embed("o/some-model", ["t1", "t2"], {})
    assert found.vectors == [[0.1], [0.2]]
    (request,) = server.requests  # no check: these vectors are not computed at Hugging Face
    assert request["path"] == "/vectors/o/some-model"
    assert request["body"] == {"inputs": ["t1", "t2"], "options": {"wait_for_model": "true"}}


async def test_options_and_arguments_of_embeddings(server: GenerationServer, service: HuggingFaceService) -> None:
    server.answers([0.5, 1])
    options = {"options": {"use_cache": False}, "arguments": {"normalize": True, "inputs": "no"}}
    assert (await service.embed("m", ["t"], options)).vectors == [[0.5, 1.0]]
    assert server.requests[0]["body"] == {"normalize": True, "inputs": ["t"], "options": {"use_cache": False}}


async def test_many_texts_are_sent_in_several_requests(
    server: GenerationServer, service: HuggingFaceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MOST_TEXTS", 2)
    server.answers([[1], [2]])
    server.answers([[3]])
    assert len((await service.embed("m", ["a", "b", "c"], {})).vectors) == 3
    assert len(server.requests) == 2


async def checked(server: GenerationServer) -> HuggingFaceService:
    options: dict[str, Any] = {"model-check-url": f"{server.url}/check/", **ONCE}
    service = server.service(None, **options)
    await service.start()
    return service


async def test_a_model_is_checked_once(server: GenerationServer) -> None:
    service = await checked(server)
    server.answers({"modelId": "o/m", "tags": ["sentence-transformers"]})
    server.answers([[1]])
    await service.embed("o/m", ["a"], {})
    await service.embed("o/m", ["a"], {})
    assert [(request["method"], request["path"]) for request in server.requests] == [
        ("GET", "/check/o/m"),
        ("POST", "/vectors/o/m"),
        ("POST", "/vectors/o/m"),
    ]
    assert server.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    await service.close()


@pytest.mark.parametrize(
    ("status", "facts", "words"),
    [
        (200, {"modelId": "other", "tags": ["sentence-transformers"]}, "has no model 'm', but 'other'"),
        (200, {"modelId": "m", "tags": ["llama"]}, "has not the tag `sentence-transformers`"),
        (200, {"id": "m"}, "has not the tag `sentence-transformers`"),
        (401, {"error": "Repository not found"}, "cannot be used for embeddings: .*Repository not found"),
    ],
)
async def test_a_model_that_gives_no_vectors_of_texts_is_refused(
    server: GenerationServer, status: int, facts: Any, words: str
) -> None:
    service = await checked(server)
    server.answers(facts, status=status)
    with pytest.raises(ServiceError, match=words) as caught:
        await service.embed("m", ["a"], {})
    assert caught.value.retryable is False
    await service.close()


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        ({}, "malformed"),
        ([], "malformed"),
        ([["x"]], "malformed"),
        ([[[1], [2]]], "refused"),
        ({"error": "x"}, "transient"),
    ],
)
async def test_embeddings_that_do_not_fit_are_failures(
    server: GenerationServer, service: HuggingFaceService, answer: Any, category: str
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await service.embed("m", ["one"], {})
    assert caught.value.category == category


@pytest.mark.parametrize(
    ("options", "text", "vectors"),
    [
        (
            {},
            "https://router.huggingface.co/hf-inference/models/o/m",
            "https://router.huggingface.co/hf-inference/models/o/m/pipeline/feature-extraction",
        ),
        ({"inference-url": "https://x.endpoints.huggingface.cloud/"}, "https://x.endpoints.huggingface.cloud/", None),
        ({"inference-url": "http://own:80/base"}, "http://own:80/base/models/o/m", None),
        ({"api-url": "http://own/{model}/embed"}, None, "http://own/o/m/embed"),
        ({"api-url": "http://own/embed/"}, None, "http://own/embed/o/m"),
    ],
)
def test_models_have_addresses(options: dict[str, Any], text: str | None, vectors: str | None) -> None:
    endpoints = endpoints_of(HuggingFaceConfiguration.model_validate(options))
    assert text is None or endpoints.text("o/m") == text
    assert vectors is None or endpoints.vectors("o/m") == vectors


def test_models_are_checked_by_default_at_hugging_face_only() -> None:
    assert HuggingFaceConfiguration.model_validate({}).checked_at == "https://huggingface.co/api/models"
    assert HuggingFaceConfiguration.model_validate({"api-url": "http://own/"}).checked_at is None


class StubEngine:
    """An encoder without a model."""

    def __init__(self, threads: int, cache_directory: Any) -> None:
        self.threads = threads
        self.loaded = self.closed = 0

    async def load(self) -> None:
        self.loaded += 1

    async def encode(self, texts: list[str]) -> tuple[Any, int]:
        return np.array([[len(text), 1.0] for text in texts]), len(texts)

    def close(self) -> None:
        self.closed += 1


async def test_local_embeddings_are_computed_here(server: GenerationServer) -> None:
    made: list[StubEngine] = []

    def make(threads: int, cache_directory: Any) -> StubEngine:
        made.append(StubEngine(threads, cache_directory))
        return made[-1]

    options: dict[str, Any] = {"provider": "local", "threads": 1}
    service = server.service(None, Engines(make), **options)
    await service.start()
    assert made == []  # completions do without the model
    found = await service.embed("sentence-transformers/all-MiniLM-L6-v2", ["abc", "d"], {})
    assert found.vectors == [[3.0, 1.0], [1.0, 1.0]]
    assert found.usage == Usage(2)
    assert (len(made), made[0].threads, server.requests) == (1, 1, [])
    server.chat("yes")
    assert [chunk.text for chunk in await text(service)] == ["yes", ""]
    await service.close()
    assert made[0].closed == 1


def test_the_local_model_has_many_names() -> None:
    assert local_model("all-MiniLM-L6-v2", None) == "all-MiniLM-L6-v2"
    url = "djl://ai.djl.huggingface.pytorch/sentence-transformers/all-MiniLM-L6-v2"
    assert local_model("anything", url) == "all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("model", "url", "words"),
    [
        ("intfloat/e5-small", None, "computes with the model .*all-MiniLM-L6-v2 only, not with intfloat/e5-small"),
        ("m", "file:///models/mine", "only, not with file:///models/mine"),
        ("m", "https://evil.example/model", "is not allowed"),
    ],
)
def test_other_local_models_are_refused(model: str, url: str | None, words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        local_model(model, url)
    assert caught.value.retryable is False


def test_the_allowed_addresses_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_VARIABLE, "file://")
    with pytest.raises(ServiceError, match="is not allowed"):
        local_model("all-MiniLM-L6-v2", None)

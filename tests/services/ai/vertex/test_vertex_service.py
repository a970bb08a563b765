"""Gemini through Vertex AI and through the Gemini API: what is sent, and what the answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from langstream.services.ai.vertex import service as service_module
from langstream.services.ai.vertex.configuration import VertexConfiguration
from langstream.services.ai.vertex.endpoints import endpoints_of
from langstream.services.ai.vertex.service import VertexService
from tests.services.ai.vertex.google_server import COUNTS, KEY, GoogleServer, content

NONE = CompletionOptions()
MODELS = "/v1/projects/the-project/locations/us-central1/publishers/google/models/"
ONCE: dict[str, Any] = {"max-attempts": 1}
WITH_KEY: dict[str, Any] = {"token": None, "region": None, "project": None, "api-key": "AIza-test-key", **ONCE}


@pytest.fixture
async def server() -> AsyncIterator[GoogleServer]:
    server = GoogleServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: GoogleServer) -> AsyncIterator[VertexService]:
    service = server.service(None, **ONCE)
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def gemini(server: GoogleServer) -> AsyncIterator[VertexService]:
    service = server.service(None, **WITH_KEY)
    await service.start()
    yield service
    await service.close()


async def chat(
    service: AIService,
    *messages: Message,
    options: CompletionOptions = NONE,
    stream: bool = True,
    model: str = "gemini-2.5-flash",
) -> list[Chunk]:
    asked = messages or (Message("hi", "user"),)
    return [chunk async for chunk in service.chat(model, asked, options, stream=stream)]


async def text(service: AIService, *prompts: str, model: str = "gemini-2.5-flash") -> list[Chunk]:
    return [chunk async for chunk in service.complete(model, prompts, NONE, stream=True)]


async def failure(service: AIService, *, stream: bool = True) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await chat(service, stream=stream)
    return caught.value


async def test_a_streamed_request_on_the_wire(server: GoogleServer, service: VertexService) -> None:
    server.chat("yes")
    await chat(
        service, Message("be brief", "system"), Message("hi", "user"), Message("hello", "assistant"), Message("and?")
    )
    (request,) = server.requests
    assert request["path"] == f"{MODELS}gemini-2.5-flash:streamGenerateContent"
    assert request["query"] == {"alt": "sse"}
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert request["body"] == {
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"text": "hello"}]},
            {"role": "user", "parts": [{"text": "and?"}]},
        ],
    }


async def test_a_whole_request_on_the_wire(server: GoogleServer, service: VertexService) -> None:
    server.whole("yes")
    assert await chat(service, stream=False) == [Chunk("yes", "r-1", last=True, usage=Usage(7, 3), finish="stop")]
    assert server.requests[0]["path"] == f"{MODELS}gemini-2.5-flash:generateContent"


async def test_the_key_of_the_gemini_api_is_a_header(server: GoogleServer, gemini: VertexService) -> None:
    server.chat("yes")
    await chat(gemini)
    (request,) = server.requests
    assert request["path"] == "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert request["query"] == {"alt": "sse"}
    assert request["headers"]["x-goog-api-key"] == "AIza-test-key"
    assert "authorization" not in request["headers"]


async def test_options_are_sent(server: GoogleServer, service: VertexService) -> None:
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
            "topK": 5,
            "temperature": 2,
            "safetySettings": [{"category": "X"}],
            "generationConfig": {"seed": 7},
            "contents": [],
        },
    )
    await chat(service, options=options)
    body = server.requests[0]["body"]
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert body["safetySettings"] == [{"category": "X"}]
    assert body["generationConfig"] == {
        "topK": 5,
        "seed": 7,
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.25,
        "stopSequences": ["END"],
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 3,
    }


async def test_thoughts_are_no_text(server: GoogleServer, service: VertexService) -> None:
    thought = content("hm")
    thought["candidates"][0]["content"]["parts"][0]["thought"] = True
    server.streams(thought, content("y", "es", finish="STOP", usageMetadata=COUNTS))
    assert [(chunk.text, chunk.last) for chunk in await chat(service)] == [("yes", True)]


async def test_log_probabilities_are_read(server: GoogleServer, service: VertexService) -> None:
    answer = content("yes", finish="STOP")
    answer["candidates"][0]["logprobsResult"] = {"chosenCandidates": [{"token": "yes", "logProbability": -0.5}]}
    server.answers(answer)
    (chunk,) = await chat(service, stream=False)
    assert (chunk.tokens, chunk.logprobs) == (("yes",), (-0.5,))


async def test_a_stream_without_its_end_is_a_failure(server: GoogleServer, service: VertexService) -> None:
    server.streams(content("so"))
    error = await failure(service)
    assert error.category == "transient"
    assert "before the end" in str(error)


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "RECITATION"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_withheld_is_a_failure(
    server: GoogleServer, service: VertexService, reason: str, stream: bool
) -> None:
    withheld = {"candidates": [{"finishReason": reason}]}
    if stream:
        server.streams(withheld)
    else:
        server.answers(withheld)
    assert (await failure(service, stream=stream)).category == "content-filtered"


async def test_an_answer_that_was_cut_is_kept(server: GoogleServer, service: VertexService) -> None:
    server.chat("so far", finish="SAFETY")
    assert "".join(chunk.text for chunk in await chat(service)) == "so far"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_that_was_blocked_is_a_failure(
    server: GoogleServer, service: VertexService, stream: bool
) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}}
    if stream:
        server.streams(blocked)
    else:
        server.answers(blocked)
    error = await failure(service, stream=stream)
    assert error.category == "content-filtered"
    assert "PROHIBITED_CONTENT" in str(error)


async def test_the_delay_in_a_refusal_is_respected(server: GoogleServer, service: VertexService) -> None:
    kind = "type.googleapis.com/google.rpc."
    details = [{"@type": f"{kind}QuotaFailure"}, {"@type": f"{kind}RetryInfo", "retryDelay": "34.5s"}]
    server.refuse(429, "quota exceeded", details)
    error = await failure(service)
    assert (error.category, error.retry_after_seconds) == ("rate-limited", 34.5)


async def test_a_prompt_that_is_too_long_is_told_apart(server: GoogleServer, service: VertexService) -> None:
    server.refuse(400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")
    assert (await failure(service)).category == "too-long"


async def test_errors_wrapped_in_a_list_are_read(server: GoogleServer, service: VertexService) -> None:
    server.answers([{"error": {"code": 403, "message": "API disabled", "status": "PERMISSION_DENIED"}}], status=403)
    error = await failure(service)
    assert error.category == "authentication"
    assert "API disabled" in str(error)


async def test_an_error_in_the_stream_is_told_apart(server: GoogleServer, service: VertexService) -> None:
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    server.streams(content("x"), {"error": error})
    found = await failure(service)
    assert found.category == "transient"
    assert "overloaded" in str(found)


async def test_a_text_completion_is_a_chat_of_one_message(server: GoogleServer, service: VertexService) -> None:
    server.chat("yes")
    assert [chunk.text for chunk in await text(service, "once")] == ["yes", ""]
    assert server.requests[0]["body"] == {"contents": [{"role": "user", "parts": [{"text": "once"}]}]}


async def test_a_text_completion_has_one_prompt(service: VertexService) -> None:
    with pytest.raises(ServiceError, match="exactly one prompt"):
        await text(service, "a", "b")


async def test_chat_with_an_earlier_model_is_a_prediction(server: GoogleServer, service: VertexService) -> None:
    server.answers({"predictions": [{"candidates": [{"author": "1", "content": "V1"}]}]})
    options = CompletionOptions(max_tokens=3, temperature=0.5)
    (chunk,) = await chat(service, Message("Q1", "user"), options=options, model="chat-bison")
    assert (chunk.text, chunk.last) == ("V1", True)
    assert server.requests[0]["path"] == f"{MODELS}chat-bison:predict"
    assert server.requests[0]["body"] == {
        "parameters": {"maxOutputTokens": 3, "temperature": 0.5},
        "instances": [{"context": "", "examples": [], "messages": [{"author": "user", "content": "Q1"}]}],
    }


async def test_a_prediction_without_a_candidate_is_empty(server: GoogleServer, service: VertexService) -> None:
    server.answers({"predictions": [{"candidates": []}]})
    (chunk,) = await chat(service, model="chat-bison@002")
    assert (chunk.text, chunk.last) == ("", True)


async def test_text_with_an_earlier_model_is_a_prediction(server: GoogleServer, service: VertexService) -> None:
    counts = {"inputTokenCount": {"totalTokens": 4}, "outputTokenCount": {"totalTokens": 2}}
    server.answers({"predictions": [{"content": "V1"}], "metadata": {"tokenMetadata": counts}})
    (chunk,) = await text(service, "Q2", model="text-bison")
    assert (chunk.text, chunk.usage) == ("V1", Usage(4, 2))
    assert server.requests[0]["body"] == {"parameters": {}, "instances": [{"prompt": "Q2"}]}


@pytest.mark.parametrize("answer", [{}, [], {"predictions": []}, {"predictions": [{"content": 5}]}])
async def test_predictions_that_make_no_sense_are_malformed(
    server: GoogleServer, service: VertexService, answer: Any
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await text(service, "Q", model="text-bison")
    assert caught.value.category == "malformed"


async def test_embeddings_of_a_batch_are_one_prediction(server: GoogleServer, service: VertexService) -> None:
    found = [{"embeddings": {"values": [1, 5.4], "statistics": {"token_count": 2}}}]
    server.answers({"predictions": found * 2})
    embeddings = await service.embed(
        "text-embedding-005",
        ["a", "b"],
        {"options": {"taskType": "RETRIEVAL_QUERY", "output_dimensionality": 256, "autoTruncate": False}},
    )
    assert embeddings.vectors == [[1.0, 5.4], [1.0, 5.4]]
    assert embeddings.usage == Usage(4)
    assert server.requests[0]["path"] == f"{MODELS}text-embedding-005:predict"
    assert server.requests[0]["body"] == {
        "instances": [
            {"content": "a", "task_type": "RETRIEVAL_QUERY"},
            {"content": "b", "task_type": "RETRIEVAL_QUERY"},
        ],
        "parameters": {"autoTruncate": False, "outputDimensionality": 256},
    }


async def test_plain_embeddings_on_the_wire(server: GoogleServer, service: VertexService) -> None:
    server.answers({"predictions": [{"embeddings": {"values": [1.0, 5.4, 8.7]}}]})
    found = await service.embed("textembedding-gecko", ["hello world"], {})
    assert found.vectors == [[1.0, 5.4, 8.7]]
    assert server.requests[0]["body"] == {"instances": [{"content": "hello world"}]}


async def test_models_that_take_one_text_are_asked_text_by_text(server: GoogleServer, service: VertexService) -> None:
    server.answers({"predictions": [{"embeddings": {"values": [1], "statistics": {"token_count": 2}}}]})
    found = await service.embed("gemini-embedding-001", ["a", "b", "c"], {})
    assert found.vectors == [[1.0]] * 3
    assert found.usage == Usage(6)
    asked = [request["body"]["instances"][0]["content"] for request in server.requests]
    assert sorted(asked) == ["a", "b", "c"]


async def test_one_failure_among_several_requests_is_the_failure(server: GoogleServer, service: VertexService) -> None:
    server.refuse(400, "bad text")
    with pytest.raises(ServiceError, match="bad text") as caught:
        await service.embed("gemini-embedding-001", ["a", "b", "c"], {})
    assert caught.value.category == "refused"


async def test_embeddings_of_the_gemini_api(
    server: GoogleServer, gemini: VertexService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MOST_TEXTS_OF_GEMINI", 2)
    server.answers({"embeddings": [{"values": [1]}, {"values": [2]}]})
    server.answers({"embeddings": [{"values": [3]}]})
    found = await gemini.embed("gemini-embedding-001", ["a", "b", "c"], {"options": {"outputDimensionality": 1}})
    assert len(found.vectors) == 3
    assert server.requests[0]["path"] == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    first = server.requests[0]["body"]["requests"][0]
    assert first == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "a"}]},
        "outputDimensionality": 1,
    }


@pytest.mark.parametrize("answer", [{}, {"predictions": [{}]}, {"predictions": "x"}, []])
async def test_embeddings_that_do_not_fit_are_malformed(
    server: GoogleServer, service: VertexService, answer: Any
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await service.embed("text-embedding-005", ["one"], {})
    assert caught.value.category == "malformed"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("m", "https://r1-aiplatform.googleapis.com/v1/projects/p/locations/r1/publishers/google/models/m:x"),
        ("endpoints/7", "https://r1-aiplatform.googleapis.com/v1/projects/p/locations/r1/endpoints/7:x"),
        (
            "projects/q/locations/l/endpoints/7",
            "https://r1-aiplatform.googleapis.com/v1/projects/q/locations/l/endpoints/7:x",
        ),
        (
            "a b?c",
            "https://r1-aiplatform.googleapis.com/v1/projects/p/locations/r1/publishers/google/models/a%20b%3Fc:x",
        ),
    ],
)
def test_models_have_addresses(model: str, path: str) -> None:
    configuration = VertexConfiguration.model_validate({"region": "r1", "project": "p", "token": "t"})
    assert endpoints_of(configuration).url(model, "x") == path


def test_the_global_region_has_its_own_host() -> None:
    configuration = VertexConfiguration.model_validate({"region": "global", "project": "p", "token": "t"})
    assert endpoints_of(configuration).base == "https://aiplatform.googleapis.com"

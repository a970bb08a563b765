"""Bedrock: what is sent and how it is signed, and what the answers mean."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.ai.bedrock.configuration import BedrockConfiguration
from langstream.services.ai.bedrock.service import BedrockService
from langstream.services.ai.bedrock.signing import Credentials, Signer
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Message, Usage
from tests.services.ai.bedrock.bedrock_server import (
    ACCESS,
    COUNTS,
    SECRET,
    BedrockServer,
    chunk,
    delta,
    event,
    exception,
)

NONE = CompletionOptions()
NOVA = "eu.amazon.nova-lite-v1:0"
ONCE: dict[str, Any] = {"max-attempts": 1, "session-token": "session/token=="}
EXPRESSION = "response-completions-expression"


@pytest.fixture
async def server() -> AsyncIterator[BedrockServer]:
    server = BedrockServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def service(server: BedrockServer) -> AsyncIterator[BedrockService]:
    service = server.service(None, **ONCE)
    await service.start()
    yield service
    await service.close()


async def chat(
    service: AIService,
    *messages: Message,
    options: CompletionOptions = NONE,
    stream: bool = True,
    model: str = NOVA,
) -> list[Chunk]:
    asked = messages or (Message("hi", "user"),)
    return [chunk async for chunk in service.chat(model, asked, options, stream=stream)]


async def failure(
    service: AIService, extra: Mapping[str, Any] = MappingProxyType({}), *, stream: bool = True
) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await chat(service, stream=stream, options=CompletionOptions(extra=extra))
    return caught.value


async def test_a_request_on_the_wire(server: BedrockServer, service: BedrockService) -> None:
    server.chat("yes")
    await chat(
        service, Message("be brief", "system"), Message("hi", "user"), Message("so?"), Message("hello", "assistant")
    )
    (request,) = server.requests
    assert request["raw_path"] == "/model/eu.amazon.nova-lite-v1%3A0/converse-stream"
    assert request["headers"]["accept"] == "application/vnd.amazon.eventstream, application/json"
    assert request["body"] == {
        "messages": [
            {"role": "user", "content": [{"text": "hi"}, {"text": "so?"}]},
            {"role": "assistant", "content": [{"text": "hello"}]},
        ],
        "system": [{"text": "be brief"}],
    }


async def test_the_signature_covers_what_is_sent(server: BedrockServer, service: BedrockService) -> None:
    server.chat("yes")
    await chat(service)
    (request,) = server.requests
    headers = request["headers"]
    moment = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    again = Signer(Credentials(ACCESS, SECRET, "session/token=="), "us-east-1", "bedrock").headers(
        "POST",
        f"http://{headers['host']}{request['raw_path']}",
        {"Content-Type": headers["content-type"]},
        request["raw_body"],
        moment,
    )
    assert headers["authorization"] == again["Authorization"]
    assert headers["x-amz-security-token"] == "session/token=="
    assert re.search(r"/us-east-1/bedrock/aws4_request, SignedHeaders=[\w;-]*content-type;host", again["Authorization"])


async def test_an_api_key_replaces_the_signature(server: BedrockServer) -> None:
    options: dict[str, Any] = {"access-key": None, "secret-key": None, "api-key": "bedrock-api-key-x"}
    service = server.service(None, **options)
    await service.start()
    server.whole("yes")
    await chat(service, stream=False)
    assert server.requests[0]["headers"]["authorization"] == "Bearer bedrock-api-key-x"
    assert "x-amz-date" not in server.requests[0]["headers"]
    await service.close()


async def test_a_whole_request_on_the_wire(server: BedrockServer, service: BedrockService) -> None:
    server.whole("yes")
    (found,) = await chat(service, stream=False)
    assert (found.text, found.last, found.usage) == ("yes", True, Usage(7, 3))
    assert server.requests[0]["raw_path"] == "/model/eu.amazon.nova-lite-v1%3A0/converse"


async def test_an_arn_is_one_segment_of_the_path(server: BedrockServer, service: BedrockService) -> None:
    server.whole("yes")
    await chat(service, stream=False, model="arn:aws:bedrock:eu-west-1:1:inference-profile/x")
    path = "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse"
    assert server.requests[0]["raw_path"] == path


async def test_options_are_sent(server: BedrockServer, service: BedrockService) -> None:
    server.chat("yes")
    options = CompletionOptions(
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        stop=["END"],
        extra={
            "top_k": 5,
            "guardrailConfig": {"guardrailIdentifier": "g"},
            "inferenceConfig": {"maxTokens": 1},
            "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
            "messages": [],
        },
    )
    await chat(service, options=options)
    assert server.requests[0]["body"] == {
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"thinking": {"type": "disabled"}, "top_k": 5},
    }


async def test_thoughts_and_tools_are_no_text(server: BedrockServer, service: BedrockService) -> None:
    server.frames(
        event("messageStart", {"role": "assistant"}),
        event("contentBlockDelta", {"delta": {"reasoningContent": {"text": "hm"}}}),
        event("contentBlockStart", {"start": {"toolUse": {"name": "x"}}}),
        event("contentBlockDelta", {"delta": {"toolUse": {"input": "{"}}}),
        delta("yes"),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": {**COUNTS, "cacheReadInputTokens": 100}}),
    )
    *texts, last = await chat(service)
    assert [found.text for found in texts] == ["yes"]
    assert last.usage == Usage(107, 3)


async def test_a_stream_without_its_end_is_a_failure(server: BedrockServer, service: BedrockService) -> None:
    server.frames(delta("x"))
    error = await failure(service)
    assert error.category == "transient"
    assert "before the end" in str(error)


async def test_a_frame_with_a_wrong_checksum_is_malformed(server: BedrockServer, service: BedrockService) -> None:
    server.frames(delta("x"), delta("y")[:-1] + b"\x00")
    error = await failure(service)
    assert (error.category, error.retryable) == ("malformed", True)
    assert "checksum" in str(error)


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("throttlingException", "rate-limited"),
        ("modelStreamErrorException", "transient"),
        ("internalServerException", "transient"),
        ("serviceUnavailableException", "transient"),
        ("validationException", "refused"),
    ],
)
async def test_exceptions_in_the_stream_are_told_apart(
    server: BedrockServer, service: BedrockService, kind: str, category: str
) -> None:
    server.frames(delta("x"), exception(kind, "the words"))
    error = await failure(service)
    assert error.category == category
    assert "the words" in str(error)
    assert kind[1:] in str(error)


@pytest.mark.parametrize(
    ("status", "words", "category"),
    [
        (400, "Input is too long for requested model.", "too-long"),
        (400, "The model returned: Too many input tokens. Max 8192", "too-long"),
        (400, "Malformed input request", "refused"),
        (408, "Model timed out", "transient"),
        (424, "The model fell over", "transient"),
        (403, "You don't have access to the model", "authentication"),
    ],
)
async def test_refusals_are_told_apart(
    server: BedrockServer, service: BedrockService, status: int, words: str, category: str
) -> None:
    server.refuse(status, words)
    assert (await failure(service)).category == category


async def test_the_kind_of_a_refusal_goes_before_its_status(server: BedrockServer, service: BedrockService) -> None:
    server.refuse(400, "quota", kind="ServiceQuotaExceededException")
    assert (await failure(service)).category == "rate-limited"
    server.replies.clear()
    server.refuse(429, "not ready", kind="ModelNotReadyException")
    assert (await failure(service)).category == "transient"


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_withheld_is_a_failure(
    server: BedrockServer, service: BedrockService, stream: bool
) -> None:
    if stream:
        server.chat(finish="content_filtered")
    else:
        server.answers({"output": {"message": {"content": []}}, "stopReason": "content_filtered"})
    assert (await failure(service, stream=stream)).category == "content-filtered"


async def test_the_words_of_a_guardrail_are_an_answer(server: BedrockServer, service: BedrockService) -> None:
    server.chat("Let us talk of other things.", finish="guardrail_intervened")
    assert "".join(found.text for found in await chat(service)) == "Let us talk of other things."


async def test_a_model_is_invoked_in_its_own_layout(server: BedrockServer, service: BedrockService) -> None:
    server.answers({"completions": [{"data": {"text": "\nT1 T2"}}], "id": None})
    extra = {"request-parameters": {"maxTokens": 5, "temperature": 0.2}, EXPRESSION: "completions[0].data.text"}
    options = CompletionOptions(max_tokens=1000, extra=extra)
    (found,) = await chat(service, Message("Describe the car please"), options=options, model="ai21.j2-mid-v1")
    assert (found.text, found.last) == ("T1 T2", True)
    assert server.requests[0]["path"] == "/model/ai21.j2-mid-v1/invoke"
    assert server.requests[0]["body"] == {"prompt": "Describe the car please", "maxTokens": 5, "temperature": 0.2}
    assert server.requests[0]["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")


async def test_the_prompt_goes_where_the_layout_wants_it(server: BedrockServer, service: BedrockService) -> None:
    server.answers({"results": [{"outputText": 5}]})
    options = CompletionOptions(extra={"request-prompt-property": "inputText", EXPRESSION: "results[0].outputText"})
    found = [found async for found in service.complete("amazon.titan", ["x"], options, stream=True)]
    assert [(piece.text, piece.last) for piece in found] == [("5", True)]
    assert server.requests[0]["body"] == {"inputText": "x"}


async def test_members_with_the_names_of_roots_are_found(server: BedrockServer, service: BedrockService) -> None:
    server.answers({"value": {"text": "yes"}})
    (found,) = await chat(service, options=CompletionOptions(extra={EXPRESSION: "value.text"}))
    assert found.text == "yes"


@pytest.mark.parametrize("expression", ["nothing", "completions[3].text", "fn:lowercase(5, 6, 7)"])
async def test_an_expression_that_finds_nothing_is_a_failure(
    server: BedrockServer, service: BedrockService, expression: str
) -> None:
    server.answers({"completions": []})
    error = await failure(service, {EXPRESSION: expression})
    assert error.category in ("malformed", "refused")
    assert EXPRESSION in str(error)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"request-parameters": {"a": 1}}, f"`{EXPRESSION}` is required"),
        ({EXPRESSION: "a ++"}, "not a valid expression"),
        ({"request-parameters": 5, EXPRESSION: "a"}, "must be an object"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    server: BedrockServer, service: BedrockService, extra: dict[str, Any], words: str
) -> None:
    error = await failure(service, extra)
    assert error.category == "refused"
    assert words in str(error)
    assert server.requests == []


async def test_an_invoked_model_takes_one_prompt(service: BedrockService) -> None:
    options = CompletionOptions(extra={EXPRESSION: "a"})
    with pytest.raises(ServiceError, match="exactly one prompt"):
        await chat(service, Message("a"), Message("b"), options=options)
    with pytest.raises(ServiceError, match="exactly one prompt"):
        [found async for found in service.complete(NOVA, ["a", "b"], NONE, stream=True)]


async def test_an_invoked_model_streams_with_an_expression_for_pieces(
    server: BedrockServer, service: BedrockService
) -> None:
    metrics = {"inputTokenCount": 4, "outputTokenCount": 2}
    server.frames(
        chunk({"type": "start"}),
        chunk({"delta": {"text": "T1"}}),
        chunk({"delta": {"text": " T2"}}),
        chunk({"type": "stop", "amazon-bedrock-invocationMetrics": metrics}),
    )
    options = CompletionOptions(extra={"response-stream-expression": "delta.text"})
    found = await chat(service, options=options)
    assert [(piece.text, piece.last) for piece in found] == [("T1", False), (" T2", False), ("", True)]
    assert found[-1].usage == Usage(4, 2)
    assert server.requests[0]["path"].endswith("/invoke-with-response-stream")


async def test_a_piece_that_is_not_json_is_malformed(server: BedrockServer, service: BedrockService) -> None:
    server.frames(event("chunk", {"bytes": "e29vcHM="}))
    assert (await failure(service, {"response-stream-expression": "x"})).category == "malformed"


async def test_titan_is_asked_text_by_text(server: BedrockServer, service: BedrockService) -> None:
    server.answers({"embedding": [0.5], "inputTextTokenCount": 3})
    options = {"options": {"dimensions": 256}}
    found = await service.embed("amazon.titan-embed-text-v2:0", ["x", "y"], options)
    assert found.vectors == [[0.5], [0.5]]
    assert found.usage == Usage(6)
    assert server.requests[0]["raw_path"] == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    bodies = sorted((request["body"] for request in server.requests), key=lambda body: str(body["inputText"]))
    assert bodies == [{"dimensions": 256, "inputText": "x"}, {"dimensions": 256, "inputText": "y"}]


@pytest.mark.parametrize("answer", [[[1], [2]], {"float": [[1], [2]]}])
async def test_cohere_is_asked_once(server: BedrockServer, service: BedrockService, answer: Any) -> None:
    server.answers({"embeddings": answer})
    found = await service.embed("cohere.embed-english-v3", ["x", "y"], {"options": {"truncate": "END"}})
    assert found.vectors == [[1.0], [2.0]]
    (request,) = server.requests
    assert request["body"] == {"input_type": "search_document", "truncate": "END", "texts": ["x", "y"]}


@pytest.mark.parametrize("answer", [{}, [], {"embedding": "x"}, {"embedding": []}])
async def test_embeddings_that_do_not_fit_are_malformed(
    server: BedrockServer, service: BedrockService, answer: Any
) -> None:
    server.answers(answer)
    with pytest.raises(ServiceError) as caught:
        await service.embed("amazon.titan-embed-text-v1", ["one"], {})
    assert caught.value.category == "malformed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "'access-key' is required"),
        ({"access-key": "a"}, "'secret-key' is required"),
        ({"access-key": "a", "secret-key": " "}, "'secret-key' is required"),
        ({"access-key": "a", "secret-key": "b", "api-key": "c"}, "one or the other"),
        ({"access-key": "a", "secret-key": "b", "region": "eu/../x"}, "must be a region"),
    ],
)
def test_credentials_are_required(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BedrockConfiguration.model_validate(options)


@pytest.mark.parametrize(
    ("region", "base"),
    [
        ("eu-west-1", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_regions_have_addresses(region: str, base: str) -> None:
    assert BedrockConfiguration.model_validate({"api-key": "k", "region": region}).base == base

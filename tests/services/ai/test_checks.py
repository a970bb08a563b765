"""Asking AI services whether they can be used: wrong keys, models that are not there, and nothing generated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, ModelUse
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.service import OpenAIService
from tests.services.ai.anthropic.anthropic_server import AnthropicServer
from tests.services.ai.bedrock.bedrock_server import BedrockServer
from tests.services.ai.fake_server import FakeServer, Reply
from tests.services.ai.huggingface.hugging_face_server import HuggingFaceServer
from tests.services.ai.ollama.ollama_server import OllamaServer
from tests.services.ai.vertex.google_server import GoogleServer

Answer: TypeAlias = Callable[[Mapping[str, Any]], Reply]
Serve: TypeAlias = Callable[..., Awaitable[tuple[AIService, FakeServer]]]

GOOD = ModelUse("good", "completions")
BAD = ModelUse("bad", "completions")


class OpenAIServer(FakeServer):
    def service(self, **options: Any) -> AIService:
        configuration = {"url": f"{self.url}/v1", "access-key": "sk-very-secret", **options}
        return OpenAIService(OpenAIConfiguration.model_validate(configuration))


class AzureServer(FakeServer):
    def service(self, **options: Any) -> AIService:
        configuration = {"provider": "azure", "url": self.url, "access-key": "azure-very-secret", **options}
        return OpenAIService(OpenAIConfiguration.model_validate(configuration))


class GeminiServer(GoogleServer):
    def service(self, *_: Any, **options: Any) -> Any:
        return super().service(**{"api-key": "AIza-very-secret", "token": None, **options})


def listed(path: str, body: Any) -> Answer:
    return lambda request: Reply(body=body) if request["raw_path"] == path else Reply(status=404, body={})


def by_path(refused: Any, *good: str, unknown: Any = None) -> Answer:
    """Good models have these addresses; what is asked there is refused for its content, or answered."""

    def answer(request: Mapping[str, Any]) -> Reply:
        if request["raw_path"] in good:
            return Reply(status=400, body=refused) if refused is not None else Reply(body={"id": "good"})
        return unknown or Reply(status=404, body={"error": {"message": "no such thing", "code": "not_found"}})

    return answer


GOOGLE = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
LOCATION = "/v1/projects/the-project/locations/us-central1"
GOOGLE_404 = Reply(status=404, body={"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}})
BEDROCK_BAD = Reply(
    status=400,
    body={"message": "The provided model identifier is invalid."},
    headers={"x-amzn-ErrorType": "ValidationException:http://x"},
)

SERVICES: dict[str, tuple[type[FakeServer], Answer, int]] = {
    "openai": (OpenAIServer, listed("/v1/models", {"data": [{"id": "good"}, {"id": "other"}]}), 401),
    "compatible": (OpenAIServer, by_path({"error": {"message": "messages missing"}}, "/v1/chat/completions"), 401),
    "azure": (
        AzureServer,
        by_path(
            {"error": {"message": "messages missing"}},
            "/openai/deployments/good/chat/completions?api-version=2023-08-01-preview",
        ),
        401,
    ),
    "ollama": (OllamaServer, listed("/api/tags", {"models": [{"name": "good:latest"}, {"name": "x:7b"}]}), 401),
    "anthropic": (AnthropicServer, by_path(None, "/v1/models/good", "/v1/models?limit=1"), 401),
    "vertex": (
        GoogleServer,
        by_path(
            {"error": {"code": 400, "message": "contents missing", "status": "INVALID_ARGUMENT"}},
            f"{LOCATION}/publishers/google/models/good:countTokens",
            unknown=GOOGLE_404,
        ),
        401,
    ),
    "gemini": (GeminiServer, by_path(None, "/v1beta/models/good", unknown=GOOGLE_404), 400),
    "bedrock": (
        BedrockServer,
        by_path({"message": "messages missing"}, "/model/good/converse", unknown=BEDROCK_BAD),
        403,
    ),
}


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server that answers like this, and the service in front of it."""
    started: list[Any] = []

    async def serve(kind: type[FakeServer], answer: Answer, **options: Any) -> tuple[AIService, FakeServer]:
        server: Any = kind()
        server.reply_to = answer
        await server.start()
        service: AIService = server.service(**options)
        await service.start()
        started.extend((service, server))
        return service, server

    yield serve
    for opened in started:
        await opened.close()


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "compatible"])
async def test_a_model_that_the_service_does_not_have_is_told_with_its_words(serve: Serve, name: str) -> None:
    kind, answer, _ = SERVICES[name]
    service, _ = await serve(kind, answer)
    missing = await service.check([GOOD, BAD])
    assert set(missing) == {BAD}
    assert any(word in missing[BAD] for word in ("no such", "has no model", "identifier is invalid"))


@pytest.mark.parametrize("name", SERVICES)
async def test_a_wrong_key_is_told_from_all_else(serve: Serve, name: str) -> None:
    kind, _, status = SERVICES[name]
    service, server = await serve(
        kind,
        lambda _: Reply(
            status=status,
            body={"error": {"message": "API key not valid", "status": GOOGLE[status]}, "message": "who are you"},
            headers={"x-amzn-ErrorType": "UnrecognizedClientException:x"} if kind is BedrockServer else {},
        ),
    )
    with pytest.raises(ServiceError) as caught:
        await service.check([GOOD])
    assert caught.value.category == "authentication"
    assert len(server.requests) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_that_is_not_there_is_asked_once_and_told_as_passing(serve: Serve, name: str) -> None:
    service, server = await serve(SERVICES[name][0], lambda _: Reply(status=503, body={"message": "closed"}))
    with pytest.raises(ServiceError) as caught:
        await service.check([GOOD])
    assert caught.value.category == "transient"
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", SERVICES)
async def test_without_models_the_credentials_are_checked_all_the_same(serve: Serve, name: str) -> None:
    service, server = await serve(
        SERVICES[name][0],
        lambda _: Reply(status=403, body={"message": "no"}, headers={"x-amzn-ErrorType": "AccessDeniedException"}),
    )
    with pytest.raises(ServiceError) as caught:
        await service.check([])
    assert caught.value.category == "authentication"
    assert server.requests


async def test_a_server_without_a_list_of_models_is_asked_by_a_request_without_content(serve: Serve) -> None:
    kind, answer, _ = SERVICES["compatible"]
    service, server = await serve(kind, answer)
    assert await service.check([GOOD]) == {}
    assert [(request["method"], request["body"]) for request in server.requests] == [("GET", None), ("POST", {})]


async def test_models_of_embeddings_are_asked_for_where_embeddings_are_made(serve: Serve) -> None:
    use = ModelUse("vectors", "embeddings")
    path = "/openai/deployments/vectors/embeddings?api-version=2023-08-01-preview"
    service, _ = await serve(AzureServer, by_path({"error": {"message": "input missing"}}, path))
    assert await service.check([use]) == {}


async def test_a_misspelt_model_comes_with_a_guess_and_ollama_with_the_command(serve: Serve) -> None:
    service, _ = await serve(OllamaServer, listed("/api/tags", {"models": [{"name": "llama3.2:latest"}]}))
    use = ModelUse("lama3.2:latest", "completions")
    assert "Did you mean 'llama3.2:latest'?" in (await service.check([use]))[use]
    assert "ollama pull" in (await service.check([use]))[use]


async def test_hugging_face_tells_whose_the_token_is_and_which_models_make_vectors(serve: Serve) -> None:
    def hub(request: Mapping[str, Any]) -> Reply:
        if request["path"] == "/api/whoami-v2":
            return Reply(body={"name": "tester"})
        if request["path"] == "/api/models/org/good":
            return Reply(body={"id": "org/good", "tags": ["sentence-transformers"]})
        if request["path"] == "/api/models/org/other":
            return Reply(body={"id": "org/other", "tags": ["text-generation"]})
        return Reply(status=404, body={"error": "no such model"})

    service, server = await serve(HuggingFaceServer, hub)
    await service.close()
    service = server.service(**{"model-check-url": f"{server.url}/api/models"})  # type: ignore[attr-defined]
    await service.start()
    good, other, none = (ModelUse(f"org/{name}", "embeddings") for name in ("good", "other", "none"))
    missing = await service.check([good, other, none])
    await service.close()
    assert set(missing) == {other, none}
    assert "sentence-transformers" in missing[other]


async def test_hugging_face_with_a_wrong_token(serve: Serve) -> None:
    _, server = await serve(HuggingFaceServer, lambda _: Reply(status=401, body={"error": "Invalid username"}))
    service = server.service(**{"model-check-url": f"{server.url}/api/models"})  # type: ignore[attr-defined]
    await service.start()
    with pytest.raises(ServiceError) as caught:
        await service.check([])
    await service.close()
    assert caught.value.category == "authentication"
    assert server.requests[0]["path"] == "/api/whoami-v2"


async def test_encoders_of_this_process_need_no_server() -> None:
    server = HuggingFaceServer()
    server.url = "http://127.0.0.1:9"
    service = server.service(provider="local")
    await service.start()
    assert await service.check([ModelUse("sentence-transformers/all-MiniLM-L6-v2", "embeddings")]) == {}
    await service.close()

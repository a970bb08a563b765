"""The ways into Google's services: which of them must be configured, and how tokens are fetched and renewed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Timeouts
from langstream.services.ai.vertex import account as account_module
from langstream.services.ai.vertex.account import AccountTokens, account_of
from langstream.services.ai.vertex.configuration import VertexConfiguration
from tests.services.ai.vertex.google_server import GoogleServer, TokenServer

PLACE = {"region": "r", "project": "p"}


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    server = TokenServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def models() -> AsyncIterator[GoogleServer]:
    server = GoogleServer()
    await server.start()
    yield server
    await server.close()


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def account(tokens: TokenServer, clock: Clock) -> AsyncIterator[AccountTokens]:
    tokens.grants("first")
    account = AccountTokens(account_of(tokens.key_file()), Timeouts(), RetryPolicy(attempts=1), clock)
    await account.start()
    tokens.replies.clear()
    yield account
    await account.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**PLACE}, "there is none"),
        ({**PLACE, "token": " "}, "there is none"),
        ({**PLACE, "token": "t", "api-key": "k"}, "there are 'token' and 'api-key'"),
        ({"region": "r", "token": "t"}, "'project' is required"),
        ({"project": "p", "token": "t"}, "'region' is required"),
        ({**PLACE, "serviceAccountJson": "{"}, "must be the JSON object"),
        ({**PLACE, "serviceAccountJson": "[]"}, "must be the JSON object"),
        ({**PLACE, "serviceAccountJson": '{"private_key": "hush-hush"}'}, "has no 'client_email'"),
        ({**PLACE, "serviceAccountJson": '{"client_email": "a", "private_key": "k", "token_uri": "x"}'}, "no address"),
    ],
)
def test_exactly_one_way_in_is_required(options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        VertexConfiguration.model_validate(options)
    assert "hush-hush" not in str(caught.value)


def test_the_gemini_api_needs_no_place() -> None:
    assert VertexConfiguration.model_validate({"api-key": " k "}).api_key == "k"


async def test_a_service_account_gets_a_token_at_the_start(tokens: TokenServer, models: GoogleServer) -> None:
    tokens.grants("ya29.fresh")
    models.chat("yes")
    options: dict[str, Any] = {"token": None, "serviceAccountJson": tokens.key_file()}
    service = models.service(None, **options)
    await service.start()
    claims = tokens.claims()
    assert claims["iss"] == "robot@the-project.example"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert claims["exp"] - claims["iat"] == 3600
    answer = service.chat("gemini", [Message("hi")], CompletionOptions(), stream=True)
    assert "".join([chunk.text async for chunk in answer]) == "yes"
    assert models.requests[0]["headers"]["authorization"] == "Bearer ya29.fresh"
    assert len(tokens.requests) == 1
    await service.close()


async def test_a_token_that_is_revoked_is_replaced(
    tokens: TokenServer, models: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.grants("first")
    tokens.grants("second")
    models.refuse(401, "revoked")
    models.whole("yes")
    options: dict[str, Any] = {"token": None, "serviceAccountJson": tokens.key_file()}
    service = models.service(RetryPolicy(attempts=2, first_delay_seconds=0), **options)
    await service.start()
    monkeypatch.setattr(account_module, "YOUNG_SECONDS", 0.0)
    answer = service.chat("gemini", [Message("hi")], CompletionOptions(), stream=False)
    assert [chunk.text async for chunk in answer] == ["yes"]
    assert [request["headers"]["authorization"] for request in models.requests] == ["Bearer first", "Bearer second"]
    await service.close()


async def test_a_fresh_token_that_is_refused_is_a_failure(tokens: TokenServer, models: GoogleServer) -> None:
    tokens.grants("first")
    models.refuse(401, "wrong audience")
    options: dict[str, Any] = {"token": None, "serviceAccountJson": tokens.key_file()}
    service = models.service(None, **options)
    await service.start()
    with pytest.raises(ServiceError, match="wrong audience") as caught:
        await anext(service.chat("gemini", [Message("hi")], CompletionOptions(), stream=False))
    assert caught.value.category == "authentication"
    assert len(models.requests) == 1
    await service.close()


async def test_an_account_that_is_refused_ends_the_start(tokens: TokenServer, models: GoogleServer) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    tokens.answers(refusal, status=400)
    options: dict[str, Any] = {"token": None, "serviceAccountJson": tokens.key_file()}
    service = models.service(None, **options)
    with pytest.raises(ServiceError, match=r"invalid_grant: Invalid JWT Signature\..*serviceAccountJson") as caught:
        await service.start()
    assert caught.value.category == "authentication"
    await service.close()


async def test_a_token_is_renewed_before_it_expires(tokens: TokenServer, account: AccountTokens, clock: Clock) -> None:
    tokens.grants("second")
    clock.now += 3600 - 121
    assert await account.current() == "first"
    clock.now += 2
    assert await account.current() == "second"
    assert len(tokens.requests) == 2


async def test_callers_share_one_renewal(tokens: TokenServer, account: AccountTokens, clock: Clock) -> None:
    tokens.grants("second")
    clock.now += 3600
    assert await asyncio.gather(*(account.current() for _ in range(5))) == ["second"] * 5
    assert len(tokens.requests) == 2


async def test_a_token_that_cannot_be_renewed_serves_until_it_expires(
    tokens: TokenServer, account: AccountTokens, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.answers({}, status=503)
    clock.now += 3600 - 60
    with caplog.at_level(logging.WARNING):
        assert await account.current() == "first"
    assert "cannot be renewed yet" in caplog.text
    clock.now += 60
    with pytest.raises(ServiceError):
        await account.current()
    tokens.replies.clear()
    tokens.grants("second")
    assert await account.current() == "second"


@pytest.mark.parametrize("answer", [{}, [], {"access_token": ""}, {"access_token": "t", "expires_in": "soon"}])
async def test_an_answer_without_a_token_is_malformed(
    tokens: TokenServer, account: AccountTokens, clock: Clock, answer: Any
) -> None:
    tokens.answers(answer)
    clock.now += 3600
    with pytest.raises(ServiceError) as caught:
        await account.current()
    assert caught.value.category == "malformed"


async def test_a_key_that_is_none_is_refused_without_being_quoted(tokens: TokenServer) -> None:
    account = account_of(tokens.key_file(private_key="-----BEGIN hush-hush"))
    with pytest.raises(ServiceError, match="not the PEM text") as caught:
        account.assertion(0)
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(account)

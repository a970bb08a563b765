"""Authentication at the door of a running gateway: credentials, test mode, principals in headers."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from langstream.application.model import Gateway, GatewayAuthentication, GatewayType, HeaderRule
from langstream.gateway.authentication import door
from langstream.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start

SECRET = b"a secret of at least thirty-two bytes!"
CONFIGURATION = {"secretKey": base64.b64encode(SECRET).decode()}
TOKEN = jwt.encode({"sub": "ann", "login": "ann-login"}, SECRET, algorithm="HS256")
TEST_SECRET = b"the testers' secret of thirty-two bytes"
TEST_MODE = GatewaySettings(
    test_provider="jwt", test_provider_configuration={"secretKey": base64.b64encode(TEST_SECRET).decode()}
)
TEST_TOKEN = jwt.encode({"sub": "tester"}, TEST_SECRET, algorithm="HS256")


def guarded(*, test_mode: bool = True, provider: str = "jwt", configuration: Any = None) -> Gateway:
    return Gateway(
        "up",
        GatewayType.PRODUCE,
        topic="in",
        authentication=GatewayAuthentication(
            provider, CONFIGURATION if configuration is None else configuration, test_mode
        ),
        headers=(HeaderRule("login", value_from_authentication="login"),),
    )


async def post(gateway: Harness, query: dict[str, str], headers: dict[str, str] | None = None) -> tuple[int, str]:
    url = gateway.url("produce", "up", query)
    async with gateway.http.post(url, json={"value": "x"}, headers=headers) as answer:
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        return answer.status, (await answer.json(content_type=None)).get("detail", "")


async def test_only_good_credentials_open_the_gateway(start: Start) -> None:
    gateway = await start(guarded())
    for query in ({}, {"credentials": ""}, {"credentials": "wrong"}):
        status, detail = await post(gateway, query)
        assert status == 401
        assert detail.startswith("Error for gateway up (tenant: default, appId: app): ")
    assert (await post(gateway, {"credentials": TOKEN}))[0] == 200
    assert (await gateway.read("in", 1))[0].headers() == [("login", "ann-login")]


async def test_credentials_may_come_as_a_bearer_token(start: Start) -> None:
    gateway = await start(guarded())
    assert (await post(gateway, {}, {"Authorization": f"Bearer {TOKEN}"}))[0] == 200
    assert (await post(gateway, {"credentials": "wrong"}, {"Authorization": f"Bearer {TOKEN}"}))[0] == 401
    assert (await post(gateway, {}, {"Authorization": f"Basic {TOKEN}"}))[0] == 401


async def test_testers_get_a_principal_made_of_their_credentials(start: Start) -> None:
    gateway = await start(guarded(), settings=TEST_MODE)
    assert (await post(gateway, {"test-credentials": TEST_TOKEN}))[0] == 200
    login = hashlib.sha256(TEST_TOKEN.encode()).hexdigest()
    assert (await gateway.read("in", 1))[0].headers() == [("login", login)]
    for bad in ("", "wrong", TOKEN):
        assert (await post(gateway, {"test-credentials": bad}))[0] == 401


async def test_a_gateway_may_keep_testers_out(start: Start) -> None:
    gateway = await start(guarded(test_mode=False), settings=TEST_MODE)
    status, detail = await post(gateway, {"test-credentials": TEST_TOKEN})
    assert status == 401
    assert "does not allow test mode." in detail


async def test_without_a_test_provider_there_are_no_testers(start: Start) -> None:
    gateway = await start(guarded())
    status, detail = await post(gateway, {"test-credentials": "x"})
    assert status == 401
    assert "No test auth provider specified" in detail


async def test_both_kinds_of_credentials_are_a_mistake(start: Start) -> None:
    gateway = await start(guarded())
    assert (await post(gateway, {"test-credentials": "x", "credentials": "y"}))[0] == 400


@pytest.mark.parametrize(
    ("provider", "configuration", "text"),
    [
        ("jtw", {}, "Did you mean 'jwt'?"),
        ("jwt", {"secretKye": "hush"}, "secretKye"),
        ("jwt", {"publicKey": "hush hush"}, "cannot be set up"),
    ],
)
async def test_a_gateway_that_cannot_authenticate_lets_nobody_in(
    start: Start, provider: str, configuration: dict[str, str], text: str
) -> None:
    gateway = await start(guarded(provider=provider, configuration=configuration))
    status, detail = await post(gateway, {"credentials": TOKEN})
    assert status == 500
    assert text in detail
    assert "hush" not in detail


async def test_an_identity_provider_that_is_away_is_service_unavailable(start: Start) -> None:
    gateway = await start(guarded(provider="http", configuration={"base-url": "http://127.0.0.1:1"}))
    status, detail = await post(gateway, {"credentials": "the-credentials"})
    assert status == 503
    assert "the-credentials" not in detail


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("a", 97), ("hello", 99162322), ("polygenelubricants", -(1 << 31))]
)
def test_the_hash_of_a_text_has_32_bits(text: str, expected: int) -> None:
    assert door.string_hash(text) == expected


def test_a_tester_has_every_member_a_header_may_want() -> None:
    assert set(door.tester("x")) == {"subject", "name", "login", "email", "id"}

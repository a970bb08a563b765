"""The built-in authentication providers against an identity provider on loopback, with real keys."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from langstream.errors import ServiceError
from langstream.gateway.authentication import github, google, http
from langstream.gateway.authentication import jwt as tokens
from langstream.gateway.authentication.contract import AuthenticationFailed, Authenticator, Provider, RequestInfo
from langstream.gateway.outbound import Outbound

REQUEST = RequestInfo("the tenant", "app", "gw")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = b"a secret of at least thirty-two bytes!"
ENCODED_SECRET = base64.b64encode(SECRET).decode()
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
DER = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


class Issuer:
    """Answers what a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.address = ""
        self.status = 200
        self.body: Any = {}
        self.headers: dict[str, str] = {}
        self.asked: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.json_response(self.body, status=self.status, headers=self.headers)

    def publish(self, key: rsa.RSAPrivateKey = KEY, key_id: str = "k1") -> None:
        published = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.body = {"keys": [{**published, "kid": key_id, "use": "sig", "alg": "RS256"}]}


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", issuer.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield issuer
    await runner.cleanup()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    outbound = Outbound()
    yield outbound
    await outbound.close()


def made(provider: Provider, outbound: Outbound, configuration: dict[str, Any]) -> Authenticator:
    return provider.create(provider.configuration.model_validate(configuration), outbound)


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", key_id: str | None = "k1") -> str:
    headers = {"kid": key_id} if key_id else {}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


# --- http ---


async def test_http_asks_with_the_credentials_and_the_tenant(issuer: Issuer, outbound: Outbound) -> None:
    judge = made(
        http.PROVIDER,
        outbound,
        {"base-url": issuer.address, "path-template": "/auth/{tenant}", "headers": {"X-Gate": "north"}},
    )
    assert await judge.authenticate("token", REQUEST) == {}
    asked = issuer.asked[0]
    assert (asked.method, asked.raw_path) == ("GET", "/auth/the%20tenant")
    assert (asked.headers["Authorization"], asked.headers["X-Gate"]) == ("Bearer token", "north")


async def test_http_accepts_only_accepted_statuses(issuer: Issuer, outbound: Outbound) -> None:
    judge = made(http.PROVIDER, outbound, {"base-url": issuer.address, "accepted-statuses": [204]})
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate("token", REQUEST)


async def test_http_takes_the_token_to_no_other_place(issuer: Issuer, outbound: Outbound) -> None:
    judge = made(http.PROVIDER, outbound, {"base-url": issuer.address})
    issuer.status, issuer.headers = 302, {"Location": f"{issuer.address}/elsewhere"}
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate("token", REQUEST)
    assert len(issuer.asked) == 1


async def test_a_service_that_is_away_is_not_the_clients_fault(outbound: Outbound) -> None:
    judge = made(http.PROVIDER, outbound, {"base-url": "http://127.0.0.1:1"})
    with pytest.raises(ServiceError) as failure:
        await judge.authenticate("the-token", REQUEST)
    assert "the-token" not in str(failure.value)


async def test_credentials_cannot_smuggle_headers(issuer: Issuer, outbound: Outbound) -> None:
    judge = made(http.PROVIDER, outbound, {"base-url": issuer.address})
    with pytest.raises((AuthenticationFailed, ServiceError)):
        await judge.authenticate("token\r\nX-Admin: yes", REQUEST)
    assert not issuer.asked


# --- github ---


async def test_github_gives_the_members_of_the_user_as_text(issuer: Issuer, outbound: Outbound) -> None:
    issuer.body = {"login": "ann", "id": 42, "name": None, "plan": {"name": "free"}, "site_admin": False}
    judge = made(github.PROVIDER, outbound, {"api-url": issuer.address})
    assert await judge.authenticate("token", REQUEST) == {"login": "ann", "id": "42", "site_admin": "false"}


@pytest.mark.parametrize("client", ["mine", None])
async def test_github_refuses_a_token_that_github_refuses(
    issuer: Issuer, outbound: Outbound, client: str | None
) -> None:
    issuer.status, issuer.body = 401, {"message": "Bad credentials"}
    issuer.headers = {"X-OAuth-Client-Id": "mine"}
    judge = made(github.PROVIDER, outbound, {"api-url": issuer.address, "clientId": client})
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate("garbage", REQUEST)


@pytest.mark.parametrize("headers", [{}, {"X-OAuth-Client-Id": "theirs"}])
async def test_github_refuses_a_token_of_another_application(
    issuer: Issuer, outbound: Outbound, headers: dict[str, str]
) -> None:
    issuer.body, issuer.headers = {"login": "ann"}, headers
    judge = made(github.PROVIDER, outbound, {"api-url": issuer.address, "clientId": "mine"})
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate("token", REQUEST)


# --- google ---


def identity(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": "client", "sub": "7", "email": "ann@example.org"}
    return {**claims, "name": "Ann", "iat": now, "exp": now + 60, **changes}


async def test_google_accepts_a_token_for_its_client(issuer: Issuer, outbound: Outbound) -> None:
    issuer.publish()
    judge = made(google.PROVIDER, outbound, {"clientId": "client", "keys-url": issuer.address})
    for _ in range(3):
        principal = await judge.authenticate(signed(identity()), REQUEST)
    assert principal == {"subject": "7", "email": "ann@example.org", "name": "Ann"}
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    "token",
    [
        signed(identity(aud="another")),
        signed(identity(iss="https://evil.example")),
        signed(identity(exp=1)),
        signed(identity(), OTHER_KEY),
        signed(identity(), key_id="k2"),
        signed(identity(), PEM.encode()[:64], "HS256"),
        jwt.encode(identity(), "", algorithm="none", headers={"kid": "k1"}),
        "garbage",
        "",
    ],
    ids=["audience", "issuer", "expired", "signature", "key id", "algorithm", "unsigned", "garbage", "empty"],
)
async def test_google_refuses_other_tokens(issuer: Issuer, outbound: Outbound, token: str) -> None:
    issuer.publish()
    judge = made(google.PROVIDER, outbound, {"clientId": "client", "keys-url": issuer.address})
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate(token, REQUEST)


async def test_invented_key_ids_do_not_flood_the_issuer(issuer: Issuer, outbound: Outbound) -> None:
    issuer.publish()
    judge = made(google.PROVIDER, outbound, {"clientId": "client", "keys-url": issuer.address})
    for number in range(5):
        with pytest.raises(AuthenticationFailed):
            await judge.authenticate(signed(identity(), key_id=f"invented {number}"), REQUEST)
    assert len(issuer.asked) == 1


async def test_keys_that_cannot_be_fetched_are_not_the_clients_fault(issuer: Issuer, outbound: Outbound) -> None:
    issuer.status = 500
    judge = made(google.PROVIDER, outbound, {"clientId": "client", "keys-url": issuer.address})
    with pytest.raises(ServiceError):
        await judge.authenticate(signed(identity()), REQUEST)


# --- jwt ---


@pytest.mark.parametrize(
    ("configuration", "key", "algorithm"),
    [
        ({"secretKey": ENCODED_SECRET}, SECRET, "HS256"),
        ({"secretKey": f"data:;base64,{ENCODED_SECRET}"}, SECRET, "HS256"),
        ({"secretKey": SECRET.decode()}, SECRET, "HS256"),
        ({"publicKey": PEM}, KEY, "RS256"),
        ({"publicKey": DER}, KEY, "RS256"),
        ({"publicKey": base64.b64encode(PEM.encode()).decode(), "publicAlg": "PS384"}, KEY, "PS384"),
    ],
)
async def test_jwt_accepts_what_its_key_signed(
    outbound: Outbound, configuration: dict[str, Any], key: Any, algorithm: str
) -> None:
    judge = made(tokens.PROVIDER, outbound, {**configuration, "adminRoles": ["admin"]})
    principal = await judge.authenticate(signed({"sub": "admin", "n": 1}, key, algorithm), REQUEST)
    assert principal == {"sub": "admin", "subject": "admin", "n": "1"}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed({"sub": "admin"}, b"another secret of thirty-two bytes at least", "HS256"), "not valid"),
        (signed({"sub": "admin", "exp": 1}, SECRET, "HS256"), "not valid"),
        (signed({"sub": "admin", "nbf": 1 << 40}, SECRET, "HS256"), "not valid"),
        (signed({"sub": "user"}, SECRET, "HS256"), "Not an admin."),
        (signed({}, SECRET, "HS256"), "no claim sub"),
        (jwt.encode({"sub": "admin"}, "", algorithm="none"), "not valid"),
        ("x.y.z", "not valid"),
    ],
    ids=["signature", "expired", "early", "role", "no claim", "unsigned", "garbage"],
)
async def test_jwt_refuses_other_tokens(outbound: Outbound, token: str, reason: str) -> None:
    judge = made(tokens.PROVIDER, outbound, {"secretKey": ENCODED_SECRET, "adminRoles": ["admin"]})
    with pytest.raises(AuthenticationFailed, match=reason):
        await judge.authenticate(token, REQUEST)


async def test_jwt_with_a_public_key_refuses_that_key_used_as_a_secret(outbound: Outbound) -> None:
    judge = made(tokens.PROVIDER, outbound, {"publicKey": PEM})
    import hashlib
    import hmac

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    body = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(b'{"sub":"admin"}')
    forged = body + b"." + part(hmac.new(PEM.encode(), body, hashlib.sha256).digest())
    with pytest.raises(AuthenticationFailed):
        await judge.authenticate(forged.decode(), REQUEST)


async def test_jwt_checks_claims_of_other_names(outbound: Outbound) -> None:
    judge = made(
        tokens.PROVIDER,
        outbound,
        {
            "secretKey": ENCODED_SECRET,
            "authClaim": "roles",
            "adminRoles": ["root"],
            "audienceClaim": "for",
            "audience": "us",
        },
    )
    good = {"roles": ["root", "x"], "for": ["us", "them"]}
    await judge.authenticate(signed(good, SECRET, "HS256"), REQUEST)
    for bad in ({**good, "for": "them"}, {"roles": "root"}, {**good, "roles": ["x", "root"]}, {**good, "roles": []}):
        with pytest.raises(AuthenticationFailed):
            await judge.authenticate(signed(bad, SECRET, "HS256"), REQUEST)


async def test_jwt_fetches_keys_from_allowed_hosts_only(issuer: Issuer, outbound: Outbound) -> None:
    issuer.publish()
    judge = made(tokens.PROVIDER, outbound, {"jwksHostsAllowlist": r"127\.0\.0\.1|keys\.example"})
    await judge.authenticate(signed({"sub": "a", "jwks_uri": f"{issuer.address}/keys"}), REQUEST)
    assert len(issuer.asked) == 1
    for address in (
        issuer.address.replace("127.0.0.1", "localhost"),
        "http://keys.example/keys",
        "https://keys.example.evil.example/keys",
        "https://127.0.0.1@evil.example/keys",
        "file:///keys",
    ):
        with pytest.raises(AuthenticationFailed, match="not allowed"):
            await judge.authenticate(signed({"sub": "a", "jwks_uri": address}), REQUEST)
    with pytest.raises(AuthenticationFailed, match="jwks_uri"):
        await judge.authenticate(signed({"sub": "a"}), REQUEST)


async def test_jwt_follows_no_redirect_for_keys(issuer: Issuer, outbound: Outbound) -> None:
    issuer.publish()
    issuer.status, issuer.headers = 302, {"Location": f"{issuer.address}/elsewhere"}
    judge = made(tokens.PROVIDER, outbound, {"jwksHostsAllowlist": r"127\.0\.0\.1"})
    with pytest.raises(ServiceError):
        await judge.authenticate(signed({"sub": "a", "jwks_uri": f"{issuer.address}/keys"}), REQUEST)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"secretKey": "x", "publicAlg": "HS256"},
        {"secretKey": "x", "audienceClaim": "aud"},
        {"jwksHostsAllowlist": "("},
        {"secretKey": "x", "colour": "red"},
    ],
)
def test_jwt_configurations_that_cannot_work_are_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        tokens.JwtConfiguration.model_validate(configuration)

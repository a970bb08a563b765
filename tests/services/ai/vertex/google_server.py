"""Servers that speak Google's protocols: `generateContent`, `predict`, and the exchange of assertions for tokens."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.vertex.configuration import VertexConfiguration
from langstream.services.ai.vertex.service import VertexService
from tests.services.ai.fake_server import FakeServer

KEY: Final = "a-very-secret-token"
COUNTS: Final = {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 10}
STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def content(*texts: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": text} for text in texts]}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r-1", **more}


class GoogleServer(FakeServer):
    name = "vertex"
    secrets = (KEY,)

    def chat(self, *texts: str, finish: Any = "STOP", **options: Any) -> None:
        end = [] if finish is None else [content(finish=finish, usageMetadata=COUNTS)]
        self.streams(*(content(text) for text in texts), *end, **options)

    def whole(self, text: str) -> None:
        self.answers(content(text, finish="STOP", usageMetadata=COUNTS))

    def refuse(self, status: int, words: str, details: Any = (), **options: Any) -> None:
        error = {"code": status, "message": words, "status": STATUSES[status], "details": list(details)}
        self.answers({"error": error}, status=status, **options)

    def service(self, retries: RetryPolicy | None = None, **options: Any) -> VertexService:
        configuration = {"url": self.url, "region": "us-central1", "project": "the-project", "token": KEY, **options}
        return VertexService(VertexConfiguration.model_validate(configuration), retries)


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class TokenServer(FakeServer):
    """Checks the assertions that it is sent."""

    def key_file(self, **more: Any) -> str:
        """The key file of an account that this server knows."""
        pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {
            "type": "service_account",
            "client_email": "robot@the-project.example",
            "private_key": pem,
            "private_key_id": "key-1",
            "token_uri": f"{self.url}/token",
        }
        return json.dumps({**account, **more})

    def grants(self, token: str, seconds: float = 3600) -> None:
        """Answer with a token."""
        self.answers({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})

    def claims(self, number: int = 0) -> dict[str, Any]:
        """What the assertion of a request claims, its signature checked."""
        request = self.requests[number]
        assert request["headers"]["content-type"] == "application/x-www-form-urlencoded"
        form = {name: values[0] for name, values in parse_qs(request["raw_body"].decode()).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert jwt.get_unverified_header(form["assertion"]) == {"alg": "RS256", "kid": "key-1", "typ": "JWT"}
        claims: dict[str, Any] = jwt.decode(
            form["assertion"], private_key().public_key(), algorithms=["RS256"], audience=f"{self.url}/token"
        )
        return claims

"""Access tokens of Google for a service account: a signed statement is exchanged for a token that lasts an hour."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from langstream.errors import ServiceError

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
LIFE_SECONDS = 3600
SPARE_SECONDS = 120
"""A token is replaced so long before it ends."""
FRESH_SECONDS = 30
"""A token refused within this time is not to blame; its account is."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The parts that matter of a service account's key file."""

    email: str
    private_key: str = field(repr=False)
    key_id: str = ""
    project: str = ""
    token_address: str = TOKEN_ADDRESS

    @classmethod
    def parse(cls, text: str) -> ServiceAccount:
        """Raises ValueError, without quoting the text, if it is not a service account's key."""
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ValueError("not JSON: expected the content of a service account's key file") from None
        kind = content.get("type", "service_account") if isinstance(content, dict) else None
        if kind != "service_account":
            raise ValueError("not a service account's key: expected an object with type service_account")
        for name in ("client_email", "private_key"):
            if not isinstance(content.get(name), str) or not content[name]:
                raise ValueError(f"not a service account's key: it has no {name}")
        return cls(
            content["client_email"],
            content["private_key"],
            str(content.get("private_key_id", "")),
            str(content.get("project_id", "")),
            str(content.get("token_uri") or TOKEN_ADDRESS),
        )

    def assertion(self, now: int) -> str:
        """The signed statement that asks for a token."""
        head = {"alg": "RS256", "typ": "JWT"} | ({"kid": self.key_id} if self.key_id else {})
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_address,
            "iat": now,
            "exp": now + LIFE_SECONDS,
        }
        text = f"{_encoded(orjson.dumps(head))}.{_encoded(orjson.dumps(claims))}"
        return f"{text}.{_encoded(self._sign(text.encode()))}"

    def _sign(self, content: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        try:
            key = serialization.load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ServiceError(
                "service-account-json: private_key is not an RSA key in PEM form (its line breaks may be lost)",
                category="authentication",
            )
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())


class Tokens:
    """The current token; asks for another when it is about to end."""

    def __init__(self, account: ServiceAccount, clock: Callable[[], float] = time.time) -> None:
        self._account = account
        self._clock = clock
        self._token = ""
        self._since = self._until = 0.0
        self._asking = asyncio.Lock()

    def refused(self, token: str) -> bool:
        """The store does not take the token. True if another one may help: a fresh one would fare no better."""
        if token != self._token:
            return True
        if self._clock() - self._since < FRESH_SECONDS:
            return False
        self._until = 0.0
        return True

    async def current(self, session: Any) -> str:
        """A token that is valid now."""
        async with self._asking:
            now = self._clock()
            if now >= self._until:
                assertion = await asyncio.to_thread(self._account.assertion, int(now))
                content = await self._exchange(session, assertion)
                self._token, self._since = content["access_token"], now
                self._until = now + float(content.get("expires_in", LIFE_SECONDS)) - SPARE_SECONDS
            return self._token

    async def _exchange(self, session: Any, assertion: str) -> dict[str, Any]:
        import aiohttp

        address = self._account.token_address
        form = {"grant_type": GRANT, "assertion": assertion}
        try:
            async with session.post(address, data=form, allow_redirects=False) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceError(f"{address}: {str(error) or type(error).__name__}") from error
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = {}
        if not isinstance(content, dict):
            content = {}
        if response.status == 200 and isinstance(content.get("access_token"), str):
            return content
        reason = content.get("error_description") or content.get("error") or f"status {response.status}"
        raise ServiceError(
            f"{address} gives no token for {self._account.email}: {reason}. Check service-account-json",
            category="transient" if response.status >= 500 or response.status == 429 else "authentication",
        )


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

"""Access tokens of a Google service account: a signed assertion is exchanged for a token, renewed before it expires."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.failures import Dialect, malformed, place
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Timeouts, Transport

LOG = logging.getLogger(__name__)

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE: Final = "https://oauth2.googleapis.com/token"

MARGIN_SECONDS: Final = 120.0
"""Before the end of its life a token is renewed, so that none expires on its way."""

LIFETIME_SECONDS: Final = 3600

YOUNG_SECONDS: Final = 60.0
"""A token that is refused so soon after it was fetched is not replaced: the account lacks something else."""

DIALECT: Final = Dialect(
    categories={"invalid_grant": "authentication", "invalid_client": "authentication"},
    advice=dict.fromkeys((400, 401, 403), "Check `serviceAccountJson` of the resource, and this machine's clock."),
)


@dataclass(frozen=True, slots=True)
class Account:
    """What of a key file is needed to ask for tokens."""

    email: str
    private_key: str = field(repr=False)
    key_id: str | None = None
    token_uri: str = GOOGLE

    def assertion(self, now: float) -> str:
        """The signed claim that buys a token. Raises ServiceError where the key cannot be used."""
        try:
            import jwt
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            message = "service accounts need PyJWT and cryptography: pip install 'langstream[vertex]'"
            raise ServiceError(message, category="refused") from None
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": int(now),
            "exp": int(now) + LIFETIME_SECONDS,
        }
        headers = {"kid": self.key_id} if self.key_id else None
        try:
            key: Any = load_pem_private_key(self.private_key.encode(), None)
            return jwt.encode(claims, key, algorithm="RS256", headers=headers)
        except (ValueError, TypeError, jwt.PyJWTError):  # their words may quote the key
            message = "`private_key` in `serviceAccountJson` is not the PEM text of an RSA key"
            raise ServiceError(message, category="authentication") from None


def account_of(text: str) -> Account:
    """The account in a key file's text. Raises ValueError, without quoting the text."""
    try:
        content = orjson.loads(text)
    except ValueError:
        content = None
    content = content if isinstance(content, dict) else None
    if content is None:
        raise ValueError("Property 'serviceAccountJson' must be the JSON object in the key file of a service account")
    for member in ("client_email", "private_key"):
        if not isinstance(content.get(member), str) or not content[member]:
            raise ValueError(f"Property 'serviceAccountJson' has no '{member}': it is not a service account's key file")
    uri = content.get("token_uri") or GOOGLE
    if not isinstance(uri, str) or not uri.startswith(("https://", "http://")):
        raise ValueError("Property 'serviceAccountJson' has a 'token_uri' that is no address")
    key_id = content.get("private_key_id")
    return Account(content["client_email"], content["private_key"], key_id if isinstance(key_id, str) else None, uri)


class AccountTokens:
    """The current token of an account. Callers at the same time share one request for a new one."""

    def __init__(
        self,
        account: Account,
        timeouts: Timeouts,
        retries: RetryPolicy,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._transport = Transport(timeouts=timeouts, retries=retries, dialect=DIALECT)
        self._now = now
        self._lock = asyncio.Lock()
        self._token = ""
        self._fetched = self._expires = 0.0

    async def start(self) -> None:
        """Fetch the first token. Raises ServiceError."""
        await self._transport.start()
        await self.current()

    async def close(self) -> None:
        """Let go."""
        await self._transport.close()

    async def current(self) -> str:
        """A token that is good for a while. Raises ServiceError where none can be had."""
        async with self._lock:
            if self._now() >= self._expires - MARGIN_SECONDS:
                try:
                    await self._renew()
                except ServiceError as error:
                    if self._now() >= self._expires:
                        raise
                    LOG.warning("The access token of %s cannot be renewed yet: %s", self._account.email, error)
            return self._token

    def forget(self) -> bool:
        """Drop a token that was refused, and tell whether it was old enough for a new one to make a difference."""
        if self._now() - self._fetched < YOUNG_SECONDS:
            return False
        self._expires = 0.0
        return True

    async def _renew(self) -> None:
        uri = self._account.token_uri
        now = self._now()
        assertion = await asyncio.to_thread(self._account.assertion, now)
        form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        answer = await self._transport.submit(uri, form)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        lifetime = answer.get("expires_in", LIFETIME_SECONDS) if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token or not isinstance(lifetime, int | float):
            raise malformed(uri, "it has no access token")
        LOG.debug("Fetched an access token of %s from %s", self._account.email, place(uri))
        self._token, self._fetched, self._expires = token, now, now + lifetime

"""Signing keys published as a JSON Web Key Set: fetched once, kept for a while, fetched again for an unknown key."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from langstream.errors import ServiceError
from langstream.gateway.authentication.contract import AuthenticationFailed
from langstream.gateway.outbound import Outbound

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWKSet

KEEP_SECONDS = 3600.0
RETRY_SECONDS = 10.0
"""A token with an invented key id must not make the gateway ask the issuer again and again."""


class KeySet:
    """The keys at one address."""

    def __init__(self, url: str, outbound: Outbound) -> None:
        self._url = url
        self._outbound = outbound
        self._keys: PyJWKSet | None = None
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None) -> PyJWK:
        """The key of that id; without an id, the only key. Raises AuthenticationFailed, ServiceError."""
        found = self._find(key_id) if time.monotonic() - self._fetched < KEEP_SECONDS else None
        if found is None:
            await self._refresh()
            found = self._find(key_id)
        if found is None:
            raise AuthenticationFailed("the token is signed with a key that its issuer does not publish")
        return found

    def _find(self, key_id: str | None) -> PyJWK | None:
        keys = self._keys.keys if self._keys else []
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == key_id), None)

    async def _refresh(self) -> None:
        async with self._lock:
            if self._keys is not None and time.monotonic() - self._fetched < RETRY_SECONDS:
                return
            answer = await self._outbound.get(self._url, {"Accept": "application/json"})
            if answer.status != 200:
                raise ServiceError(f"the signing keys cannot be fetched: status {answer.status}")
            self._keys = _parse(answer.members())
            self._fetched = time.monotonic()


def _parse(document: dict[str, Any]) -> PyJWKSet:
    from jwt import PyJWKSet
    from jwt.exceptions import PyJWKSetError

    try:
        return PyJWKSet.from_dict(document)
    except (PyJWKSetError, ValueError) as error:
        raise ServiceError(f"the signing keys make no sense: {error}", category="malformed") from None

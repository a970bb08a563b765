"""How an authentication provider is declared: one value, registered in the entry-point group `langstream.auth`.

    PROVIDER = Provider(name="http", configuration=HttpConfiguration, create=HttpAuthenticator, summary="…")

`create` gets the validated configuration and the gateway's HTTP client. One authenticator serves every request with
that configuration, so what it fetches (keys) it may keep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langstream.configuration.model import Configuration
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound
from langstream.records import header_text


class AuthenticationFailed(Exception):
    """The credentials are not good. The text is for the client and never holds the credentials."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a provider may know of the request."""

    tenant: str
    application_id: str
    gateway: str


class Authenticator(ABC):
    """Judges credentials."""

    @abstractmethod
    async def authenticate(self, credentials: str, request: RequestInfo) -> Principal:
        """Who it is. Raises AuthenticationFailed for bad credentials, ServiceError when nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The declaration of a provider."""

    name: str
    configuration: type[Configuration]
    create: Callable[[Any, Outbound], Authenticator]
    summary: str


def principal_of(claims: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, str]:
    """The members that can be header values, as text. `names` maps claims to names of the principal, else all go."""
    chosen = claims.items() if names is None else [(names[name], claims.get(name)) for name in names]
    texts = {name: header_text(value) for name, value in chosen if isinstance(value, str | int | float)}
    return {name: text for name, text in texts.items() if text is not None}

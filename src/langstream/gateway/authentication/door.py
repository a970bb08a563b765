"""Letting a client in: which provider judges which credentials, and test mode."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from langstream.application.model import Gateway
from langstream.configuration.validation import check, did_you_mean
from langstream.errors import GatewayError, LangStreamError
from langstream.gateway.authentication.contract import AuthenticationFailed, Authenticator, Provider, RequestInfo
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound
from langstream.gateway.query import Query
from langstream.gateway.settings import GatewaySettings
from langstream.records import dump_json
from langstream.registry import AUTHENTICATION, Registry

AUTHENTICATORS: Final = 256


class Door:
    """Authenticates clients. Authenticators are kept, one per provider and configuration."""

    def __init__(self, settings: GatewaySettings, outbound: Outbound) -> None:
        self._settings = settings
        self._outbound = outbound
        self._registry = Registry(AUTHENTICATION)
        self._authenticators: OrderedDict[tuple[str, bytes], Authenticator] = OrderedDict()

    async def admit(self, gateway: Gateway, query: Query, bearer: str | None, request: RequestInfo) -> Principal:
        """Who the client is; empty for gateways open to everyone. Raises GatewayError 401."""
        if gateway.authentication is None:
            return {}
        try:
            if query.test_credentials is not None:
                return await self._admit_tester(gateway, query.test_credentials, request)
            credentials = query.credentials if query.credentials is not None else bearer
            if not credentials:
                raise AuthenticationFailed("credentials are required: give them as the query parameter 'credentials'")
            required = gateway.authentication
            return await self._authenticator(required.provider, required.configuration).authenticate(
                credentials, request
            )
        except AuthenticationFailed as failure:
            raise GatewayError(401, str(failure) or "unknown") from None

    async def _admit_tester(self, gateway: Gateway, credentials: str, request: RequestInfo) -> Principal:
        assert gateway.authentication is not None
        if not gateway.authentication.allow_test_mode:
            raise AuthenticationFailed(f"Gateway {gateway.id} of tenant {request.tenant} does not allow test mode.")
        if self._settings.test_provider is None:
            raise AuthenticationFailed("No test auth provider specified")
        if not credentials:
            raise AuthenticationFailed("test-credentials are empty")
        provider = self._authenticator(self._settings.test_provider, self._settings.test_provider_configuration)
        await provider.authenticate(credentials, request)
        return tester(credentials)

    def _authenticator(self, name: str, configuration: Mapping[str, Any]) -> Authenticator:
        key = (name, dump_json(dict(configuration)))
        if key not in self._authenticators:
            self._authenticators[key] = self._create(name, configuration)
            if len(self._authenticators) > AUTHENTICATORS:
                self._authenticators.popitem(last=False)
        self._authenticators.move_to_end(key)
        return self._authenticators[key]

    def _create(self, name: str, configuration: Mapping[str, Any]) -> Authenticator:
        if name not in self._registry:
            known = self._registry.names()
            hint = did_you_mean(name, known) or f"Known providers: {', '.join(known)}."
            raise GatewayError(500, f"the gateway names an unknown authentication provider '{name}'. {hint}")
        provider: Provider = self._registry.load(name)
        model, problems = check(provider.configuration, configuration, subject=f"authentication provider '{name}'")
        if problems:
            raise GatewayError(500, "; ".join(str(problem) for problem in problems))
        try:
            return provider.create(model, self._outbound)
        except (ValueError, LangStreamError) as error:
            raise GatewayError(500, f"authentication provider '{name}' cannot be set up: {error}") from None


def tester(credentials: str) -> dict[str, str]:
    """The principal of a client in test mode, made of its credentials alone."""
    name = sha256(credentials.encode()).hexdigest()
    return {"subject": name, "name": name, "login": name, "email": f"{name}@localhost", "id": str(string_hash(name))}


def string_hash(text: str) -> int:
    """A 32-bit signed polynomial hash with factor 31, as applications written for the original know it."""
    total = 0
    for character in text:
        total = (total * 31 + ord(character)) & 0xFFFFFFFF
    return total - (1 << 32) if total >= 1 << 31 else total

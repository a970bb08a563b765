"""`google`: the credentials are an ID token of Google Sign-In, checked against Google's published keys."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.gateway.authentication.contract import (
    AuthenticationFailed,
    Authenticator,
    Provider,
    RequestInfo,
    principal_of,
)
from langstream.gateway.authentication.keys import KeySet
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound

ISSUERS: Final = ["https://accounts.google.com", "accounts.google.com"]
NAMES: Final = {"sub": "subject", "email": "email", "name": "name", "locale": "locale"}


class GoogleConfiguration(Configuration):
    """Whose tokens are accepted."""

    client_id: str = Field(alias="clientId", description="The OAuth client the token must be meant for.")
    keys_url: str = Field("https://www.googleapis.com/oauth2/v3/certs", description="Where Google publishes its keys.")


class GoogleAuthenticator(Authenticator):
    """Checks signature, audience, issuer and expiry."""

    def __init__(self, configuration: GoogleConfiguration, outbound: Outbound) -> None:
        self._audience = configuration.client_id
        self._keys = KeySet(configuration.keys_url, outbound)

    async def authenticate(self, credentials: str, request: RequestInfo) -> Principal:
        import jwt

        try:
            key = await self._keys.key(jwt.get_unverified_header(credentials).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                credentials,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=ISSUERS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise AuthenticationFailed(f"the ID token is not valid: {error}") from None
        return principal_of(claims, NAMES)


PROVIDER = Provider(
    name="google",
    configuration=GoogleConfiguration,
    create=GoogleAuthenticator,
    summary="Accepts ID tokens of Google Sign-In; the principal has subject, email, name and locale.",
)

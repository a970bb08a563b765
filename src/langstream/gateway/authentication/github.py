"""`github`: the credentials are an OAuth access token of GitHub; the principal is the GitHub user."""

from __future__ import annotations

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.errors import ServiceError
from langstream.gateway.authentication.contract import (
    AuthenticationFailed,
    Authenticator,
    Provider,
    RequestInfo,
    principal_of,
)
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound


class GithubConfiguration(Configuration):
    """Whose tokens are accepted."""

    client_id: str | None = Field(
        None, alias="clientId", description="The OAuth application that must have issued the token. None: any."
    )
    api_url: str = Field("https://api.github.com/user", description="The address that describes the token's user.")


class GithubAuthenticator(Authenticator):
    """Asks GitHub whose token it is."""

    def __init__(self, configuration: GithubConfiguration, outbound: Outbound) -> None:
        self._configuration = configuration
        self._outbound = outbound

    async def authenticate(self, credentials: str, request: RequestInfo) -> Principal:
        answer = await self._outbound.get(
            self._configuration.api_url,
            {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {credentials}"},
        )
        if answer.status >= 500 or answer.status == 429:
            raise ServiceError(f"GitHub answered with status {answer.status}; try again later")
        if answer.status != 200:
            raise AuthenticationFailed(f"GitHub refused the token with status {answer.status}")
        expected = self._configuration.client_id
        if expected and answer.headers.get("x-oauth-client-id") != expected:
            raise AuthenticationFailed("the token was issued to another OAuth application")
        return principal_of(answer.members())


PROVIDER = Provider(
    name="github",
    configuration=GithubConfiguration,
    create=GithubAuthenticator,
    summary="Accepts access tokens of GitHub; the principal has the members of the GitHub user (login, id, name…).",
)

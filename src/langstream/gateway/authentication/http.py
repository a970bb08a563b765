"""`http`: asks an HTTP service whether the credentials are good."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from langstream.configuration.model import Configuration
from langstream.gateway.authentication.contract import AuthenticationFailed, Authenticator, Provider, RequestInfo
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound


def _is_http(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("expected a URL that begins with http:// or https://")
    return url


class HttpConfiguration(Configuration):
    """Where to ask. A `GET` with `Authorization: Bearer <credentials>` is sent; the status decides."""

    base_url: Annotated[str, AfterValidator(_is_http)] = Field(description="The address of the service.")
    path_template: str = Field("", description="Appended to the address; `{tenant}` stands for the tenant.")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers of the question.", repr=False)
    accepted_statuses: tuple[int, ...] = Field((200, 201), description="Statuses that mean yes.")


class HttpAuthenticator(Authenticator):
    """Follows no redirects: the credentials are for the configured service alone."""

    def __init__(self, configuration: HttpConfiguration, outbound: Outbound) -> None:
        self._configuration = configuration
        self._outbound = outbound

    async def authenticate(self, credentials: str, request: RequestInfo) -> Principal:
        configuration = self._configuration
        path = configuration.path_template.replace("{tenant}", quote(request.tenant, safe=""))
        answer = await self._outbound.get(
            configuration.base_url + path, {**configuration.headers, "Authorization": f"Bearer {credentials}"}
        )
        if answer.status not in configuration.accepted_statuses:
            raise AuthenticationFailed(f"the credentials were refused with status {answer.status}")
        return {}


PROVIDER = Provider(
    name="http",
    configuration=HttpConfiguration,
    create=HttpAuthenticator,
    summary="Asks an HTTP service about the credentials.",
)

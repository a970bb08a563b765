"""Pulsar's administration interface over HTTP: JSON in, JSON out, errors for people."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from langstream.errors import BrokerUnavailable, TopicError
from langstream.topics.pulsar.security import Credentials, Tls

if TYPE_CHECKING:
    import aiohttp

REQUEST_SECONDS: Final = 30.0
ATTEMPTS: Final = 4
PAUSE_SECONDS: Final = 0.25
_TRY_AGAIN: Final = frozenset({307, 429, 500, 502, 503, 504})
REDIRECTS: Final = 5
EXPIRY_MARGIN_SECONDS: Final = 30.0


class RestError(TopicError):
    """The interface refused. `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Rest:
    """Requests below `/admin/v2`, to whichever of the named hosts answers."""

    def __init__(self, urls: tuple[str, ...], login: Credentials, tls: Tls) -> None:
        self._urls = list(urls)
        self._login = login
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._bearer = ""
        self._expires = 0.0

    @property
    def place(self) -> str:
        """The hosts, for messages."""
        return ", ".join(self._urls)

    async def start(self) -> None:
        """Get ready. Raises TopicError for certificates that cannot be read."""
        import aiohttp

        try:
            secure = self._tls.context() if any(url.startswith("https") for url in self._urls) else None
        except OSError as error:
            raise TopicError(f"the certificates for Pulsar's administration cannot be used: {error}") from error
        connector = aiohttp.TCPConnector(ssl=secure) if secure else aiohttp.TCPConnector()
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS))

    async def close(self) -> None:
        """Let go."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, *path: str, **query: str) -> Any:
        """The answer; None if there is no such thing."""
        return await self._absent("GET", path, None, query)

    async def put(self, *path: str, body: Any = None, kind: str = "application/json") -> None:
        """Make something. Raises RestError with status 409 if it is there."""
        await self._ask("PUT", path, body, {}, kind)

    async def post(self, *path: str, body: Any = None) -> None:
        """Set something."""
        await self._ask("POST", path, body, {})

    async def delete(self, *path: str, **query: str) -> bool:
        """Whether there was something."""
        try:
            await self._ask("DELETE", path, None, query)
        except RestError as error:
            if error.status == 404:
                return False
            raise
        return True

    # --- parts ------------------------------------------------------------------------------------------------------

    async def _absent(self, method: str, path: tuple[str, ...], body: Any, query: dict[str, str]) -> Any:
        try:
            return await self._ask(method, path, body, query)
        except RestError as error:
            if error.status == 404:
                return None
            raise

    async def _ask(
        self, method: str, path: tuple[str, ...], body: Any, query: dict[str, str], kind: str = "application/json"
    ) -> Any:
        """The first host that answers keeps being asked. What may succeed later is tried again for a moment."""
        where = "/admin/v2/" + "/".join(quote(part, safe="") for part in path)
        failure: TopicError | None = None
        for attempt in range(ATTEMPTS):
            try:
                return await self._once(method, self._urls[0] + where, body, query, kind)
            except BrokerUnavailable as error:
                failure = error
                self._urls.append(self._urls.pop(0))
            except RestError as error:
                if error.status not in _TRY_AGAIN:
                    raise
                failure = error
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        assert failure is not None
        if isinstance(failure, RestError):
            raise BrokerUnavailable(str(failure)) from failure
        raise failure

    async def _once(self, method: str, url: str, body: Any, query: dict[str, str], kind: str) -> Any:
        import aiohttp

        if self._session is None:
            raise RuntimeError("the cluster is not started, or closed")
        headers = {**await self._headers(), "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        parameters: dict[str, str] | None = query
        for _ in range(REDIRECTS):
            try:
                async with self._session.request(
                    method, url, data=data, params=parameters, headers=headers, allow_redirects=False
                ) as answer:
                    content = await answer.read()
                    status, location = answer.status, answer.headers.get("Location")
            except (aiohttp.ClientError, TimeoutError) as error:
                told = str(error) or type(error).__name__
                raise BrokerUnavailable(f"Pulsar's administration at {self.place} does not answer: {told}") from error
            if status < 300:
                return _parsed(content)
            if status not in (301, 302, 307, 308) or not location:
                break
            url, parameters = location, None  # the broker that has the topic, which wants the credentials too
        raise RestError(status, self._refusal(status, method, url, content))

    def _refusal(self, status: int, method: str, url: str, content: bytes) -> str:
        if status in (401, 403):
            return (
                f"Pulsar's administration refuses {method} {url}: the credentials are not accepted, or have no "
                f"permission for it (HTTP {status})"
            )
        found = _parsed(content)
        reason = found.get("reason") if isinstance(found, dict) else found
        return f"Pulsar's administration refuses {method} {url}: {reason or 'no reason given'} (HTTP {status})"

    async def _headers(self) -> dict[str, str]:
        login = self._login
        if login.kind == "token":
            return {"Authorization": f"Bearer {login.token()}"}
        if login.kind == "basic":
            pair = f"{login.parameters['userId']}:{login.parameters.get('password', '')}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        if login.kind == "oauth2":
            return {"Authorization": f"Bearer {await self._access_token()}"}
        if login.kind == "athenz":
            raise TopicError(
                "Athenz works for records, not for Pulsar's administration; name another plugin under 'admin', such as "
                "authPluginClassName: token"
            )
        return {}

    async def _access_token(self) -> str:
        """OAuth 2 client credentials, as in the key file that Pulsar's clients take."""
        if time.monotonic() < self._expires:
            return self._bearer
        assert self._session is not None
        parameters = self._login.parameters
        key = _key_file(parameters["privateKey"])
        issuer = parameters["issuerUrl"].rstrip("/")
        async with self._session.get(f"{issuer}/.well-known/openid-configuration") as found:
            endpoint = (await found.json(content_type=None))["token_endpoint"]
        form = {
            "grant_type": "client_credentials",
            "client_id": key["client_id"],
            "client_secret": key["client_secret"],
            **{name: parameters[name] for name in ("audience", "scope") if name in parameters},
        }
        async with self._session.post(endpoint, data=form) as answer:
            told = await answer.json(content_type=None)
            if answer.status >= 300 or "access_token" not in told:
                raise TopicError(f"{issuer} gives no token for Pulsar's administration (HTTP {answer.status})")
        self._bearer = told["access_token"]
        self._expires = time.monotonic() + float(told.get("expires_in", 60)) - EXPIRY_MARGIN_SECONDS
        return self._bearer


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")[:300]


def _key_file(place: str) -> dict[str, str]:
    if place.startswith("data:"):
        content = base64.b64decode(place.partition(",")[2])
    else:
        content = Path(place.removeprefix("file://")).read_bytes()
    found: dict[str, str] = json.loads(content)
    return found

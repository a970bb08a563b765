"""The HTTP connection to one AI service: JSON in, JSON or a stream of events out.

One `aiohttp` session per service. Every failure is a `ServiceError`; requests for a whole answer are repeated as the
retry policy says. Cancelling a call closes its connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.failures import OPENAI, Dialect, malformed, place, refused
from langstream.services.ai.framing import SSE, Framing
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.sse import Event
from langstream.services.network import proxy_for, unreachable

if TYPE_CHECKING:
    import aiohttp

LONGEST_REFUSAL: Final = 64 * 1024
"""Bytes read of an answer that is an error; proxies send whole pages."""

Authorize: TypeAlias = "Callable[[str, bytes], Awaitable[Mapping[str, str]]]"
"""Makes headers for one attempt of one request, from its address and body: signatures, tokens that expire."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`connect_seconds` for a connection, `total_seconds` for a whole answer that is not streamed,
    `idle_seconds` for the first and every further piece of one that is."""

    connect_seconds: float = 10.0
    total_seconds: float = 600.0
    idle_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Streamed:
    """A piece of a streamed answer: an event, or the whole JSON answer of a server that does not stream.

    `open_end` marks the end of a body whose length nobody declared: it may have been cut off.
    """

    event: Event | None = None
    answer: Any = None
    open_end: bool = False


@dataclass(slots=True)
class Transport:
    """Give it to `start` and `close`. `secrets` are kept out of messages.

    `exact_urls`: addresses are sent byte for byte, because a signature covers them. `renew` is asked when a request
    was not authenticated, and says whether the next attempt will have another credential.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    timeouts: Timeouts = Timeouts()
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    dialect: Dialect = OPENAI
    authorize: Authorize | None = field(default=None, repr=False)
    renew: Callable[[], bool] | None = field(default=None, repr=False)
    exact_urls: bool = False
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)

    async def start(self) -> None:
        """Make the session; nothing is connected yet."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            headers=self.headers,
            connector=aiohttp.TCPConnector(limit=0),  # the runtime bounds the calls under way
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, body: Mapping[str, Any] | Sequence[Any]) -> Any:
        """The JSON answer."""
        payload = orjson.dumps(body)
        return await self.retries.run(lambda: self._whole("POST", url, payload))

    async def get(self, url: str) -> Any:
        """The JSON document at the address."""
        return await self.retries.run(lambda: self._whole("GET", url, b""))

    async def probe(self, url: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to a GET, or to a POST where there is a body. Nothing is repeated: it is a question whether
        the service answers at all."""
        return await self._whole("GET" if body is None else "POST", url, b"" if body is None else orjson.dumps(body))

    async def submit(self, url: str, form: bytes) -> Any:
        """The JSON answer to an encoded form."""
        return await self.retries.run(lambda: self._whole("POST", url, form, "application/x-www-form-urlencoded"))

    async def stream(self, url: str, body: Mapping[str, Any], framing: Framing = SSE) -> AsyncGenerator[Streamed, None]:
        """The pieces of the answer as they come. Nothing is repeated here: only the reader knows what a piece is
        worth (`retries.stream`). Fails as transient where the connection breaks before the end."""
        import aiohttp

        payload = orjson.dumps(body)
        headers = await self._headers(url, payload, framing.accept)
        try:
            async with self._request("POST", url, payload, headers, streamed=True) as response:
                await self._check(response, url)
                if framing.whole_json and response.content_type == "application/json":
                    yield Streamed(answer=_parsed(await response.read(), url))
                    return
                async with aclosing(_events(response, url, framing)) as events:
                    async for event in events:
                        yield Streamed(event=event)
                if response.content_length is None and "Transfer-Encoding" not in response.headers:
                    yield Streamed(open_end=True)
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error, url) from None

    async def _whole(self, method: str, url: str, payload: bytes, content_type: str = "application/json") -> Any:
        import aiohttp

        headers = await self._headers(url, payload, "application/json", content_type)
        try:
            async with self._request(method, url, payload, headers, streamed=False) as response:
                await self._check(response, url)
                content = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error, url) from None
        return _parsed(content, url)

    async def _headers(
        self, url: str, payload: bytes, accept: str, content_type: str = "application/json"
    ) -> Mapping[str, str]:
        headers = {"Accept": accept}
        if payload:
            headers["Content-Type"] = content_type
        return headers if self.authorize is None else {**headers, **await self.authorize(url, payload)}

    def _request(self, method: str, url: str, payload: bytes, headers: Mapping[str, str], *, streamed: bool) -> Any:
        import aiohttp
        from yarl import URL

        if self._session is None:
            raise ServiceError("the AI service is not started", category="refused")
        limits = self.timeouts
        timeout = aiohttp.ClientTimeout(
            total=None if streamed else limits.total_seconds,
            sock_connect=limits.connect_seconds,
            sock_read=limits.idle_seconds if streamed else None,
        )
        # A redirect would carry the key to another place: it is an error instead.
        return self._session.request(
            method,
            URL(url, encoded=True) if self.exact_urls else url,
            data=payload or None,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            proxy=proxy_for(url),
        )

    async def _check(self, response: aiohttp.ClientResponse, url: str) -> None:
        if response.status == 200:
            return
        body = await response.content.read(LONGEST_REFUSAL)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if 300 <= response.status < 400:
            body = f"redirected to {place(headers.get('location', '?'))}; set `url` to the final address".encode()
        error = refused(response.status, headers, body, url, self.secrets, self.dialect)
        if response.status == 401 and self.renew is not None and self.renew():
            raise ServiceError(str(error), category="transient")
        raise error

    def _failure(self, error: Exception, url: str) -> ServiceError:
        """The ServiceError for what the HTTP client raised."""
        return unreachable(
            error,
            f"the AI service at {place(url)}",
            connect_seconds=self.timeouts.connect_seconds,
            silence="sent nothing for too long",
            advice=". Check `url` of the resource.",
        )


async def _events(response: aiohttp.ClientResponse, url: str, framing: Framing) -> AsyncGenerator[Event, None]:
    parser = framing.parser()
    try:
        async for piece in response.content.iter_any():
            for event in parser.feed(piece):
                yield event
        for event in parser.finish():
            yield event
    except ValueError as error:
        raise malformed(url, str(error)) from None


def _parsed(content: bytes, url: str) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        what = "it is empty" if not content.strip() else "it is not JSON"
        raise malformed(url, what) from None

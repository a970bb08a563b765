"""The HTTP client of one agent: bounded in time and size, redirects and cookies per request.

Private addresses are allowed, for applications call services of their own. Nothing is tried again here: whether a
request may be repeated is for the agent's `retries` to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langstream.agents.web.failures import broken, refused, too_long, too_slow
from langstream.agents.web.options import WebConfiguration
from langstream.agents.web.redirects import Cookies, redirected
from langstream.agents.web.request import Request
from langstream.errors import ServiceError
from langstream.services.ai.failures import place
from langstream.services.network import proxy_for

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS: Final = 30.0
"""For name, connection and handshake; a place where nobody listens must not hold a record for long."""
LONGEST_ANSWER: Final = 32 * 1024 * 1024
"""Bytes of a whole answer, unpacked. It becomes part of a record, and brokers refuse far smaller ones."""
LONGEST_REFUSAL: Final = 16 * 1024
"""Bytes read of an answer that is an error."""
MOST_REDIRECTS: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, decoded. Of redirects that are not followed it is the redirect's own."""

    status: int
    text: str


class WebClient:
    """Give it to `start` and `close`."""

    def __init__(self, configuration: WebConfiguration) -> None:
        self._follow = configuration.allow_redirects
        self._keep_cookies = configuration.handle_cookies
        self._seconds = configuration.timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Make the session; nothing is connected yet."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the runtime bounds the calls under way
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "langstream"},
            timeout=aiohttp.ClientTimeout(
                total=None, connect=min(CONNECT_SECONDS, self._seconds), sock_read=self._seconds
            ),
        )

    async def close(self) -> None:
        """Close every connection; fine if it never started."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, request: Request) -> Answer:
        """The whole answer. Raises ServiceError, also for statuses from 400 on."""
        try:
            async with asyncio.timeout(self._seconds), self.open(request) as response:
                return Answer(response.status, await self.text(response))
        except TimeoutError:
            raise too_slow(request.url, self._seconds) from None

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer with its body still to be read. What goes wrong while it is read is a ServiceError, too."""
        import aiohttp

        cookies = Cookies()
        try:
            for _ in range(1 + MOST_REDIRECTS):
                async with self._send(request, cookies) as response:
                    following = self._following(request, response)
                    if following is None:
                        await self._check(request, response)
                        yield response
                        return
                    if self._keep_cookies:
                        cookies.take(response)
                request = following
        except (aiohttp.ClientError, OSError) as error:
            raise broken(error, request.url, self._seconds) from None
        raise ServiceError(f"{place(request.url)} redirects in a circle", category="refused")

    async def text(self, response: aiohttp.ClientResponse) -> str:
        """The body, by the character set that the server names. Raises ServiceError if it is too long."""
        body = await _body(response, LONGEST_ANSWER + 1)
        if len(body) > LONGEST_ANSWER:
            raise too_long(str(response.url), LONGEST_ANSWER)
        return _decoded(body, response.charset)

    def _send(self, request: Request, cookies: Cookies) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        from yarl import URL

        assert self._session is not None, "the agent was not started"
        return self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=cookies.headers(request),
            data=request.body,
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
            proxy=proxy_for(request.url),
        )

    def _following(self, request: Request, response: aiohttp.ClientResponse) -> Request | None:
        return redirected(request, response.status, response.headers.get("Location")) if self._follow else None

    async def _check(self, request: Request, response: aiohttp.ClientResponse) -> None:
        if response.status >= 400:
            text = _decoded(await _body(response, LONGEST_REFUSAL), response.charset)
            raise refused(request.url, response.status, response.headers, text)


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, or its first bytes if it has more than `most`."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size >= most:
            break
    return b"".join(pieces)[:most]


def _decoded(body: bytes, charset: str | None) -> str:
    """The text; undecodable bytes are replaced, a byte-order mark is left out."""
    try:
        text = body.decode(charset or "utf-8", "replace")
    except LookupError:  # a character set that nobody knows
        text = body.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")

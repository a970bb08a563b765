"""One HTTP request, bounded in time and size, without following redirects.

`Fetched` is whatever the server answered; `FetchFailed` says that there was no answer, or none that can be used, and
whether asking again can help. Nothing else leaves this module.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from langstream.agents.web.crawler.addresses import parse
from langstream.errors import ServiceError

if TYPE_CHECKING:
    import aiohttp

    from langstream.agents.web.crawler.network import Guard

ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,text/*;q=0.8,*/*;q=0.5"
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 512


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `body` is None where it was not wanted."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    received: float = field(default_factory=time.time)

    @property
    def content_type(self) -> str:
        """As the server declared it; empty if it did not."""
        return self.headers.get("Content-Type", "")

    @property
    def retry_after_seconds(self) -> float | None:
        """What `Retry-After` asks for, be it seconds or a date."""
        return retry_after(self.headers.get("Retry-After"), self.received)


class FetchFailed(ServiceError):
    """There is no usable answer. `unreachable` tells that the host did not speak at all."""

    def __init__(self, message: str, *, category: str = "transient", unreachable: bool = False) -> None:
        super().__init__(message, category=category)
        self.unreachable = unreachable


class Fetcher:
    """Makes requests in the name of the crawler."""

    def __init__(self, session: aiohttp.ClientSession, guard: Guard, max_bytes: int) -> None:
        self._session = session
        self._guard = guard
        self._max_bytes = max_bytes

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        wanted: Callable[[int, str], bool] = lambda status, content_type: True,
        max_bytes: int | None = None,
        cut: bool = False,
    ) -> Fetched:
        """Ask for the address. The body is read if its status and content type are wanted; one that is
        too long is an error, or cut off."""
        import aiohttp
        from yarl import URL

        from langstream.agents.web.crawler.network import RefusedAddress

        address = parse(url)
        assert address is not None
        try:
            self._guard.check_literal(address.host)
            async with self._session.get(URL(url, encoded=True), headers=headers, allow_redirects=False) as response:
                body = None
                if wanted(response.status, response.headers.get("Content-Type", "")):
                    body = await _body(response, max_bytes or self._max_bytes, cut)
                else:
                    response.close()  # the rest is not waited for
                return Fetched(response.status, response.headers, body)
        except RefusedAddress as error:
            raise FetchFailed(str(error), category="refused") from error
        except TimeoutError as error:
            raise FetchFailed("no complete answer within http-timeout", unreachable=True) from error
        except aiohttp.ClientConnectorError as error:
            refused = error.__cause__ if isinstance(error.__cause__, RefusedAddress) else error.os_error
            if isinstance(refused, RefusedAddress):
                raise FetchFailed(str(refused), category="refused") from error
            raise FetchFailed(f"no connection: {error}", unreachable=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"{type(error).__name__}: {error}", unreachable=True) from error


async def _body(response: aiohttp.ClientResponse, max_bytes: int, cut: bool) -> bytes:
    declared = response.content_length
    too_large = f"more than max-page-size ({max_bytes} bytes)"
    if declared is not None and declared > max_bytes and not cut:
        response.close()
        raise FetchFailed(f"{too_large}: {declared} bytes are announced", category="refused")
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > max_bytes:  # unpacked bytes count, so a small bomb is stopped as well
            response.close()
            if cut:
                break
            raise FetchFailed(too_large, category="refused")
    return b"".join(parts)[:max_bytes]


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds until another attempt is welcome, or None where nothing (or nonsense) is said."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


async def open_session(
    user_agent: str, timeout_seconds: float, cookies: bool, guard: Guard, connections: int
) -> aiohttp.ClientSession:
    """A session whose connections are guarded."""
    import aiohttp

    from langstream.agents.web.crawler.network import GuardedResolver

    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(guard, aiohttp.ThreadedResolver()),
        limit=connections,
        limit_per_host=2,
        ttl_dns_cache=60,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.CookieJar(unsafe=True) if cookies else aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept": ACCEPT},
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        auto_decompress=True,
    )


async def close_session(session: aiohttp.ClientSession) -> None:
    """Close it, and let its connections go."""
    await session.close()
    await asyncio.sleep(0)

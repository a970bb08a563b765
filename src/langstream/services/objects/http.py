"""What the object stores have in common on the wire: connections, retries, failures, and downloads that go on.

A download whose connection breaks goes on where it ended, on the condition that the object is still the same version,
so that a large object over a bad line makes progress. Bytes are those that are stored: nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy, asked_wait
from langstream.services.objects.contract import Content, ObjectStore, StoredObject

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 60.0
"""So long a server may be silent within an answer."""
CHUNK_BYTES: Final = 256 * 1024
LONGEST_REFUSAL: Final = 64 * 1024
"""Bytes read of an answer that is an error."""
CONNECTIONS: Final = 32
SIGNED: Final = ("Content-Type",)
"""Headers that signatures cover: the client must not make up its own."""

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request before it is signed. `path` is percent-encoded already, and begins with `/`."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def query_string(self) -> str:
        """The query, percent-encoded, in order of its names."""
        return "&".join(f"{quote(name, safe='')}={quote(self.query[name], safe='')}" for name in sorted(self.query))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpObjectStore(ObjectStore):
    """A store behind HTTP. Protocols say how requests are signed, objects addressed and refusals read."""

    service: str = "object store"

    def __init__(self, endpoint: str, retries: RetryPolicy | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._retries = retries or RetryPolicy(attempts=5, first_delay_seconds=0.2)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session; make sure of the bucket."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        await self.ensure_bucket()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- what a protocol says ---------------------------------------------------------------------------------------

    @abstractmethod
    async def ensure_bucket(self) -> None:
        """Make the bucket unless it exists. Not being allowed to look or make is no failure: listing will tell."""

    @abstractmethod
    async def signed(self, request: Request) -> Request:
        """The request with what proves who asks; called for every attempt."""

    @abstractmethod
    def download(self, stored: StoredObject) -> Request:
        """The request for the content of that version."""

    @abstractmethod
    def refusal(self, answer: Answer) -> tuple[str, str]:
        """(code, message) of an answer that is an error."""

    def category(self, status: int, code: str) -> str:
        """The category of a refusal, as in `ServiceError`."""
        if status == 429:
            return "rate-limited"
        if status in (408, 409, 500, 502, 503, 504):
            return "transient"
        return {401: "authentication", 403: "authentication", 404: "not-found"}.get(status, "refused")

    def advice(self, status: int, code: str) -> str:
        """What to do about a refusal; empty if nothing is known."""
        return ""

    def is_same(self, stored: StoredObject, headers: Mapping[str, str]) -> bool:
        """Whether an answer is about that version. Not every server heeds the condition of a request."""
        return headers.get("ETag", stored.version.tag) == stored.version.tag

    def renewed(self, authorization: str) -> bool:
        """The store does not take this header. True if the next attempt will have another."""
        return False

    # --- requests ---------------------------------------------------------------------------------------------------

    async def ask(self, request: Request, expected: Sequence[int] = (200,)) -> Answer:
        """The answer, if its status is an expected one; repeated while the failure is transient."""
        return await self._retries.run(lambda: self._once(request, expected))

    async def _once(self, request: Request, expected: Sequence[int]) -> Answer:
        async with self._send(request) as response:
            if response.status in expected:
                return Answer(response.status, response.headers, await response.read())
            raise await self._failure(request, response)

    async def read(self, stored: StoredObject) -> Content | None:
        """Download that version, going on after interruptions."""
        download = _Download(stored)
        while True:
            before = download.size
            try:
                return await self._retries.run(lambda: self._go_on(download))
            except ServiceError as error:
                if not (error.retryable and download.size > before):  # as long as there is progress, go on
                    raise

    async def _go_on(self, download: _Download) -> Content | None:
        request = self.download(download.stored)
        done = download.size
        if done:
            request = replace(request, headers={**request.headers, "Range": f"bytes={done}-"})
        async with self._send(request) as response:
            if response.status in (304, 404, 412):
                return None
            if response.status not in (200, 206):
                raise await self._failure(request, response)
            if not self.is_same(download.stored, response.headers):
                return None
            if response.status == 200:
                download.restart()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                if not download.take(chunk):
                    return None
            kind = response.headers.get("Content-Type")
        if download.size < download.stored.version.size:
            raise ServiceError(f"{self.address(download.stored.name)}: the download ended early")
        return download.content(kind)

    @asynccontextmanager
    async def _send(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp
        from yarl import URL

        assert self._session is not None, "start() comes first"
        signed = await self.signed(request)
        query = signed.query_string()
        url = URL(f"{self.root}{signed.path}{'?' if query else ''}{query}", encoded=True)
        headers = {"Accept-Encoding": "identity", **signed.headers}
        try:
            async with self._session.request(
                signed.method,
                url,
                headers=headers,
                data=io.BytesIO(signed.body) if signed.body else None,
                allow_redirects=False,
                skip_auto_headers=SIGNED,
            ) as response:
                yield response
        except aiohttp.ClientConnectorCertificateError as error:
            raise ServiceError(
                f"{self._who(request)}: the certificate is not accepted: {error}", category="refused"
            ) from error
        except (aiohttp.InvalidURL, ssl.SSLError) as error:
            raise ServiceError(f"{self._who(request)}: {_words(error)}", category="refused") from error
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise ServiceError(f"{self._who(request)}: {_words(error)}") from error

    @property
    def root(self) -> str:
        """Scheme, host and port of the endpoint; its path belongs to the requests."""
        scheme, _, rest = self.endpoint.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    @property
    def root_path(self) -> str:
        """The path of the endpoint, without a `/` at its end."""
        _, slash, path = self.endpoint.partition("://")[2].partition("/")
        return slash + path

    async def _failure(self, request: Request, response: aiohttp.ClientResponse) -> ServiceError:
        body = b"" if request.method == "HEAD" else await response.content.read(LONGEST_REFUSAL)
        status = response.status
        code, message = self.refusal(Answer(status, response.headers, body))
        category = self.category(status, code)
        if status == 401 and self.renewed(response.request_info.headers.get("Authorization", "")):
            category = "transient"
        reason = ": ".join(part for part in (code or f"status {status}", message.rstrip(".")) if part)
        advice = self.advice(status, code)
        return ServiceError(
            f"{self._who(request)}: {reason}{'. ' + advice if advice else ''}",
            category=category,
            retry_after_seconds=asked_wait(response.headers),
        )

    def _who(self, request: Request) -> str:
        return f"{self.service} {self.address()} ({request.method})"


@dataclass(slots=True)
class _Download:
    """What has come of one version so far."""

    stored: StoredObject
    _buffer: io.BytesIO = field(default_factory=io.BytesIO)
    _digest: blake2b = field(default_factory=lambda: blake2b(digest_size=16))

    @property
    def size(self) -> int:
        return self._buffer.tell()

    def restart(self) -> None:
        """The server sends everything from the beginning."""
        if self.size:
            self._buffer, self._digest = io.BytesIO(), blake2b(digest_size=16)

    def take(self, chunk: bytes) -> bool:
        """Add a piece; False if there is more than the version has."""
        self._buffer.write(chunk)
        self._digest.update(chunk)
        return self.size <= self.stored.version.size

    def content(self, kind: str | None) -> Content:
        version = replace(self.stored.version, digest=self._digest.digest())
        return Content(self._buffer.getvalue(), version, kind)


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__

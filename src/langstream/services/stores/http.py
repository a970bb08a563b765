"""The HTTP connection to one store: pooled, with deadlines, retries and failures that tell who is to blame.

A connection that fails, an overloaded or failing server and a limit on requests are transient: they are tried again
here, after the time that the server asks for, and then left to the record's own retries. A refused request is the
record's failure, a refused login is one of the configuration. What is secret never appears in a message.

Requests are expected to be idempotent: they may be sent twice. Say `repeat=False` for one that is not.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import orjson

from langstream.errors import ServiceError
from langstream.records import dump_json
from langstream.services.ai.failures import place, scrubbed
from langstream.services.ai.retries import RetryPolicy, asked_wait
from langstream.services.network import proxy_for, unreachable

if TYPE_CHECKING:
    import aiohttp

LONGEST_QUOTE: Final = 600
"""Characters of a server's own words that a message repeats."""
_JSON: Final = "application/json"
_TRANSIENT: Final = (408, 425, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it goes out: what a signature has to cover."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body; `about` names the request in messages."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    about: str

    def json(self) -> Any:
        """The body parsed; None for an empty one. Raises ServiceError (malformed) where it is no JSON."""
        if not self.body.strip():
            return None
        try:
            return orjson.loads(self.body)
        except ValueError:
            raise ServiceError(f"{self.about}: the answer is not JSON", category="malformed") from None


Authorize: TypeAlias = Callable[[Request], Awaitable[Mapping[str, str]]]
"""Makes headers for one attempt of one request: signatures, tokens that expire."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for a connection and for a whole answer, and how many connections to keep."""

    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    connections: int = 16


@dataclass(slots=True)
class StoreClient:
    """Give it to `start` and `close`. `store` names the store in messages, `root` is the address paths are added to.

    `secrets` are kept out of messages even where the server repeats them. `words` finds the server's own message and
    error code in the parsed body of a refusal; `categories` says what such a code means where the status does not.
    """

    store: str
    root: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    limits: Limits = Limits()
    retries: RetryPolicy = field(default_factory=lambda: RetryPolicy(attempts=4, first_delay_seconds=0.2))
    authorize: Authorize | None = field(default=None, repr=False)
    words: Callable[[Any], tuple[str, str]] | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)

    async def start(self) -> None:
        """Make the session; nothing is connected yet."""
        import aiohttp

        limits = self.limits
        self._session = aiohttp.ClientSession(
            headers={**self.headers, **(_basic(*self.login) if self.login else {})},
            connector=aiohttp.TCPConnector(limit=limits.connections, ssl=self.verify),
            timeout=aiohttp.ClientTimeout(total=limits.answer_seconds, sock_connect=limits.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON document at the path."""
        return (await self.ask("GET", path, query=query)).json()

    async def post(self, path: str, body: Any, query: Mapping[str, Any] | None = None, *, repeat: bool = True) -> Any:
        """The JSON answer to a JSON body."""
        return (await self.ask("POST", path, body, query=query, repeat=repeat)).json()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str = _JSON,
        expected: Collection[int] = (200, 201, 202, 204),
        repeat: bool = True,
    ) -> Reply:
        """The answer, if its status is an expected one; otherwise a ServiceError.

        `body`: bytes go as they are, a mapping as a form if that is the content type, everything else as JSON.
        `path` begins with `/` and is percent-encoded already (`segment`), or is a whole address.
        """
        url = path if "://" in path else self.root.rstrip("/") + path
        if query:
            url += "?" + urlencode({name: value for name, value in query.items() if value is not None})
        content = encoded(body, content_type)
        headers = {"Accept": _JSON} | ({"Content-Type": content_type} if content else {})
        request = Request(method, url, content, headers)
        if repeat:
            return await self.retries.run(lambda: self._once(request, expected))
        return await self._once(request, expected)

    async def _once(self, request: Request, expected: Collection[int]) -> Reply:
        import aiohttp
        from yarl import URL

        if self._session is None:
            raise ServiceError(f"{self.store} is not connected: start() comes first", category="refused")
        headers = request.headers
        if self.authorize is not None:
            headers = {**headers, **await self.authorize(request)}
        about = f"{self.store} at {place(request.url)}"
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=io.BytesIO(request.body) if request.body else None,  # sent in pieces
                headers=headers,
                allow_redirects=False,  # it would carry the credentials to another place
                proxy=proxy_for(request.url),
            ) as response:
                reply = Reply(response.status, response.headers, await response.read(), about)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            limits = self.limits
            raise unreachable(
                error,
                about,
                connect_seconds=limits.connect_seconds,
                silence=f"did not answer within {limits.answer_seconds:g} s",
            ) from None
        if reply.status in expected:
            return reply
        raise self._refusal(reply)

    def _refusal(self, reply: Reply) -> ServiceError:
        message, code = self._message(reply)
        status = reply.status
        category = self.categories.get(code) or _category(status)
        if 300 <= status < 400:
            message = f"it redirects to {place(reply.headers.get('Location', '?'))}; configure the final address"
        text = f"{reply.about} answered {status}: {scrubbed(message, self.secrets)[:LONGEST_QUOTE] or 'no message'}"
        return ServiceError(text, category=category, retry_after_seconds=_wait(reply) if category in _WAITING else None)

    def _message(self, reply: Reply) -> tuple[str, str]:
        try:
            content = orjson.loads(reply.body)
        except ValueError:
            return " ".join(reply.body.decode("utf-8", "replace").split()), ""
        message, code = self.words(content) if self.words is not None else ("", "")
        return message or _words(content), code


_WAITING: Final = ("transient", "rate-limited")


def _basic(user: str, password: str) -> Mapping[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def segment(text: object) -> str:
    """A name as one segment of a path. Raises ServiceError (refused) for `.`, `..` and none, which mean other paths."""
    name = str(text)
    if name in ("", ".", ".."):
        raise ServiceError(f"'{name}' cannot be the name or the id of anything that is asked for", category="refused")
    return quote(name, safe="")


def encoded(body: Any, content_type: str = _JSON) -> bytes:
    """The bytes of a body; b"" for None. Raises ServiceError (refused) for what JSON cannot express."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if content_type.startswith("application/x-www-form-urlencoded"):
        return urlencode(body, doseq=True).encode()
    try:
        return dump_json(body)
    except TypeError as error:
        raise ServiceError(f"a value cannot be sent as JSON: {error}", category="refused") from None


def lines(documents: Collection[Any]) -> bytes:
    """Newline-delimited JSON."""
    return b"".join(encoded(document) + b"\n" for document in documents)


def _category(status: int) -> str:
    if status == 429:
        return "rate-limited"
    if status in _TRANSIENT:
        return "transient"
    return {401: "authentication", 403: "authentication", 404: "not-found"}.get(status, "refused")


def _wait(reply: Reply) -> float | None:
    return asked_wait({name.lower(): value for name, value in reply.headers.items()})


def _words(content: Any) -> str:
    """The message in a refusal of any common shape, else the whole of it."""
    for name in ("message", "error", "detail", "reason", "msg", "description", "errors", "status"):
        if isinstance(content, dict) and content.get(name):
            return _words(content[name])
    return content if isinstance(content, str) else orjson.dumps(content).decode()

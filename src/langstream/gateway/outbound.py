"""The gateway's HTTP client, for authentication providers and service agents. Opened when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from langstream.errors import ServiceError

if TYPE_CHECKING:
    import aiohttp

ANSWER_BYTES = 1 << 20
ANSWER_SECONDS = 10.0


class Outbound:
    """One connection pool. It keeps no cookies and follows no redirects: both would carry credentials elsewhere."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The client."""
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def get(self, url: str, headers: dict[str, str]) -> Answer:
        """A small answer. Raises ServiceError when there is none in time."""
        import aiohttp

        try:
            async with self.session().get(
                url,
                headers={"Accept-Encoding": "identity", **headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            ) as response:
                body = await response.content.read(ANSWER_BYTES)
                while chunk := await response.content.read(ANSWER_BYTES):
                    body += chunk
                    if len(body) > ANSWER_BYTES:
                        raise ServiceError("the authentication service answered with too much", category="malformed")
                return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ServiceError(f"the authentication service cannot be asked: {reason}") from error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Answer:
    """Status, headers (names in small letters) and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def members(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ServiceError for anything else."""
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise ServiceError("the authentication service answered with something other than a JSON object")
        return content

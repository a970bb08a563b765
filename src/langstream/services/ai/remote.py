"""What services at the other end of a network have in common: limits, a transport, answers streamed or whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from langstream.configuration.model import Configuration
from langstream.services.ai.contract import AIService, Chunk, Embeddings, Usage
from langstream.services.ai.failures import Source
from langstream.services.ai.framing import SSE, Framing
from langstream.services.ai.prices import Price
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.stream import Assembly, Reader, assembled
from langstream.services.ai.transport import Timeouts, Transport

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

CONCURRENCY: Final = 8
"""Requests under way at one time for one batch of texts, where the service takes few texts per request."""


def _http_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with http:// or https://")
    return url.rstrip("/")


HttpAddress = Annotated[str, AfterValidator(_http_address)]
"""The base address of a service, without a slash at its end."""


class RemoteConfiguration(Configuration):
    """The limits of requests; base of the options of remote services."""

    max_attempts: int = Field(
        4, ge=1, le=20, description="Attempts for one request, where a failure is likely to pass."
    )
    connect_timeout_seconds: float = Field(10.0, gt=0, description="Limit for making a connection.")
    request_timeout_seconds: float = Field(600.0, gt=0, description="Limit for an answer that is not streamed.")
    idle_timeout_seconds: float = Field(120.0, gt=0, description="Longest silence within a streamed answer.")

    prices: dict[str, Price] = Field(
        {}, description="Prices of models, per million tokens, for `langstream-cost` and the metrics of costs."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The service's own options go first, for readers of the reference."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        limits = {info.alias for info in RemoteConfiguration.model_fields.values()}
        schema["properties"] = dict(sorted(schema["properties"].items(), key=lambda option: option[0] in limits))
        return schema

    @property
    def timeouts(self) -> Timeouts:
        """The limits as the transport wants them."""
        return Timeouts(self.connect_timeout_seconds, self.request_timeout_seconds, self.idle_timeout_seconds)

    @property
    def retries(self) -> RetryPolicy:
        """The policy of repetition."""
        return RetryPolicy(attempts=self.max_attempts)


class RemoteService(AIService):
    """Base of services that are asked through one `Transport`."""

    framing: Framing = SSE
    strict = False
    """Whether a stream without an end marker was cut off; `answer` may say otherwise of one answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def start(self) -> None:
        await self._transport.start()

    async def close(self) -> None:
        await self._transport.close()

    def source(self, url: str) -> Source:
        """The address, as messages name it."""
        return Source(url, self._transport.secrets, self._transport.dialect)

    async def answer(
        self,
        url: str,
        body: Mapping[str, Any],
        reader: Callable[[], Reader],
        *,
        stream: bool,
        chat: bool = True,
        strict: bool | None = None,
        empties: bool = False,
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of the answer to the request. Closing the generator closes the connection."""
        if not stream:
            yield reader().whole(await self._transport.post(url, body))
            return

        def assembly() -> Assembly:
            return Assembly(self.source(url), reader(), chat, self.strict if strict is None else strict, empties)

        retries = self._transport.retries
        async with aclosing(retries.stream(lambda: self._streamed(url, body, assembly()))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _streamed(self, url: str, body: Mapping[str, Any], assembly: Assembly) -> AsyncGenerator[Chunk, None]:
        async with (
            aclosing(self._transport.stream(url, body, self.framing)) as pieces,
            aclosing(assembled(pieces, assembly)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk


def bearer(token: str | None) -> dict[str, str]:
    """The header for a bearer token; none for an empty one."""
    token = (token or "").strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


async def embed_in_parts(
    texts: Sequence[str], size: int, embed: Callable[[Sequence[str]], Awaitable[Embeddings]]
) -> Embeddings:
    """The vectors of the texts, asked for in parts of a size, a few at one time. The first failure ends them all."""
    if not texts:
        return Embeddings([])
    if len(texts) <= size:
        return await embed(texts)
    places = asyncio.Semaphore(CONCURRENCY)

    async def part(start: int) -> Embeddings:
        async with places:
            return await embed(texts[start : start + size])

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(start)) for start in range(0, len(texts), size)]
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None
    parts = [task.result() for task in tasks]
    vectors = [vector for found in parts for vector in found.vectors]
    counts = [found.usage.prompt_tokens for found in parts if found.usage is not None]
    return Embeddings(vectors, Usage(sum(counts)) if counts else None)


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of the failures that ended a group."""
    first = failures.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


def vectors_of(found: Any, count: int, source: Source) -> list[list[float]]:
    """The vectors as numbers. Raises ServiceError where they do not fit the texts."""
    if not isinstance(found, list) or not all(isinstance(vector, list) and vector for vector in found):
        raise source.malformed("it has no list of embeddings")
    if len(found) != count:
        raise source.malformed(f"it has {len(found)} embeddings for {count} texts")
    try:
        return [[float(number) for number in vector] for vector in found]
    except (TypeError, ValueError):
        raise source.malformed("one of its embeddings is not a list of numbers") from None


def count_of(number: Any) -> int:
    """A count of tokens; 0 where the service gives none."""
    return number if isinstance(number, int) and not isinstance(number, bool) else 0

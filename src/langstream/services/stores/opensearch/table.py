"""The index that a `vector-db-sink` writes to: whole documents by id, in bulk requests.

Every document has its own outcome. Those that the server had no room for may be tried again; until then, later ones
with the same id are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.stores.batches import Outcomes, write_by_key
from langstream.services.stores.contract import Table, Write
from langstream.services.stores.http import StoreClient, encoded
from langstream.services.stores.opensearch.configuration import ID, OpenSearchSinkConfiguration
from langstream.services.stores.opensearch.connection import CATEGORIES, reason

LONGEST_REQUEST: Final = 5_000_000
"""Bytes: servers at AWS take 10 MB or more, and long requests crowd out others."""
_TRANSIENT: Final = (408, 429, 500, 502, 503, 504)


class OpenSearchTable(Table):
    """Puts and deletes documents."""

    def __init__(self, client: StoreClient, path: str, configuration: OpenSearchSinkConfiguration) -> None:
        self._client = client
        self._path = f"{path}/_bulk"
        self._query = configuration.bulk_parameters.query()
        self._limit = configuration.batch_size or 1000

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._together, self._together, self._limit)

    async def _together(self, writes: Sequence[Write]) -> Outcomes:
        outcomes: list[Exception | None] = [None] * len(writes)
        lines: list[tuple[int, bytes]] = []
        for place, write in enumerate(writes):
            try:
                lines.append((place, operation(write)))
            except ServiceError as error:  # a value that JSON has no form for
                outcomes[place] = error
        for part in requests(lines):
            found = await self._bulk(b"".join(line for _, line in part), len(part))
            for (place, _), outcome in zip(part, found, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _bulk(self, body: bytes, count: int) -> Sequence[Exception | None]:
        try:
            reply = await self._client.ask(
                "POST", self._path, body, query=self._query, content_type="application/x-ndjson"
            )
            answer = reply.json()
            items = [outcome(next(iter(item.values()))) for item in answer["items"]]
            if len(items) != count:
                raise ServiceError("OpenSearch answered for another number of documents", category="malformed")
            return items
        except (KeyError, TypeError, AttributeError, StopIteration):
            return [ServiceError("OpenSearch's answer to a bulk request makes no sense", category="malformed")] * count
        except ServiceError as error:
            return [error] * count


def operation(write: Write) -> bytes:
    """The lines of a bulk request for one write."""
    target = {"_id": str(write.key[ID])}
    if write.values is None:
        return encoded({"delete": target}) + b"\n"
    document = {name: value for name, value in write.values.items() if value is not None}
    return encoded({"index": target}) + b"\n" + encoded(document) + b"\n"


def requests(lines: Sequence[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """The operations in parts that one request can take."""
    part: list[tuple[int, bytes]] = []
    size = 0
    for place, line in lines:
        if part and size + len(line) > LONGEST_REQUEST:
            yield part
            part, size = [], 0
        part.append((place, line))
        size += len(line)
    if part:
        yield part


def outcome(item: Mapping[str, Any]) -> Exception | None:
    """The failure of one operation, or None. What is deleted already is no failure."""
    error, status = item.get("error"), int(item["status"])
    if not error and (status < 300 or status == 404):
        return None
    if not isinstance(error, dict):
        error = {"reason": error or f"status {status}"}
    category = CATEGORIES.get(str(error.get("type")), "transient" if status in _TRANSIENT else "refused")
    return ServiceError(f"Error indexing document: {reason(error)}", category=category)

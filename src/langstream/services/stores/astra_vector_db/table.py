"""The collection that a `vector-db-sink` writes to.

New documents go together. Those that could not be inserted, because there are documents with their ids or because the
API refuses them, are put one by one in place of what is there, so that each has its own outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.stores.astra_vector_db.collection import DataApi, document
from langstream.services.stores.astra_vector_db.configuration import ID
from langstream.services.stores.astra_vector_db.queries import delete_many
from langstream.services.stores.batches import Outcomes, write_by_key
from langstream.services.stores.contract import Table, Write

MOST_DOCUMENTS: Final = 50
"""In one command, as the API allows."""
_AT_ONCE: Final = 8


class AstraCollection(Table):
    """Puts and deletes documents by id."""

    def __init__(self, api: DataApi, collection: str) -> None:
        self._api = api
        self._collection = collection
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._upsert, self._delete, MOST_DOCUMENTS)

    async def _upsert(self, writes: Sequence[Write]) -> Outcomes:
        outcomes: list[Exception | None] = [None] * len(writes)
        documents: dict[int, dict[str, Any]] = {}
        for place, write in enumerate(writes):
            try:
                documents[place] = document({**(write.values or {}), ID: str(write.key[ID])})
            except (ServiceError, ValueError) as error:
                outcomes[place] = ServiceError(str(error), category="refused")
        inserted = await self._insert(list(documents.values())) if documents else set()
        left = [place for place, made in documents.items() if made["_id"] not in inserted]
        found = await asyncio.gather(*(self._replace(documents[place]) for place in left))
        for place, outcome in zip(left, found, strict=True):
            outcomes[place] = outcome
        return outcomes

    async def _insert(self, documents: Sequence[dict[str, Any]]) -> set[Any]:
        """The ids of those that were inserted."""
        request = {"documents": documents, "options": {"ordered": False}}
        try:
            answer = await self._api.ask("insertMany", request, self._collection, partly=True)
        except ServiceError as error:
            if error.category != "refused":
                raise
            return set()
        return set((answer.get("status") or {}).get("insertedIds") or ())

    async def _replace(self, made: dict[str, Any]) -> Exception | None:
        request = {
            "filter": {"_id": made["_id"]},
            "replacement": made,
            "projection": {"_id": 1},
            "options": {"upsert": True},
        }
        try:
            async with self._slots:
                await self._api.ask("findOneAndReplace", request, self._collection)
            return None
        except ServiceError as error:
            return error

    async def _delete(self, writes: Sequence[Write]) -> Outcomes:
        await delete_many(self._api, self._collection, {"_id": {"$in": [str(write.key[ID]) for write in writes]}})
        return None

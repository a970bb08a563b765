"""The collection that a `vector-db-sink` writes to: a batch is one update request, whose commands keep their order.

Solr stops at the first document it refuses. Then the batch is sent again in halves, until that document is alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langstream.errors import RecordError, ServiceError
from langstream.services.stores.batches import isolated
from langstream.services.stores.contract import Table, Write
from langstream.services.stores.http import StoreClient, encoded
from langstream.services.stores.solr.configuration import ID, SolrSinkConfiguration
from langstream.services.stores.solr.statements import commit


class SolrTable(Table):
    """Puts and deletes documents by id."""

    def __init__(self, client: StoreClient, path: str, configuration: SolrSinkConfiguration) -> None:
        self._client = client
        self._path = f"{path}/update"
        self._query = {**commit(configuration.commit_within), "wt": "json"}

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        outcomes: list[Exception | None] = [None] * len(writes)
        commands: list[tuple[int, bytes]] = []
        for place, write in enumerate(writes):
            try:
                commands.append((place, command(write)))
            except (RecordError, ServiceError) as error:
                outcomes[place] = error
        if commands:
            found = await isolated([line for _, line in commands], self._send)
            for (place, _), outcome in zip(commands, found, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _send(self, commands: Sequence[bytes]) -> None:
        body = b"{" + b",".join(commands) + b"}"
        await self._client.ask("POST", self._path, body, query=self._query)


def command(write: Write) -> bytes:
    """One command of an update request; they may have equal names."""
    id = str(write.key[ID])
    if write.values is None:
        return b'"delete":' + encoded({"id": id})
    document: dict[str, Any] = {ID: id}
    for name, value in write.values.items():
        if value is not None:
            document[name] = _plain(name, value)
    return b'"add":' + encoded({"doc": document})


def _plain(name: str, value: Any) -> Any:
    """The value, unless there is an object in it: Solr would take that for a command (`{"set": …}`)."""
    if isinstance(value, dict) or (isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value)):
        raise RecordError(f"field {name}: Solr has no fields for objects; write it as text (fn:toJson)")
    return value

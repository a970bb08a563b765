"""Connections to Pinecone: one to the service that knows the indexes, one to the index."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.stores.http import Limits, StoreClient, segment
from langstream.services.stores.pinecone.configuration import PineconeConfiguration

API_VERSION: Final = "2025-01"


class PineconeConnection:
    """Give it to `start` and `close`. The index is looked up when it is first needed."""

    def __init__(self, configuration: PineconeConfiguration) -> None:
        self._configuration = configuration
        self.control = self._client(configuration.control_endpoint)
        self._index: StoreClient | None = None
        self._looking = asyncio.Lock()

    def _client(self, root: str) -> StoreClient:
        configuration = self._configuration
        return StoreClient(
            "Pinecone",
            root if "://" in root else f"https://{root}",
            headers={"Api-Key": configuration.api_key, "X-Pinecone-API-Version": API_VERSION},
            secrets=(configuration.api_key,),
            limits=Limits(answer_seconds=configuration.server_side_timeout_sec),
        )

    async def start(self) -> None:
        """Nothing is connected yet."""
        await self.control.start()

    async def close(self) -> None:
        """Close every connection."""
        index, self._index = self._index, None
        if index is not None:
            await index.close()
        await self.control.close()

    async def index(self) -> StoreClient:
        """The client of the index."""
        async with self._looking:
            if self._index is None:
                client = self._client(self._configuration.known_address() or await self._found())
                await client.start()
                self._index = client
            return self._index

    async def _found(self) -> str:
        name = self._configuration.index_name
        described: Any = await self.control.get(f"/indexes/{segment(name)}")
        host = described.get("host") if isinstance(described, dict) else None
        if not isinstance(host, str) or not host:
            raise ServiceError(f"Pinecone tells no host of the index {name}; is it ready?")
        return host

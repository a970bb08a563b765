"""The asset type `pinecone-index`."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final, Literal

from pydantic import Field

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.http import segment
from langstream.services.stores.pinecone.store import PineconeStore

READY_SECONDS: Final = 300.0
LOOK_EVERY_SECONDS: Final = 1.0


class IndexConfiguration(Configuration):
    """An index."""

    datasource: Annotated[
        str, Kind("resource", of=("vector-database", "datasource")), Field(description="Resource of the Pinecone.")
    ]
    name: Annotated[str | None, Field(description="Index; that of the resource by default.")] = None
    dimension: Annotated[int, Field(ge=1, le=20_000, description="How many numbers a vector has.")]
    metric: Annotated[Literal["cosine", "euclidean", "dotproduct"], Field(description="How vectors are compared.")] = (
        "cosine"
    )
    cloud: Annotated[Literal["aws", "gcp", "azure"], Field(description="Cloud that it runs in.")] = "aws"
    region: Annotated[str, Field(description="Region of the cloud.")] = "us-east-1"


class IndexAsset(AssetManager):
    """Creates and deletes the index."""

    def __init__(self, configuration: IndexConfiguration, store: PineconeStore) -> None:
        self._configuration = configuration
        self._name = configuration.name or store.configuration.index_name
        self._control = store.connection.control

    async def exists(self) -> bool:
        return (await self._control.ask("GET", self._path, expected=(200, 404))).status == 200

    async def create(self) -> None:
        """Create it, and wait until it can be used."""
        configuration = self._configuration
        body = {
            "name": self._name,
            "dimension": configuration.dimension,
            "metric": configuration.metric,
            "spec": {"serverless": {"cloud": configuration.cloud, "region": configuration.region}},
        }
        # A request that is repeated meets the index that it made: a conflict, and no failure.
        await self._control.ask("POST", "/indexes", body, expected=(200, 201, 409))
        deadline = time.monotonic() + READY_SECONDS
        while not (await self._control.get(self._path)).get("status", {}).get("ready", False):
            if time.monotonic() > deadline:
                raise ServiceError(f"the Pinecone index {self._name} is not ready after {READY_SECONDS:g} s")
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def delete(self) -> None:
        await self._control.ask("DELETE", self._path, expected=(200, 202, 204, 404))

    @property
    def _path(self) -> str:
        return f"/indexes/{segment(self._name)}"

"""Astra: Cassandra behind a secure connect bundle, which is fetched with a token where it is not configured."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.errors import ServiceError
from langstream.services.stores.cassandra.assets import Datasource
from langstream.services.stores.cassandra.configuration import AstraConfiguration, bundle_bytes
from langstream.services.stores.cassandra.devops import AstraApi
from langstream.services.stores.cassandra.mapping import name
from langstream.services.stores.cassandra.session import Access, CqlSession
from langstream.services.stores.cassandra.store import CqlStore
from langstream.services.stores.contract import AssetManager

Api = Callable[[AstraConfiguration], AstraApi]


class AstraStore(CqlStore):
    """A CQL store on Astra."""

    def __init__(self, configuration: AstraConfiguration, api: Api = AstraApi) -> None:
        self.configuration = configuration
        self.api = api
        super().__init__(CqlSession(_access(configuration, Path())))

    async def start(self) -> None:
        """Connect; with a bundle from Astra where none is configured."""
        bundle = await self._bundle()
        path = await asyncio.to_thread(_written, bundle)
        try:
            self.session = CqlSession(_access(self.configuration, path))
            await self.session.start()
        finally:
            path.unlink()  # the driver has read it

    async def _bundle(self) -> bytes:
        if self.configuration.secure_bundle:
            return bundle_bytes(self.configuration.secure_bundle)
        async with self.api(self.configuration) as api:
            return await api.bundle()


def connect(configuration: AstraConfiguration, _: Path | None) -> AstraStore:
    """The store of an Astra database."""
    return AstraStore(configuration)


def _access(configuration: AstraConfiguration, bundle: Path) -> Access:
    return Access(
        where=f"Astra database {configuration.database or configuration.database_id or ''}".strip(),
        arguments={"cloud": {"secure_connect_bundle": str(bundle)}},
        local_dc=None,
        username=configuration.username or configuration.client_id,
        password=configuration.password or configuration.secret,
        consistency="LOCAL_QUORUM",
    )


def _written(bundle: bytes) -> Path:
    handle, path = tempfile.mkstemp(suffix=".zip")  # readable by this user only
    with os.fdopen(handle, "wb") as file:
        file.write(bundle)
    return Path(path)


class AstraKeyspaceConfiguration(Configuration):
    """A keyspace of an Astra database."""

    datasource: Datasource
    keyspace: Annotated[str, Field(min_length=1, description="Keyspace.")]


class AstraKeyspaceAsset(AssetManager):
    """Creates and deletes a keyspace through the DevOps API: CQL may not do it on Astra."""

    def __init__(self, configuration: AstraKeyspaceConfiguration, store: AstraStore) -> None:
        self._keyspace = name(configuration.keyspace)
        self._store = store
        options = store.configuration
        if not options.token or not (options.database or options.database_id):
            raise ServiceError(
                "the datasource needs token, and database or database-id: keyspaces of Astra are made with them",
                category="refused",
            )

    async def exists(self) -> bool:
        return bool(await self._asked(lambda api: api.has_keyspace(self._keyspace)))

    async def create(self) -> None:
        await self._asked(lambda api: api.create_keyspace(self._keyspace))

    async def delete(self) -> None:
        await self._asked(lambda api: api.delete_keyspace(self._keyspace))

    async def _asked(self, call: Callable[[AstraApi], Any]) -> Any:
        async with self._store.api(self._store.configuration) as api:
            return await call(api)

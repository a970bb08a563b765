"""Astra: Cassandra behind a secure connect bundle, which is fetched with a token where it is not configured."""

from __future__ import annotations

import asyncio
import ssl
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
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
        super().__init__(CqlSession(_access(configuration, {})))

    async def start(self) -> None:
        """Connect; with a bundle from Astra where none is configured."""
        bundle = await self._bundle()
        with TemporaryDirectory() as folder:  # readable by this user only; gone when the driver has read it
            cloud = await asyncio.to_thread(unpacked, bundle, Path(folder))
            self.session = CqlSession(_access(self.configuration, cloud))
            await self.session.start()

    async def _bundle(self) -> bytes:
        if self.configuration.secure_bundle:
            return bundle_bytes(self.configuration.secure_bundle)
        async with self.api(self.configuration) as api:
            return await api.bundle()


def connect(configuration: AstraConfiguration, _: Path | None) -> AstraStore:
    """The store of an Astra database."""
    return AstraStore(configuration)


def _access(configuration: AstraConfiguration, cloud: Mapping[str, Any]) -> Access:
    return Access(
        where=f"Astra database {configuration.database or configuration.database_id or ''}".strip(),
        arguments={"cloud": cloud},
        local_dc=None,
        username=configuration.username or configuration.client_id,
        password=configuration.password or configuration.secret,
        consistency="LOCAL_QUORUM",
    )


def unpacked(bundle: bytes, folder: Path) -> dict[str, Any]:
    """What the driver wants to know of a bundle. Raises ServiceError (refused) for what is none."""
    path = folder / "bundle.zip"
    path.write_bytes(bundle)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in ("ca.crt", "cert", "key"):
                (folder / name).write_bytes(archive.read(name))
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.check_hostname = False  # the proxy is told the node's id in place of a host name
        context.load_cert_chain(folder / "cert", folder / "key")
    except (zipfile.BadZipFile, KeyError, ssl.SSLError) as error:
        raise ServiceError(f"the secure connect bundle cannot be read: {error}", category="refused") from None
    return {"secure_connect_bundle": str(path), "ssl_context": context}


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

"""The DevOps API of Astra: finding a database, its secure connect bundle, and its keyspaces."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self

from langstream.errors import ServiceError
from langstream.services.stores.cassandra.configuration import AstraConfiguration
from langstream.services.stores.http import StoreClient, segment

ROOTS: Final = {
    "PROD": "https://api.astra.datastax.com",
    "DEV": "https://api.dev.cloud.datastax.com",
    "TEST": "https://api.test.cloud.datastax.com",
}
WAIT_SECONDS: Final = 120.0
"""A keyspace is there some seconds after it was asked for."""
LOOK_SECONDS: Final = 1.0


class AstraApi:
    """Requests about the database of a configuration. Use it as a context manager."""

    def __init__(self, configuration: AstraConfiguration, root: str | None = None) -> None:
        token = configuration.token or ""
        self._configuration = configuration
        self._client = StoreClient(
            "the DevOps API of Astra",
            root or ROOTS[configuration.environment],
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
        )
        self._plain = StoreClient("the bundle of the Astra database", "")  # elsewhere: the token is not for it

    async def __aenter__(self) -> Self:
        await self._client.start()
        await self._plain.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._plain.close()

    async def bundle(self) -> bytes:
        """The secure connect bundle: a zip file."""
        answer = await self._client.post(f"{await self._database()}/secureBundleURL", {})
        address = answer.get("downloadURL") if isinstance(answer, dict) else None
        if not address:
            raise ServiceError("the DevOps API of Astra gave no address of the bundle", category="malformed")
        return (await self._plain.ask("GET", address)).body

    async def has_keyspace(self, keyspace: str) -> bool:
        """Whether the database has it."""
        info = (await self._client.get(await self._database())).get("info") or {}
        return keyspace in [
            info.get("keyspace"),
            *(info.get("keyspaces") or []),
            *(info.get("additionalKeyspaces") or []),
        ]

    async def create_keyspace(self, keyspace: str) -> None:
        """Create it, and wait until it is there. Fine where it exists."""
        path = f"{await self._database()}/keyspaces/{segment(keyspace)}"
        await self._client.ask("POST", path, expected=(200, 201, 202, 204, 409))
        await self._until(keyspace, True)

    async def delete_keyspace(self, keyspace: str) -> None:
        """Delete it, and wait until it is gone. Fine where it does not exist."""
        if await self.has_keyspace(keyspace):
            path = f"{await self._database()}/keyspaces/{segment(keyspace)}"
            await self._client.ask("DELETE", path, expected=(200, 202, 204, 404))
            await self._until(keyspace, False)

    async def _until(self, keyspace: str, there: bool) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    if await self.has_keyspace(keyspace) is there:
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            done = "created" if there else "deleted"
            raise ServiceError(f"the keyspace {keyspace} was not {done} within {WAIT_SECONDS:g} s") from None

    async def _database(self) -> str:
        """The path of the database, looked up by name where there is one."""
        name = self._configuration.database
        if not name:
            return f"/v2/databases/{segment(self._configuration.database_id)}"
        found: Any = await self._client.get("/v2/databases", {"include": "nonterminated", "limit": 100})
        for database in found or ():
            if (database.get("info") or {}).get("name") == name:
                return f"/v2/databases/{segment(database['id'])}"
        raise ServiceError(f"Astra has no database '{name}' that the token may see", category="not-found")

"""A bucket of every kind of store under test, and what others do to it meanwhile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from uuid import uuid4

from langstream.services.objects.azure import AzureCredential, AzureStore
from langstream.services.objects.contract import ObjectStore
from langstream.services.objects.google import GoogleStore
from langstream.services.objects.google_token import ServiceAccount
from langstream.services.objects.http import HttpObjectStore, Request
from langstream.services.objects.s3 import S3Store
from tests.services.objects.google_server import GoogleServer
from tests.services.objects.servers import ACCOUNT, ACCOUNT_KEY


class StoreBench(ABC):
    """One bucket, not made yet, and another user of it."""

    def __init__(self) -> None:
        self.bucket = f"bucket-{uuid4().hex[:12]}"
        self._store: ObjectStore | None = None

    @abstractmethod
    def store(self) -> ObjectStore:
        """Another client of the bucket."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The options of a source of the bucket."""

    @abstractmethod
    async def put(self, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """Store an object."""

    async def names(self) -> list[str]:
        """The names of all objects."""
        store = await self._own()
        return [stored.name async for page in store.pages("", recursive=True) for stored in page]

    async def remove(self, name: str) -> None:
        """Delete an object, whatever it is."""
        store = await self._own()
        async for page in store.pages("", recursive=True):
            for stored in page:
                if stored.name == name:
                    assert await store.delete(stored)

    async def _own(self) -> ObjectStore:
        if self._store is None:
            self._store = self.store()
            await self._store.start()
        return self._store

    async def close(self) -> None:
        """Close the other user's client; another one may come."""
        store, self._store = self._store, None
        if store is not None:
            await store.close()


class S3Bench(StoreBench):
    """A bucket of moto."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def store(self) -> S3Store:
        """With keys that moto does not look at."""
        return S3Store(self.endpoint, self.bucket, "key", "secret")

    def options(self) -> dict[str, Any]:
        """Of `s3-source`."""
        return {"endpoint": self.endpoint, "bucketName": self.bucket, "access-key": "key", "secret-key": "secret"}

    async def put(self, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """`PutObject`."""
        store = await self._own()
        assert isinstance(store, HttpObjectStore)
        path = store.download(_named(name)).path
        await store.ask(Request("PUT", path, headers={"Content-Type": kind}, body=data))


class AzureBench(StoreBench):
    """A container of Azurite."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def store(self) -> AzureStore:
        """With the account's key."""
        return AzureStore(self.endpoint, self.bucket, AzureCredential("", ACCOUNT, ACCOUNT_KEY))

    def options(self) -> dict[str, Any]:
        """Of `azure-blob-storage-source`."""
        return {
            "endpoint": self.endpoint,
            "container": self.bucket,
            "storage-account-name": ACCOUNT,
            "storage-account-key": ACCOUNT_KEY,
        }

    async def put(self, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """`Put Blob`."""
        store = await self._own()
        assert isinstance(store, HttpObjectStore)
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": kind}
        if data:
            headers["Content-Length"] = str(len(data))
        path = store.download(_named(name)).path
        await store.ask(Request("PUT", path, headers=headers, body=data), expected=(201,))


class GoogleBench(StoreBench):
    """A bucket of the Google server that the tests keep."""

    def __init__(self, server: GoogleServer) -> None:
        super().__init__()
        self.server = server
        self.endpoint = server.address

    def store(self) -> GoogleStore:
        """With the account that is let in."""
        return GoogleStore(self.bucket, ServiceAccount.parse(self.server.account()), self.endpoint)

    def options(self) -> dict[str, Any]:
        """Of `google-cloud-storage-source`."""
        return {
            "bucket-name": self.bucket,
            "service-account-json": self.server.account(),
            "endpoint": self.endpoint,
        }

    async def put(self, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """Straight into the server's memory."""
        self.server.put(self.bucket, name, data, kind)


class RunningGoogleBench(GoogleBench):
    """A bucket of `fake-gcs-server`; the tokens are of the server that the tests keep."""

    def __init__(self, tokens: GoogleServer, endpoint: str) -> None:
        super().__init__(tokens)
        self.endpoint = endpoint

    async def put(self, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """A simple upload."""
        store = await self._own()
        assert isinstance(store, HttpObjectStore)
        query = {"uploadType": "media", "name": name}
        path = f"/upload/storage/v1/b/{self.bucket}/o"
        await store.ask(Request("POST", path, query, {"Content-Type": kind}, data))


def _named(name: str) -> Any:
    from langstream.services.objects.contract import StoredObject, Version

    return StoredObject(name, Version(0, 0))

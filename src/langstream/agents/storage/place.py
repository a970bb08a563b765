"""Where a source finds its objects: a folder, or a bucket. It knows which objects are wanted, and does the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol, TypeAlias

from langstream.errors import ServiceError
from langstream.services.objects.contract import Content, ObjectStore, StoredObject, Version

DOWNLOADS = 16
"""So many objects of a bucket are read, or deleted, at once."""

Read: TypeAlias = "Content | ServiceError | None"
"""What came of reading an object: its content, why it cannot be read, or None: it is gone or changing."""
Deleted: TypeAlias = "bool | ServiceError"
"""Whether the object is gone, or why it cannot be deleted. False: there is a newer version."""


@dataclass(slots=True)
class Listing:
    """What a look found, or a page of it. `unreadable` are folders whose files are unknown, "" the root itself."""

    files: dict[str, Version] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def knows_about(self, path: str) -> bool:
        """Whether the absence of the path means that the file is gone."""
        return not any(folder == "" or path.startswith(f"{folder}/") for folder in self.unreadable)


class Place(Protocol):
    """What a source needs of the place of its objects."""

    async def start(self) -> None:
        """Open connections."""

    async def close(self) -> None:
        """Let go of them."""

    def look(self) -> AsyncGenerator[Listing, None]:
        """All wanted objects, in pages. What is on no page does not exist, unless a page says that it is unknown."""

    def covers(self, name: str) -> bool:
        """Whether an object of that name would be listed. The options may have changed since it was delivered."""

    async def read(self, objects: Sequence[tuple[str, Version]]) -> Sequence[Read]:
        """The contents of these versions, in order."""

    async def delete(self, objects: Mapping[str, Version]) -> Mapping[str, Deleted]:
        """Delete these versions, and no others."""

    def address(self, name: str) -> str:
        """The object, for messages."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of all names that one of several replicas looks after."""

    replica: int = 0
    replicas: int = 1

    def __contains__(self, name: str) -> bool:
        if self.replicas == 1:
            return True
        digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest) % self.replicas == self.replica


def within(total_bytes: int, files: Sequence[tuple[str, Version]]) -> Iterator[tuple[str, Version]]:
    """As many of the files as fit into a budget; at least the first."""
    used = 0
    for path, version in files:
        used += version.size
        if used > total_bytes and used != version.size:
            return
        yield path, version


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects of a bucket are wanted. Extensions are compared exactly; None: all."""

    prefix: str = ""
    recursive: bool = False
    extensions: frozenset[str] | None = None

    def __call__(self, name: str) -> bool:
        """Whether an object of that name is wanted. Without a dot its extension is empty."""
        if not name.startswith(self.prefix):
            return False
        if not self.recursive and "/" in name[len(self.prefix) :]:
            return False
        _, dot, extension = name.rpartition(".")
        return self.extensions is None or (extension if dot and "/" not in extension else "") in self.extensions


class BucketPlace:
    """Some of the objects of a store."""

    def __init__(self, store: ObjectStore, wanted: Wanted) -> None:
        self._store = store
        self._wanted = wanted

    async def start(self) -> None:
        """Open the store."""
        await self._store.start()

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def look(self) -> AsyncGenerator[Listing, None]:
        """Page by page, as the store lists."""
        async with aclosing(self._store.pages(self._wanted.prefix, recursive=self._wanted.recursive)) as pages:
            async for page in pages:
                yield Listing({stored.name: stored.version for stored in page if self._wanted(stored.name)})

    def covers(self, name: str) -> bool:
        """Whether the name is wanted."""
        return self._wanted(name)

    async def read(self, objects: Sequence[tuple[str, Version]]) -> Sequence[Read]:
        """Several at once."""
        turn = asyncio.Semaphore(DOWNLOADS)

        async def read_one(stored: StoredObject) -> Read:
            async with turn:
                try:
                    return await self._store.read(stored)
                except ServiceError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_one(StoredObject(name, version))) for name, version in objects]
        return [task.result() for task in tasks]

    async def delete(self, objects: Mapping[str, Version]) -> Mapping[str, Deleted]:
        """Several at once."""
        turn = asyncio.Semaphore(DOWNLOADS)

        async def delete_one(stored: StoredObject) -> Deleted:
            async with turn:
                try:
                    return await self._store.delete(stored)
                except ServiceError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(delete_one(StoredObject(name, objects[name]))) for name in objects}
        return {name: task.result() for name, task in tasks.items()}

    def address(self, name: str) -> str:
        """Where the object is."""
        return self._store.address(name)

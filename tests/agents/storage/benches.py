"""Sources under test on a place of their own, and what others do there meanwhile."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from langstream.agents.declaration import AGENT_TYPES, AgentType
from langstream.agents.storage.object_source import ObjectSource
from langstream.configuration.model import Configuration
from langstream.configuration.validation import check
from langstream.records import Record
from langstream.sdk.contract import AgentContext
from tests.services.objects.benches import StoreBench


class SourceBench(ABC):
    """Makes sources of one place; options have the names of the sources of buckets, in snake case."""

    type_name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent: list[tuple[str, Record]] = []
        self._opened: list[ObjectSource] = []

    @abstractmethod
    async def put(self, name: str, content: str) -> None:
        """Store an object, or another version of it."""

    @abstractmethod
    async def remove(self, name: str) -> None:
        """Delete an object."""

    @abstractmethod
    async def names(self) -> list[str]:
        """What is there."""

    @abstractmethod
    def settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """The configuration of the type for these options."""

    def model(self, **options: Any) -> Configuration:
        """The validated configuration."""
        agent: AgentType = AGENT_TYPES.load(self.type_name)
        defaults = {"idle_time": 0.02, "file_extensions": "*", "recursive": True, "delete_objects": False}
        model, problems = check(
            cast("type[Configuration]", agent.configuration),
            self.settings({**defaults, **options}),
            subject=self.type_name,
        )
        assert model is not None, problems
        return model

    async def source(
        self, state: str | None = "state", replica: int = 0, replicas: int = 1, **options: Any
    ) -> ObjectSource:
        """A started source."""
        agent: AgentType = AGENT_TYPES.load(self.type_name)
        source = agent.create(self.model(**options))
        assert isinstance(source, ObjectSource)
        self._opened.append(source)
        await source.start(
            AgentContext(
                "source",
                "app",
                topics=self,
                state_directory=self.directory / state if state else None,
                code_directory=self.directory,
                replica=replica,
                replicas=replicas,
            )
        )
        return source

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """The side topic."""
        self.sent += [(topic, record) for record in records]

    async def stop(self) -> None:
        """Close every source, as before a restart."""
        for source in self._opened:
            await source.close()
        self._opened.clear()

    async def close(self) -> None:
        """The end."""
        await self.stop()


class FolderSources(SourceBench):
    """`file-source` on a folder. Every write has a time of its own."""

    type_name = "file-source"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.inbox = directory / "inbox"
        self.inbox.mkdir()
        self._clock = 1_700_000_000

    async def put(self, name: str, content: str) -> None:
        """Write the file."""
        file = self.inbox / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        self._clock += 1
        os.utime(file, (self._clock, self._clock))

    async def remove(self, name: str) -> None:
        """Delete the file."""
        (self.inbox / name).unlink()

    async def names(self) -> list[str]:
        """All files."""
        return sorted(str(file.relative_to(self.inbox)) for file in self.inbox.rglob("*") if file.is_file())

    def settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """In the words of `file-source`."""
        words = {
            "delete_objects": "delete-files",
            "deleted_objects_topic": "deleted-files-topic",
            "max_object_size": "max-file-size",
        }
        named = {words.get(name, name.replace("_", "-")): value for name, value in options.items()}
        return {"path": "inbox", "watch": False, "settle-time": 0, **named}


class BucketSources(SourceBench):
    """A source of a bucket."""

    def __init__(self, type_name: str, store: StoreBench, directory: Path) -> None:
        super().__init__(directory)
        self.type_name = type_name
        self.store = store

    async def put(self, name: str, content: str) -> None:
        """Upload."""
        await self.store.put(name, content.encode())

    async def remove(self, name: str) -> None:
        """Delete the object."""
        await self.store.remove(name)

    async def names(self) -> list[str]:
        """All objects."""
        return sorted(await self.store.names())

    def settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """With the address and the credentials."""
        return {**self.store.options(), **{name.replace("_", "-"): value for name, value in options.items()}}

    async def close(self) -> None:
        """The other user's client as well."""
        await super().close()
        await self.store.close()


async def read_some(source: ObjectSource, attempts: int = 50) -> list[Record]:
    """The first records that come."""
    for _ in range(attempts):
        if records := await source.read(100):
            return list(records)
    return []


async def read_all(source: ObjectSource) -> list[Record]:
    """All records until there are no more."""
    records: list[Record] = []
    while more := await source.read(100):
        records += more
    return records


async def read_nothing(source: ObjectSource) -> bool:
    """Whether three looks give nothing."""
    return not any([await source.read(100) for _ in range(3)])


def keys(records: Sequence[Record]) -> list[Any]:
    """The keys of records."""
    return [record.key() for record in records]


def values(records: Sequence[Record]) -> list[Any]:
    """The values of records."""
    return [record.value() for record in records]

"""What every object store can do, and the values that pass between a store and whoever uses it.

A store never hands out a mixture of two versions of an object, and never deletes a version other than the one it was
asked to delete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """A state of an object.

    `tag` is the store's own name of the version (an entity tag, a generation). Where there is none, equal size and
    time mean unchanged. Equal digests mean the same content.
    """

    size: int
    modified_ns: int
    digest: bytes = b""
    tag: str = ""

    def looks_like(self, other: Version | None) -> bool:
        """Whether the two are the same state as far as can be told without reading the content."""
        if other is None:
            return False
        if self.tag or other.tag:
            return self.tag == other.tag
        return (self.size, self.modified_ns) == (other.size, other.modified_ns)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells it."""

    name: str
    version: Version


@dataclass(frozen=True, slots=True)
class Content:
    """The whole content of one version; the version has its digest."""

    data: bytes
    version: Version
    content_type: str | None = None


class ObjectStore(ABC):
    """One bucket or container. Failures are `ServiceError`s that name the place and never a credential."""

    @abstractmethod
    async def start(self) -> None:
        """Open connections; make the bucket if it is missing."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connections. Harmless if never started."""

    @abstractmethod
    def pages(self, prefix: str, *, recursive: bool) -> AsyncGenerator[Sequence[StoredObject], None]:
        """The objects whose names begin with the prefix, in order of their names, as the store pages them.

        Not recursive: only those without a further `/` after the prefix.
        """

    @abstractmethod
    async def read(self, stored: StoredObject) -> Content | None:
        """The content of that version; None if it is gone or no longer this version."""

    @abstractmethod
    async def delete(self, stored: StoredObject) -> bool:
        """Delete that version. True when the object is gone, False when there is another version now."""

    @abstractmethod
    def address(self, name: str = "") -> str:
        """The bucket, or an object in it, for messages."""

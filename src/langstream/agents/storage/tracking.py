"""What a source knows about every object: delivered for good, under way, or gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from langstream.records import Record
from langstream.services.objects.contract import Version


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A record under way: the object it came from; no version for a deletion."""

    record: Record
    name: str
    version: Version | None


class Tracking:
    """Deliveries under way on top of what the ledger says."""

    def __init__(self) -> None:
        self.delivered: dict[str, Version] = {}
        self.bytes_under_way = 0
        self._under_way: dict[int, UnderWay] = {}
        self._latest: dict[str, Version | None] = {}  # the newest version under way of every object

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, record: Record, name: str, version: Version | None) -> None:
        """The record is on its way."""
        self._under_way[id(record)] = UnderWay(record, name, version)
        self._latest[name] = version
        self.bytes_under_way += version.size if version is not None else 0

    def find(self, record: Record) -> UnderWay | None:
        """The delivery of a record that is under way."""
        return self._under_way.get(id(record))

    def settle(self, record: Record) -> UnderWay | None:
        """The record is no longer under way; None if it never was."""
        delivery = self._under_way.pop(id(record), None)
        if delivery is None:
            return None
        if delivery.version is not None:
            self.bytes_under_way -= delivery.version.size
        if delivery.name in self._latest and self._latest[delivery.name] == delivery.version:
            del self._latest[delivery.name]
        return delivery

    def newest(self, name: str) -> Version | None:
        """The version that downstream has or will have; None if it has none."""
        return self._latest[name] if name in self._latest else self.delivered.get(name)

    def is_under_way(self, name: str) -> bool:
        """Whether a version or the deletion of the object is under way."""
        return name in self._latest

    def is_known(self, name: str, version: Version) -> bool:
        """Whether there is nothing new about that version."""
        return version.looks_like(self.newest(name))

    def touch(self, name: str, version: Version) -> bool:
        """Move a delivery under way to another version of the same content; False if there is none."""
        if name not in self._latest:
            return False
        for number, delivery in self._under_way.items():
            if delivery.name == name and delivery.version == self._latest[name]:
                self._under_way[number] = replace(delivery, version=version)
        self._latest[name] = version
        return True

    def missing(self, listed: Iterable[str]) -> list[str]:
        """Objects that are known to exist and not listed, in order."""
        names = {*self.delivered, *self._latest}.difference(listed)
        return sorted(name for name in names if self.newest(name) is not None)

"""The engine of all sources of files and objects.

New and changed objects become records. An object enters the ledger, or is deleted where that is asked for, when all
that its record led to is safe; a restart goes on where the ledger ends. One listing serves all the objects it found,
and the first page is worked on before the last one was asked for. What is read ahead is bounded in bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from langstream.agents.storage.ledger import Delivery, Ledger, Mark
from langstream.agents.storage.looking import Looking
from langstream.agents.storage.place import Place, Read, Share, within
from langstream.agents.storage.policy import Policy
from langstream.agents.storage.tracking import Tracking
from langstream.errors import AgentFailed, ServiceError
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, PreparedSource
from langstream.services.objects.contract import Content, Version

logger = logging.getLogger(__name__)

READ_BYTES = 32 * 1024 * 1024
"""So many bytes are read at once at most, unless a single object is larger."""
UNDER_WAY_BYTES = 256 * 1024 * 1024
"""So many bytes of records that are not committed are in memory at most, unless a single object is larger."""
SHORTEST_WAIT_SECONDS = 0.01


class Records(Protocol):
    """What the records of a source look like."""

    def delivery(self, name: str, content: Content, diff: str) -> SimpleRecord:
        """The record of an object; `diff` is `new` or `content_changed`."""

    def deletion(self, name: str) -> SimpleRecord:
        """The record, for the output, of an object that is gone: its key, and no value."""

    def notice(self, name: str) -> SimpleRecord:
        """The record, for a topic of its own, of an object that is gone."""


class ObjectSource(PreparedSource):
    """Delivers the objects of a place: each version once, or at least once where the broker has no transactions, or the
    agent no disk. `identity` is what the ledger belongs to."""

    def __init__(
        self, place: Place, records: Records, policy: Policy, labels: Mapping[str, str], identity: str = ""
    ) -> None:
        self._place = place
        self._records = records
        self._policy = policy
        self._labels = labels
        self._identity = identity
        self._known = Tracking()
        self._marks: dict[str, Mark] = {}
        self._skipped: set[int] = set()
        self._being_deleted: set[str] = set()
        self._prepared = False
        self._look = Looking(place, policy, self._known, self._being_deleted)
        self._changed = asyncio.Event()
        self._committed = asyncio.Event()
        self._context: AgentContext | None = None
        self._ledger: Ledger | None = None

    async def start(self, context: AgentContext) -> None:
        """Open the ledger and the place."""
        self._context = context
        self._look.share = Share(context.replica, context.replicas)
        if context.state_directory is None and not self._policy.delete:
            logger.warning("agent '%s' has no state directory: a restart delivers everything again", context.agent_id)
        self._ledger = await asyncio.to_thread(Ledger, context.state_directory, self._identity)
        if self._ledger.begun_anew:
            logger.warning("agent '%s' reads from another place now: it begins anew", context.agent_id)
        self._known.delivered = await asyncio.to_thread(self._ledger.versions)
        self._marks = await asyncio.to_thread(self._ledger.marks)
        await self._place.start()

    async def read(self, max_records: int) -> Sequence[Record]:
        """The next objects. Waits for changes, `idle-time` at most, when there is nothing new."""
        ready, gone = self._look.ready, self._look.gone
        if not ready and not gone:
            if self._look.begins:
                self._changed.clear()
                await self._delete_doomed()
            await self._look.go_on()
        if gone:
            return await self._deletions(max_records)
        if not ready:
            await self._wait(self._changed, self._look.wake_after)
            return []
        self._committed.clear()
        chosen = self._next(max_records)
        if not chosen:
            await self._wait(self._committed, self._policy.idle_time)
            return []
        found = await self._place.read(chosen)
        for _ in chosen:
            ready.popleft()
        return await self._deliver(self._readable(chosen, found))

    async def skipped(self, records: Sequence[Record]) -> None:
        """These records failed and are left out: their objects must not be deleted."""
        self._skipped.update(id(record) for record in records)

    def identity(self) -> str | None:
        """That of the ledger."""
        return None if self._ledger is None else self._ledger.identity

    async def resume(self, written: str | None) -> None:
        """Commit what the process before could not, if it was written."""
        assert self._ledger is not None
        if deliveries := await asyncio.to_thread(self._ledger.prepared, written):
            await self._settle(deliveries, prepared=True)

    async def prepare(self, batch: str, records: Sequence[Record]) -> None:
        """Write down what `commit` will."""
        assert self._ledger is not None
        found = [(self._known.find(record), id(record) in self._skipped) for record in records]
        deliveries = [Delivery(each.name, each.version, skipped) for each, skipped in found if each is not None]
        await asyncio.to_thread(self._ledger.prepare, batch, deliveries)
        self._prepared = True

    async def commit(self, records: Sequence[Record]) -> None:
        """Write the objects into the ledger; delete them where that is asked for."""
        found = [(self._known.settle(record), id(record) in self._skipped) for record in records]
        deliveries = [Delivery(each.name, each.version, skipped) for each, skipped in found if each is not None]
        self._skipped.difference_update(map(id, records))
        prepared, self._prepared = self._prepared, False
        await self._settle(deliveries, prepared)
        self._committed.set()

    async def _settle(self, deliveries: Sequence[Delivery], prepared: bool) -> None:
        """The last delivery of an object counts."""
        delivered: dict[str, Version] = {}
        removed: set[str] = set()
        marks: dict[str, Mark] = {}
        for delivery in deliveries:
            marks.pop(delivery.name, None)
            if delivery.skipped:
                marks[delivery.name] = Mark.SKIPPED
            if delivery.version is None:
                removed.add(delivery.name)
                delivered.pop(delivery.name, None)
            else:
                delivered[delivery.name] = delivery.version
                removed.discard(delivery.name)
        await self._keep_or_delete(delivered, removed, marks, prepared)

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        """The object stays out of the ledger and comes again after a restart; the node stops."""
        self._known.settle(record)
        raise error

    async def close(self) -> None:
        """Close the place and the ledger."""
        await self._look.stop()
        await self._place.close()
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.close)

    def info(self) -> dict[str, Any]:
        """The place, and numbers of objects."""
        return {
            **self._labels,
            "delivered": len(self._known.delivered),
            "under-way": len(self._known),
            "waiting": len(self._look.ready) + len(self._look.gone),
        }

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), max(seconds, SHORTEST_WAIT_SECONDS))

    # --- delivering -------------------------------------------------------------------------------------------------

    def _next(self, max_records: int) -> list[tuple[str, Version]]:
        """What is to be read now: as much as memory allows, and a single object of any size if nothing is under way."""
        waiting = list(islice(self._look.ready, max_records))
        under_way = self._known.bytes_under_way
        budget = min(READ_BYTES, UNDER_WAY_BYTES - under_way)
        chosen = list(within(max(budget, 0), waiting))
        if under_way and chosen and under_way + chosen[0][1].size > UNDER_WAY_BYTES:
            return []
        return chosen

    def _readable(self, chosen: Sequence[tuple[str, Version]], found: Sequence[Read]) -> dict[str, Content]:
        """The contents. What is gone or changing has none: the next look tells."""
        contents: dict[str, Content] = {}
        for (name, version), read in zip(chosen, found, strict=True):
            if isinstance(read, Content):
                contents[name] = read
            elif isinstance(read, ServiceError):
                self._unreadable(name, version, read)
        return contents

    def _unreadable(self, name: str, version: Version, error: ServiceError) -> None:
        if error.category == "authentication":  # the others would fare no better
            raise error
        if error.retryable:
            logger.warning("%s cannot be read now: %s", self._place.address(name), error)
        else:
            self._look.leave_out(name, version)
            logger.warning("%s cannot be read and is left out: %s", self._place.address(name), error)

    async def _deliver(self, contents: Mapping[str, Content]) -> list[Record]:
        records: list[Record] = []
        touched: dict[str, Version] = {}
        for name, content in contents.items():
            newest = self._known.newest(name)
            if newest is not None and newest.digest == content.version.digest:
                if not self._known.touch(name, content.version):  # the same content, written again
                    touched[name] = content.version
                continue
            diff = "new" if self._known.delivered.get(name) is None else "content_changed"
            record = self._records.delivery(name, content, diff)
            self._known.begin(record, name, content.version)
            records.append(record)
        await self._retouch(touched)
        return records

    async def _retouch(self, touched: dict[str, Version]) -> None:
        """Delivered objects were written again with the same content."""
        marks = {name: self._marks[name] for name in touched if name in self._marks}
        await self._keep_or_delete(touched, set(), marks)

    async def _deletions(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        while self._look.gone and len(records) < max_records:
            record = await self._deletion(self._look.gone[0])
            self._look.gone.popleft()
            if record is not None:
                records.append(record)
        return records

    async def _deletion(self, name: str) -> Record | None:
        if self._policy.deletions_topic is not None:
            assert self._context is not None
            if self._context.topics is None:
                raise AgentFailed(f"{self._policy.topic_option} is set, but the agent runs without topics")
            await self._context.topics.send(self._policy.deletions_topic, [self._records.notice(name)])
        elif self._policy.emit_deletions:
            record = self._records.deletion(name)
            self._known.begin(record, name, None)
            return record
        await self._record({}, {name}, {})
        return None

    # --- committing -------------------------------------------------------------------------------------------------

    async def _keep_or_delete(
        self, delivered: dict[str, Version], removed: set[str], marks: dict[str, Mark], prepared: bool = False
    ) -> None:
        names = set(delivered)
        self._being_deleted |= names
        try:
            if self._policy.delete:
                await self._delete(delivered, removed, marks)
            await self._record(delivered, removed, marks, prepared)
        finally:
            self._being_deleted -= names

    async def _delete(self, delivered: dict[str, Version], removed: set[str], marks: dict[str, Mark]) -> None:
        """Delete what was delivered and not skipped; what is gone moves from `delivered` to `removed`."""
        candidates = {name: version for name, version in delivered.items() if marks.get(name) is not Mark.SKIPPED}
        if not candidates:
            return
        for name, deleted in (await self._place.delete(candidates)).items():
            marks.pop(name, None)
            if deleted is True:
                removed.add(name)
                del delivered[name]
            elif isinstance(deleted, ServiceError):
                logger.warning("%s cannot be deleted: %s", self._place.address(name), deleted)
                if deleted.retryable:
                    marks[name] = Mark.DOOMED

    async def _delete_doomed(self) -> None:
        """Try again to delete what could not be deleted when it was delivered."""
        doomed = {
            name: self._known.delivered[name]
            for name, mark in self._marks.items()
            if mark is Mark.DOOMED and name in self._known.delivered and not self._known.is_under_way(name)
        }
        if self._policy.delete:
            await self._keep_or_delete(doomed, set(), {})

    async def _record(
        self, delivered: Mapping[str, Version], removed: set[str], marks: Mapping[str, Mark], prepared: bool = False
    ) -> None:
        assert self._ledger is not None
        if not delivered and not removed:
            return
        kept = {name: mark for name, mark in marks.items() if name in delivered}
        await asyncio.to_thread(self._ledger.record, delivered, removed, kept, prepared)
        self._known.delivered.update(delivered)
        for name in (*delivered, *removed):
            self._marks.pop(name, None)
        self._marks.update(kept)
        for name in removed:
            self._known.delivered.pop(name, None)

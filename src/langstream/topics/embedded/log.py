"""The log of the embedded broker: one SQLite file, a thread that writes to it and one that reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langstream.errors import BrokerUnavailable
from langstream.topics.contract import Capabilities, TopicDescription, TopicSpec
from langstream.topics.embedded import catalogue, cleaning, membership
from langstream.topics.embedded.failures import explain
from langstream.topics.embedded.presence import Presence
from langstream.topics.embedded.rows import RowEncoder, decode_runs, wanted_schemas
from langstream.topics.embedded.schema import (
    COMMIT,
    FILE_NAME,
    NOTE,
    RECORDS,
    SCHEMA,
    connect,
    first_position,
    last_position,
    rows,
)
from langstream.topics.embedded.settings import EmbeddedConfiguration
from langstream.topics.embedded.watch import Watch
from langstream.topics.embedded.worker import Worker
from langstream.topics.embedded.writer import Entry, Write, Writer
from langstream.topics.local.log import Append, Bounds, Commit, GroupPosition, Note, Run, Share, Topic, TopicGone
from langstream.topics.local.signals import Signals

if TYPE_CHECKING:
    import apsw

READ_BYTES: Final = 1 << 20
"""A reading stops adding runs here."""

_READ: Final = """
WITH RECURSIVE chosen (position, count, bytes) AS (
  SELECT * FROM (SELECT position, count, bytes FROM runs WHERE position BETWEEN :from AND :last
                 ORDER BY position LIMIT 1)
  UNION ALL
  SELECT runs.position, chosen.count + runs.count, chosen.bytes + runs.bytes FROM chosen JOIN runs
    ON runs.position = (SELECT min(position) FROM runs WHERE position > chosen.position AND position <= :last)
  WHERE chosen.count < :records AND chosen.bytes < :bytes
)
SELECT EXISTS (SELECT 1 FROM partitions WHERE id = :partition), group_concat(json_array(base, json(gaps))),
       group_concat(records)
FROM runs WHERE position BETWEEN :from AND (SELECT max(position) FROM chosen)
"""

_log = logging.getLogger(__name__)


class EmbeddedLog:
    """See `Log`."""

    capabilities = Capabilities(transactions=True, durable=True, shared=True)

    def __init__(self, directory: Path, configuration: EmbeddedConfiguration) -> None:
        self.signals = Signals()
        self._directory = directory
        self._path = directory / FILE_NAME
        self._configuration = configuration
        self._presence = Presence(directory, configuration.session_timeout_seconds)
        self._topics: dict[str, Topic] = {}
        self._topic_of: dict[int, int] = {}
        self._schemas: dict[str, str] = {}
        self._written_schemas: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._cleaning = asyncio.Lock()
        explained = partial(explain, path=self._path, max_bytes=configuration.max_bytes)
        watch = Watch(
            self.signals,
            self._presence,
            lambda topics: self._on_loop(self.signals.records_changed, topics),
            lambda: self._on_loop(self._groups_changed),
            lambda process: self._on_loop(self._process_died, process),
        )
        self._writer = Writer("langstream-topics-writer", self._connect, explained)
        self._reader = Worker("langstream-topics-reader", self._connect, explained, watch)

    async def start(self) -> None:
        """Open, or create."""
        self._loop = asyncio.get_running_loop()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, self._path) from error
        await self._writer.start()
        try:
            await self._reader.start()
        except BaseException:
            await self._writer.close()
            raise
        self._spawn(self._maintain_for_ever())

    async def close(self) -> None:
        """Serve what was called, then close the file."""
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._reader.close()
        await self._writer.close()
        self._presence.end()

    # --- topics -----------------------------------------------------------------------------------------------------

    async def create(self, spec: TopicSpec) -> bool:
        """One transaction."""
        return await self._writer.call(lambda connection: catalogue.create(connection, spec))

    async def delete(self, name: str) -> bool:
        """One transaction; the space comes back in the background."""
        topic = await self._writer.call(lambda connection: catalogue.delete(connection, name))
        self.forget(name)
        if topic is None:
            return False
        self.signals.records_changed([topic])
        self.signals.groups_changed([topic])
        self._spawn(self._clean(lambda connection: _repeat(cleaning.remove_deleted, connection)))
        return True

    async def describe(self, name: str | None) -> Sequence[TopicDescription]:
        """From counters."""
        return await self._reader.call(lambda connection: catalogue.describe(connection, name))

    async def topic(self, name: str) -> Topic:
        """Remembered until `forget`."""
        found = self._topics.get(name)
        if found is None:
            found = await self._reader.call(lambda connection: catalogue.look_up(connection, name))
            self._topics[name] = found
            self._topic_of.update(dict.fromkeys(found.partitions, found.id))
        return found

    def forget(self, name: str) -> None:
        """Next time, look."""
        self._topics.pop(name, None)

    # --- rows -------------------------------------------------------------------------------------------------------

    async def write(self, appends: Sequence[Append], commits: Sequence[Commit], note: Note | None = None) -> None:
        """Encode here, write in the thread."""
        encoder = RowEncoder()
        entries = [
            Entry(RECORDS, append.partition, run.records, run.size, run.newest, run.text)
            for append in appends
            for run in encoder.runs(append.rows)
        ]
        schemas = encoder.schemas.keys() - self._written_schemas
        entries += [Entry(SCHEMA, None, schema, encoder.schemas[schema]) for schema in schemas]
        entries += [
            Entry(COMMIT, commit.partition, commit.group, commit.member, commit.epoch, commit.offset)
            for commit in commits
        ]
        if note is not None:
            entries.append(Entry(NOTE, None, note.publisher, note.epoch, note.batch))
        await self._writer.call(Write(entries))
        self._written_schemas |= schemas
        self.signals.records_changed({self._topic_of[append.partition] for append in appends})

    async def take_over(self, publisher: str) -> tuple[int, str | None]:
        """One statement."""
        ((epoch, batch),) = await self._writer.call(
            lambda connection: rows(
                connection,
                "INSERT INTO publishers VALUES (?, 1, NULL) ON CONFLICT DO UPDATE SET epoch = epoch + 1 "
                "RETURNING epoch, batch",
                (publisher,),
            )
        )
        return epoch, batch

    async def read(self, partition: int, offset: int, max_records: int) -> Sequence[Run]:
        """Fetch in the thread, parse here."""
        bindings = {
            "partition": partition,
            "from": first_position(partition) + offset,
            "last": last_position(partition),
            "records": max_records,
            "bytes": READ_BYTES,
        }
        ((exists, heads, text),) = await self._reader.call(lambda connection: rows(connection, _READ, bindings))
        if not exists:
            raise TopicGone("the topic was deleted")
        if text is None:
            return ()
        if wanted_schemas(text):
            await self._load_schemas()
        return decode_runs(heads, text, offset, self._schemas)

    async def bounds(self, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        """One query."""
        return await self._reader.call(lambda connection: catalogue.bounds(connection, partitions))

    async def _load_schemas(self) -> None:
        self._schemas.update(await self._reader.call(lambda connection: rows(connection, "SELECT * FROM schemas")))

    # --- groups -----------------------------------------------------------------------------------------------------

    async def balance(self, topic: Topic, group: str, member: str) -> Share:
        """One transaction, after showing that this process is alive."""

        def run(connection: apsw.Connection) -> tuple[Share, bool]:
            self._presence.announce()
            alive = self._presence.is_alive
            return membership.balance(connection, topic, group, member, self._presence.process, alive)

        share, changed = await self._writer.call(run)
        if changed:
            self.signals.groups_changed([topic.id])
        return share

    async def release(self, topic: Topic, group: str, member: str, partitions: Sequence[int]) -> None:
        """One transaction."""
        await self._writer.call(lambda connection: membership.release(connection, topic, group, member, partitions))
        self.signals.groups_changed([topic.id])

    async def leave(self, topic: Topic, group: str, member: str) -> None:
        """One transaction."""
        await self._writer.call(lambda connection: membership.leave(connection, topic, group, member))
        self.signals.groups_changed([topic.id])

    async def positions(self, topic: Topic) -> Sequence[GroupPosition]:
        """One query."""
        return await self._reader.call(lambda connection: membership.positions(connection, topic))

    # --- clean-up ---------------------------------------------------------------------------------------------------

    async def maintain(self) -> None:
        """One round over every topic."""
        await self._clean(lambda connection: _repeat(cleaning.remove_deleted, connection))
        now = cleaning.now()
        for task in await self._reader.call(cleaning.tasks):
            if task.rules.compact:
                await self._clean(partial(_compact, task=task, now=now))
            await self._clean(partial(_trim, task=task, now=now))
        await self._clean(lambda connection: _repeat(cleaning.shrink, connection))

    async def _clean(self, steps: Callable[[apsw.Connection], Iterator[None]]) -> None:
        """Take the steps one call at a time, so that senders come in between."""
        async with self._cleaning:
            iterator = await self._writer.call(steps)
            while await self._writer.call(lambda _: next(iterator, False) is None):
                pass

    async def _maintain_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._configuration.cleanup_interval_seconds)
            try:
                await self.maintain()
            except BrokerUnavailable as error:
                _log.warning("retention and compaction wait: %s", error)

    # --- other processes --------------------------------------------------------------------------------------------

    def _groups_changed(self) -> None:
        self.signals.groups_changed(self.signals.watched_groups())

    def _process_died(self, process: str) -> None:
        self._spawn(self._expel(process))

    async def _expel(self, process: str) -> None:
        with suppress(BrokerUnavailable):  # the next heartbeat tries again
            if await self._writer.call(
                lambda connection: membership.expel(connection, process, self._presence.is_alive)
            ):
                self._presence.remove(process)
                _log.warning("a process that shares %s is gone; its partitions move", self._directory)
                self._groups_changed()

    def _connect(self) -> apsw.Connection:
        return connect(
            self._path,
            sync=self._configuration.sync,
            lock_timeout_seconds=self._configuration.lock_timeout_seconds,
            max_bytes=self._configuration.max_bytes,
        )

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *arguments)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _repeat(step: Callable[[apsw.Connection], bool], connection: apsw.Connection) -> Iterator[None]:
    while step(connection):
        yield


def _trim(connection: apsw.Connection, task: cleaning.Task, now: int) -> Iterator[None]:
    while cleaning.trim(connection, task, now):
        yield


def _compact(connection: apsw.Connection, task: cleaning.Task, now: int) -> Iterator[None]:
    yield from cleaning.Compaction(connection, task, now).steps(connection)

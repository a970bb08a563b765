"""Exactly once: outputs and offsets in one transaction of the cluster, or nothing of either.

A transactional id is known to the brokers, so that whoever comes after a process that was killed ends its open
transaction at once. It is `<prefix>-<group>-<host>-<number>`, the number being free on this host. Should two
processes choose the same even so, the later one wins, and the earlier one goes on under a name of its own. That never
harms exactness, which rests on the group: the brokers refuse offsets of a member that has lost its place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.errors import Fenced
from langstream.topics.kafka.consumer import ATTEMPT_SECONDS, ATTEMPTS, Claim, KafkaConsumer
from langstream.topics.kafka.failures import MOVED, reason, topic_error
from langstream.topics.kafka.feed import connect
from langstream.topics.kafka.names import Names, alone, host
from langstream.topics.kafka.sender import Acquaintance, Batch, let_go, produce
from langstream.topics.kafka.threads import Overdue, Threads

CALL_SECONDS: Final = 10.0
PROBE_ATTEMPTS: Final = 3
COMMIT_ATTEMPTS: Final = 3
"""Of `CALL_SECONDS` each: longer than a transaction may last, so that its fate is decided then."""
GRACE_SECONDS: Final = 5.0
"""A call that does not heed its own limit is given up after so long. `send_offsets_to_transaction` (librdkafka 2.x) has
been seen not to, when the group's coordinator went away in the middle."""
FENCED_SECONDS: Final = 60.0
"""The brokers themselves fence a transaction that took too long. Twice in this time, it is another process."""

_log = logging.getLogger(__name__)
_TAKEN: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


class Unfinished(Exception):
    """The transaction was not committed, for sure. `again` tells that another attempt may succeed."""

    def __init__(self, error: KafkaException, again: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again


class Unknown(Exception):
    """Nobody knows whether the transaction was committed."""


class Transactions:
    """The transactions of one producer, one at a time."""

    def __init__(self, make: Callable[[str], Producer], prefix: str, names: Names, threads: Threads) -> None:
        self._make = make
        self._prefix = prefix
        self._names = names
        self._threads = threads
        self._client: Producer | None = None
        self._acquainted = Acquaintance(threads)
        self._name: str | None = None
        self._own_name: str | None = None
        self._fenced_at = float("-inf")
        self._working = asyncio.Lock()

    async def run(self, sends: Sequence[Batch], consumer: KafkaConsumer, claim: Claim) -> None:
        """Commit all of it. Raises Fenced, BrokerUnavailable, TopicNotFound: then nothing was written.

        Once begun it ends, even if the caller is cancelled: half a transaction is no use to anybody.
        """
        running = asyncio.create_task(self._run(sends, consumer, claim), name="kafka transaction")
        running.add_done_callback(_heed)
        await asyncio.shield(running)

    async def close(self) -> None:
        """After the transaction under way."""
        async with self._working:
            await self._drop()
            if self._name is not None:
                self._names.give_back(self._name)
                self._name = self._own_name = None

    async def _run(self, sends: Sequence[Batch], consumer: KafkaConsumer, claim: Claim) -> None:
        doing = f"committing a transaction of consumer group {consumer.group}"
        async with self._working, consumer.committing(claim) as positions:
            for attempt in range(ATTEMPTS + 1):
                try:
                    member = await consumer.metadata(claim, afresh=attempt > 0)
                    await self._attempt(sends, consumer.group, positions, member)
                    consumer.committed(claim)
                    return
                except Unknown as error:
                    await self._drop()
                    raise Fenced(f"{doing}: {error}; the group's position decides what is read again") from None
                except Unfinished as error:
                    if not error.again or attempt == ATTEMPTS:
                        raise topic_error(error.error, doing) from error.error
                except KafkaException as error:
                    await self._drop()
                    raise topic_error(error, doing) from error
                await asyncio.sleep(ATTEMPT_SECONDS)

    async def _attempt(self, sends: Sequence[Batch], group: str, positions: list[KafkaPartition], member: Any) -> None:
        if positions and member is None:
            raise Unfinished(KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID)), again=True)
        client, acquainted = await self._ready(group)
        for batch in sends:
            await acquainted.make(client, batch)
        try:
            client.begin_transaction()
            for batch in sends:
                await self._produce(client, batch)
            if positions:
                await _ending(self._threads, client.send_offsets_to_transaction, positions, member)
        except KafkaException as error:
            raise await self._aborted(client, error) from error
        try:
            await _ending(self._threads, _patiently, client.commit_transaction, attempts=COMMIT_ATTEMPTS)
        except KafkaException as error:
            if reason(error).txn_requires_abort():
                raise await self._aborted(client, error) from error
            await self._lost_name(error)
            raise Unknown(f"it is not known whether it was committed ({reason(error).str()})") from error

    async def _produce(self, client: Producer, batch: Batch) -> None:
        taken, error = produce(client, batch)
        while isinstance(error, BufferError):
            before = taken
            await self._threads.run(client.flush, CALL_SECONDS)
            taken, error = produce(client, batch, start=taken)
            if taken == before:
                break
        if error is not None:
            raise error

    async def _aborted(self, client: Producer, error: KafkaException) -> Unfinished:
        """Take back what was written; a client that cannot go on is given up.

        Brokers have been seen to answer the end of a transaction with "unknown server error" while another process took
        its id: that is worth another attempt.
        """
        found = reason(error)
        if found.fatal():
            await self._lost_name(error)
            await self._drop()
            return Unfinished(error, again=found.code() in _TAKEN)
        if found.code() == KafkaError._TIMED_OUT:  # it may wait for a broker that is gone; a new one asks who is there
            await self._drop()
            return Unfinished(error, again=False)
        try:
            await _ending(self._threads, client.abort_transaction)
        except KafkaException as failure:
            _log.info("a transaction could not be taken back, the next one ends it: %s", reason(failure).str())
            await self._drop()
        return Unfinished(error, again=found.code() in MOVED or found.code() == KafkaError.UNKNOWN)

    async def _ready(self, group: str) -> tuple[Producer, Acquaintance]:
        if self._client is None:
            if self._name is None:
                self._name = self._names.take(f"{self._prefix}-{group}-{host()}-0")
            client = await self._threads.run(self._connected, self._own_name or self._name)
            try:
                await _ending(self._threads, client.init_transactions)
            except BaseException:
                await self._threads.run(let_go, client)
                raise
            self._client, self._acquainted = client, Acquaintance(self._threads)
        return self._client, self._acquainted

    def _connected(self, name: str) -> Producer:
        client = self._make(name)
        connect(client)
        return client

    async def _lost_name(self, error: KafkaException) -> None:
        if reason(error).code() not in _TAKEN or self._name is None:
            return
        before, self._fenced_at = self._fenced_at, time.monotonic()
        if self._fenced_at - before > FENCED_SECONDS:
            _log.info("the brokers ended a transaction of %s; going on", self._own_name or self._name)
        else:
            self._own_name = alone(self._name)
            _log.warning("another process uses the transactional id %s; going on as %s", self._name, self._own_name)

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._threads.run(let_go, client)


def _heed(task: asyncio.Task[None]) -> None:
    """Its failure is known, though a caller that was cancelled does not ask."""
    if not task.cancelled():
        task.exception()


async def _ending(threads: Threads, call: Callable[..., None], *arguments: Any, attempts: int = 1) -> None:
    """Make a call about a transaction, whose last argument is its time limit. It ends, one way or the other."""
    try:
        limit = attempts * CALL_SECONDS + GRACE_SECONDS
        await threads.run(call, *arguments, CALL_SECONDS, within_seconds=limit)
    except Overdue as error:
        _log.warning("%s, though its own limit is shorter; the client is given up", error)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None


def _patiently(call: Callable[..., None], seconds: float) -> None:
    """In a thread: repeat what may be repeated."""
    for attempt in range(COMMIT_ATTEMPTS):
        try:
            call(seconds)
            return
        except KafkaException as error:
            if not reason(error).retriable() or attempt + 1 == COMMIT_ATTEMPTS:
                raise


async def end_left_open(
    make: Callable[[str], Producer], prefix: str, group: str, names: Names, threads: Threads, number: int
) -> None:
    """End the transaction that a process of this host may have left open when it was killed: that of the first name
    nobody uses, of the second one if `number` is 1, and so on."""
    taken = [names.take(f"{prefix}-{group}-{host()}-0") for _ in range(number + 1)]
    try:
        client = await threads.run(make, taken[-1])
        try:
            await _ending(threads, client.init_transactions)
        finally:
            await threads.run(let_go, client)
    except KafkaException as error:
        _log.info("a transaction that was left open is waited for: %s", reason(error).str())
    finally:
        for name in taken:
            names.give_back(name)


async def transactions_allowed(make: Callable[[str], Producer], prefix: str, threads: Threads) -> KafkaError | None:
    """None if the cluster begins transactions; else why it does not.

    A cluster that has just started takes a while, and one that never will looks the same: it gets half a minute.
    """
    client = await threads.run(make, f"{prefix}-probe-{host()}")
    try:
        await threads.run(connect, client)
        for attempt in range(PROBE_ATTEMPTS):
            try:
                await _ending(threads, client.init_transactions)
                break
            except KafkaException as error:
                found = reason(error)
                if found.code() in _TAKEN:  # another process of this host asked in the same moment
                    break
                if attempt + 1 == PROBE_ATTEMPTS or not (found.retriable() or found.code() == KafkaError._TIMED_OUT):
                    return found
                _log.info("the Kafka cluster has not begun a transaction yet (%s); asking again", found.str())
    finally:
        await threads.run(let_go, client)
    return None

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
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.errors import Fenced
from langstream.topics.kafka.consumer import ATTEMPT_SECONDS, ATTEMPTS, Claim, KafkaConsumer
from langstream.topics.kafka.failures import reason, topic_error
from langstream.topics.kafka.feed import connect
from langstream.topics.kafka.names import Names, alone, host
from langstream.topics.kafka.sender import Batch, let_go
from langstream.topics.kafka.threads import Threads
from langstream.topics.kafka.transactor import TAKEN, Transactor, Unfinished, Unknown, ending

PROBE_ATTEMPTS: Final = 3
FENCED_SECONDS: Final = 60.0
"""The brokers themselves fence a transaction that took too long. Twice in this time, it is another process."""

_log = logging.getLogger(__name__)


class Transactions:
    """The transactions of one producer, one at a time."""

    def __init__(self, make: Callable[[str], Producer], prefix: str, names: Names, threads: Threads) -> None:
        self._transactor = Transactor(make, threads)
        self._prefix = prefix
        self._names = names
        self._name: str | None = None
        self._own_name: str | None = None
        self._fenced_at = float("-inf")
        self._working = asyncio.Lock()

    async def run(self, sends: Sequence[Batch], consumer: KafkaConsumer, claim: Claim) -> None:
        """Commit all of it. Raises Fenced, BrokerUnavailable, TopicNotFound: then nothing was written.

        Once begun it ends, even if the caller is cancelled: half a transaction is no use to anybody.
        """
        await to_its_end(self._run(sends, consumer, claim))

    async def close(self) -> None:
        """After the transaction under way."""
        async with self._working:
            await self._transactor.drop()
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
                    self._look_to_name(error.error)
                    await self._transactor.drop()
                    raise Fenced(f"{doing}: {error}; the group's position decides what is read again") from None
                except Unfinished as error:
                    if reason(error.error).fatal():
                        self._look_to_name(error.error)
                    if not error.again or attempt == ATTEMPTS:
                        raise topic_error(error.error, doing) from error.error
                except KafkaException as error:
                    await self._transactor.drop()
                    raise topic_error(error, doing) from error
                await asyncio.sleep(ATTEMPT_SECONDS)

    async def _attempt(self, sends: Sequence[Batch], group: str, positions: list[KafkaPartition], member: Any) -> None:
        if positions and member is None:
            raise Unfinished(KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID)), again=True)
        if not self._transactor.connected:
            if self._name is None:
                self._name = self._names.take(f"{self._prefix}-{group}-{host()}-0")
            await self._transactor.connect(self._own_name or self._name)
        await self._transactor.attempt(sends, positions, member)

    def _look_to_name(self, error: KafkaException) -> None:
        """Somebody else may have the name; then go on under another one."""
        if reason(error).code() not in TAKEN or self._name is None:
            return
        before, self._fenced_at = self._fenced_at, time.monotonic()
        if self._fenced_at - before > FENCED_SECONDS:
            _log.info("the brokers ended a transaction of %s; going on", self._own_name or self._name)
        else:
            self._own_name = alone(self._name)
            _log.warning("another process uses the transactional id %s; going on as %s", self._name, self._own_name)


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a transaction, which goes on though the caller is cancelled."""
    running = asyncio.create_task(work, name="kafka transaction")
    running.add_done_callback(_heed)
    await asyncio.shield(running)


def _heed(task: asyncio.Task[None]) -> None:
    """Its failure is known, though a caller that was cancelled does not ask."""
    if not task.cancelled():
        task.exception()


async def end_left_open(
    make: Callable[[str], Producer], prefix: str, group: str, names: Names, threads: Threads, number: int
) -> None:
    """End the transaction that a process of this host may have left open when it was killed: that of the first name
    nobody uses, of the second one if `number` is 1, and so on."""
    taken = [names.take(f"{prefix}-{group}-{host()}-0") for _ in range(number + 1)]
    try:
        client = await threads.run(make, taken[-1])
        try:
            await ending(threads, client.init_transactions)
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
                await ending(threads, client.init_transactions)
                break
            except KafkaException as error:
                found = reason(error)
                if found.code() in TAKEN:  # another process of this host asked in the same moment
                    break
                if attempt + 1 == PROBE_ATTEMPTS or not (found.retriable() or found.code() == KafkaError._TIMED_OUT):
                    return found
                _log.info("the Kafka cluster has not begun a transaction yet (%s); asking again", found.str())
    finally:
        await threads.run(let_go, client)
    return None

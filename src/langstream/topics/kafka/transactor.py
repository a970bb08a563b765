"""One transaction after another, by a client that is made anew when it cannot go on.

An attempt ends in one of three ways: committed, taken back (`Unfinished`), or nobody knows (`Unknown`). What follows
from that is the business of those who begin transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.topics.kafka.failures import MOVED, reason
from langstream.topics.kafka.feed import connect
from langstream.topics.kafka.sender import Acquaintance, Batch, let_go, produce
from langstream.topics.kafka.threads import Overdue, Threads

CALL_SECONDS: Final = 10.0
COMMIT_ATTEMPTS: Final = 3
"""Of `CALL_SECONDS` each: longer than a transaction may last, so that its fate is decided then."""
GRACE_SECONDS: Final = 5.0
"""A call that does not heed its own limit is given up after so long. `send_offsets_to_transaction` (librdkafka 2.x) has
been seen not to, when the group's coordinator went away in the middle."""
TAKEN: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
"""Somebody else uses the transactional id, or the brokers ended the transaction because it took too long."""

_log = logging.getLogger(__name__)


class Unfinished(Exception):
    """The transaction was not committed, for sure. `again` tells that another attempt may succeed."""

    def __init__(self, error: KafkaException, again: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again


class Unknown(Exception):
    """Nobody knows whether the transaction was committed."""

    def __init__(self, error: KafkaException) -> None:
        super().__init__(f"it is not known whether it was committed ({reason(error).str()})")
        self.error = error


class Transactor:
    """A transactional client. `make` gives one for a transactional id."""

    def __init__(self, make: Callable[[str], Producer], threads: Threads) -> None:
        self._make = make
        self._threads = threads
        self._client: Producer | None = None
        self._acquainted = Acquaintance(threads)

    @property
    def connected(self) -> bool:
        """Whether there is a client that can begin a transaction."""
        return self._client is not None

    async def connect(self, name: str) -> None:
        """Make a client that bears this transactional id from now on. What was left open under it is ended.

        Raises KafkaException.
        """
        client = await self._threads.run(self._made, name)
        try:
            await ending(self._threads, client.init_transactions)
        except BaseException:
            await self._threads.run(let_go, client)
            raise
        self._client, self._acquainted = client, Acquaintance(self._threads)

    async def attempt(self, sends: Sequence[Batch], positions: list[KafkaPartition], member: Any) -> None:
        """Records, and the positions of a group's member, in one transaction. Raises Unfinished, Unknown."""
        client = self._client
        assert client is not None
        for batch in sends:
            await self._acquainted.make(client, batch)
        try:
            client.begin_transaction()
            for batch in sends:
                await self._produce(client, batch)
            if positions:
                await ending(self._threads, client.send_offsets_to_transaction, positions, member)
        except KafkaException as error:
            raise await self._aborted(client, error) from error
        try:
            await ending(self._threads, _patiently, client.commit_transaction, attempts=COMMIT_ATTEMPTS)
        except KafkaException as error:
            if reason(error).txn_requires_abort():
                raise await self._aborted(client, error) from error
            raise Unknown(error) from error

    async def drop(self) -> None:
        """Give the client up."""
        client, self._client = self._client, None
        if client is not None:
            await self._threads.run(let_go, client)

    def _made(self, name: str) -> Producer:
        client = self._make(name)
        connect(client)
        return client

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
            await self.drop()
            return Unfinished(error, again=found.code() in TAKEN)
        if found.code() == KafkaError._TIMED_OUT:  # it may wait for a broker that is gone; a new one asks who is there
            await self.drop()
            return Unfinished(error, again=False)
        try:
            await ending(self._threads, client.abort_transaction)
        except KafkaException as failure:
            _log.info("a transaction could not be taken back, the next one ends it: %s", reason(failure).str())
            await self.drop()
        return Unfinished(error, again=found.code() in MOVED or found.code() == KafkaError.UNKNOWN)


async def ending(threads: Threads, call: Callable[..., None], *arguments: Any, attempts: int = 1) -> None:
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

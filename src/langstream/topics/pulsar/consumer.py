"""A member of a consumer group.

It owns whole partitions, each by an exclusive consumer, so that records of a key stay in order however many members
there are. A background task looks at the group: with more than its share it gives partitions up (`on_revoked` may
finish and commit what is in flight), with less it takes what is free.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import _pulsar

from langstream.errors import BrokerUnavailable, Fenced, TopicError, TopicNotFound
from langstream.topics.contract import Fetched, RevokedCallback, TopicPartition
from langstream.topics.local.assignment import next_move
from langstream.topics.pulsar.backlog import entries_after, marked, records_per_entry
from langstream.topics.pulsar.bridge import ignore, outcome
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.claim import Claim
from langstream.topics.pulsar.clients import consumer_configuration
from langstream.topics.pulsar.failures import topic_error
from langstream.topics.pulsar.group import Attaching, Presence, Signals, view
from langstream.topics.pulsar.options import ConsumerOptions

REVOKE_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 0.1
"""While a member has less than its share, it looks so often for what becomes free."""

_log = logging.getLogger(__name__)


class PulsarConsumer:
    """See `TopicConsumer`."""

    def __init__(
        self,
        topic: str,
        group: str,
        attaching: Attaching,
        catalogue: Catalogue,
        signals: Signals,
        options: ConsumerOptions,
        interval: float,
        on_revoked: RevokedCallback | None,
    ) -> None:
        self._topic = topic
        self._group = group
        self._attaching = attaching
        self._catalogue = catalogue
        self._signals = signals
        self._options = options
        self._interval = interval
        self._on_revoked = on_revoked
        self._member = f"langstream-{uuid.uuid4().hex}"
        self._presence = Presence(attaching, group, self._member)
        self._claims: dict[int, Claim] = {}
        self._giving_up: set[int] = set()
        self._delivered_before: dict[int, int] = {}
        self._epoch = 0
        self._turn = 0
        self._short = False
        self._committing = asyncio.Lock()
        self._records = asyncio.Event()
        self._changes = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._failure: TopicError | None = None
        self._known: Known | None = None
        self._compacted = False
        self._closed = False

    async def start(self) -> None:
        """Join; a single member owns its partitions when this returns."""
        if self._watching or self._closed:
            raise RuntimeError("a consumer is started once")
        self._catalogue.forget(self._topic)
        known = self._known = await self._catalogue.topic(self._topic)
        self._compacted = await self._catalogue.compacted(self._topic)
        await self._presence.show(self._full(known, 0), self._doing("joining"))
        self._signals.watch(self._topic, self._group, self._changes)
        self._signals.changed(self._topic, self._group)
        self._changes.clear()
        try:
            await self._balance(known)
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch(known), name=self._doing("balancing"))

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """What was read ahead, or waits until there is something."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._failure:
                raise self._failure
            if self._watching is None:
                raise RuntimeError("the consumer is not started, or closed")
            fetched = self._take(max_records)
            if fetched:
                return fetched
            self._records.clear()
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return ()
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._records.wait()

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions owned, those being given up included: they can still be committed."""
        return frozenset(TopicPartition(self._topic, number) for number in self._claims)

    @property
    def read_ahead(self) -> int:
        """Records that came from the brokers and were not polled yet."""
        return sum(claim.waiting for claim in self._claims.values())

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Acknowledged to the broker, which stores it in a moment: a process that is killed may repeat that much."""
        if not offsets:
            return
        async with self._committing:
            claims = [(self._checked(place, offset), offset) for place, offset in offsets.items()]
            await asyncio.gather(*(self._acknowledge(claim, offset) for claim, offset in claims))

    async def lag(self) -> Mapping[TopicPartition, int]:
        """What arrived and is not committed, and the entries behind it."""
        known = self._known
        if known is None or not self._claims:
            return {}
        claims = dict(self._claims)
        stats = await self._catalogue.stats(known)
        counts = await asyncio.gather(*(self._behind(known, claim, stats[number]) for number, claim in claims.items()))
        return {TopicPartition(self._topic, number): count for number, count in zip(claims, counts, strict=True)}

    async def close(self) -> None:
        """Leave. Does not call `on_revoked`: the caller knows."""
        if self._closed:
            return
        self._closed = True
        watching, self._watching = self._watching, None
        self._signals.unwatch(self._topic, self._group, self._changes)
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        self._records.set()
        async with self._committing:
            claims = list(self._claims.values())
            self._claims.clear()
        await asyncio.gather(*(claim.close() for claim in claims))
        await self._presence.hide()
        self._signals.changed(self._topic, self._group)

    # --- commits ----------------------------------------------------------------------------------------------------

    def _checked(self, place: TopicPartition, offset: int) -> Claim:
        if place.topic != self._topic:
            raise TopicError(f"{place.topic}/{place.partition} is no partition of topic {self._topic}")
        claim = self._claims.get(place.partition)
        if claim is None:
            raise self._fenced(place.partition)
        if 0 <= offset <= max(0, claim.delivered):
            return claim
        if 0 <= offset <= self._delivered_before.get(place.partition, -1):
            raise self._fenced(place.partition)
        raise TopicError(
            f"consumer group {self._group} cannot commit offset {offset}: what it polled of partition "
            f"{place.partition} of topic {place.topic} ends at {max(0, claim.delivered)}"
        )

    async def _acknowledge(self, claim: Claim, offset: int) -> None:
        last = claim.release(offset)
        if last is None:
            return
        result, _ = await outcome(lambda answered: claim.client.acknowledge_cumulative_async(last, answered))
        if result != _pulsar.Result.Ok:
            raise topic_error(result, self._doing("committing"))

    async def _behind(self, known: Known, claim: Claim, stats: Mapping[str, Any]) -> int:
        ledgers = await self._catalogue.ledgers(known, claim.buffer.partition)
        held = claim.unreleased
        ledger, entry = claim.entry or marked(ledgers, self._group)
        return held + round(entries_after(ledgers, ledger, entry) * records_per_entry(ledgers, stats))

    def _fenced(self, number: int) -> Fenced:
        return Fenced(
            f"group {self._group}: partition {number} of topic {self._topic} was given to another member, or anew to "
            "this one; its records are delivered again"
        )

    # --- reading ----------------------------------------------------------------------------------------------------

    def _take(self, max_records: int) -> list[Fetched]:
        claims = [claim for number, claim in self._claims.items() if number not in self._giving_up]
        start = self._turn % len(claims) if claims else 0
        self._turn += 1
        fetched: list[Fetched] = []
        for claim in claims[start:] + claims[:start]:
            if max_records <= 0:
                break
            taken = claim.take(max_records)
            fetched += taken
            max_records -= sum(len(run.offsets) for run in taken)
        return fetched

    def _full(self, known: Known, number: int) -> str:
        return self._catalogue.namespace.full(known.part(number))

    # --- membership -------------------------------------------------------------------------------------------------

    async def _watch(self, known: Known) -> None:
        told = False
        while not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS if self._short else self._interval):
                    await self._changes.wait()
            self._changes.clear()
            try:
                await self._balance(known)
                told = False
            except TopicNotFound as error:
                self._fail(error)
                return
            except BrokerUnavailable as error:
                level, told = logging.DEBUG if told else logging.WARNING, True
                _log.log(level, "%s: %s; trying again", self._doing("balancing"), error)
            except TopicError as error:
                self._fail(error)
                return

    async def _balance(self, known: Known) -> None:
        """One look, and what follows from it."""
        now = view(await self._catalogue.stats(known), self._group)
        lost = [
            number
            for number, claim in self._claims.items()
            if claim.failed or now.owners.get(number, self._member) != self._member
        ]
        if lost:
            await self._lose(lost)
        if self._member not in now.members:  # the broker was away, or has not noticed us yet
            await self._presence.hide()
            await self._presence.show(self._full(known, 0), self._doing("joining"))
            self._short = True
            return
        owners = {**now.owners, **dict.fromkeys(self._claims, self._member)}
        owners = {number: name for number, name in owners.items() if name != self._member or number in self._claims}
        move = next_move(self._member, now.members, range(known.partitions), owners)
        if move.give_up:
            await self._give_up(move.give_up)
        taken = await asyncio.gather(*(self._take_over(known, number) for number in move.claim))
        quota = len(self._claims) - len(move.give_up) if move.give_up else len(self._claims)
        self._short = not all(taken) or quota < known.partitions // len(now.members)
        if move.give_up or any(taken):
            self._signals.changed(self._topic, self._group)
            self._changes.clear()

    async def _take_over(self, known: Known, number: int) -> bool:
        self._epoch += 1
        claim = Claim(self._topic, number, self._epoch, self._records.set, self._broken)
        configuration = consumer_configuration(self._options, self._compacted, self._member)
        full = self._full(known, number)
        result, client = await outcome(
            lambda answered: self._attaching.subscribe(full, self._group, configuration, answered),
            late=lambda client: client.close_async(ignore),
        )
        if result == _pulsar.Result.ConsumerBusy:
            return False
        if result != _pulsar.Result.Ok:
            raise topic_error(result, self._doing("joining"))
        claim.open(client, client.receive, self._attaching.versions(full), f"pulsar {self._topic}/{number}")
        self._claims[number] = claim
        self._records.set()
        return True

    async def _give_up(self, numbers: Sequence[int]) -> None:
        self._giving_up.update(numbers)
        try:
            await self._tell_revoked(numbers)
            async with self._committing:  # what is being committed is still ours
                claims = self._disown(numbers)
        finally:
            self._giving_up.difference_update(numbers)
        await asyncio.gather(*(claim.close() for claim in claims))

    async def _lose(self, numbers: Sequence[int]) -> None:
        _log.warning("group %s of topic %s: partitions %s were lost", self._group, self._topic, sorted(numbers))
        for claim in self._disown(numbers):
            claim.abandon()
        await self._tell_revoked(numbers)

    def _disown(self, numbers: Iterable[int]) -> list[Claim]:
        claims = []
        for number in numbers:
            claim = self._claims.pop(number, None)
            if claim is not None:
                self._delivered_before[number] = max(claim.delivered, self._delivered_before.get(number, -1))
                claims.append(claim)
        return claims

    async def _tell_revoked(self, numbers: Sequence[int]) -> None:
        if self._on_revoked is None:
            return
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._on_revoked([TopicPartition(self._topic, number) for number in numbers])
        except TimeoutError:
            _log.warning("%s: what is in flight was not finished in time; another member repeats it", self._doing(""))
        except Exception:
            _log.exception("%s: giving up partitions failed", self._doing(""))

    def _broken(self, error: Exception) -> None:
        """A thread ended. The next look finds out why."""
        _log.debug("%s: %s", self._doing("reading"), error)
        self._changes.set()

    def _fail(self, failure: TopicError) -> None:
        self._failure = self._failure or failure
        self._records.set()

    def _doing(self, what: str) -> str:
        return f"{what} topic {self._topic} for consumer group {self._group}".strip()

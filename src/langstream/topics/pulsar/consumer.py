"""A member of a consumer group whose members own partitions.

It owns whole partitions, each by an exclusive consumer, so that records of a key stay in order however many members
there are. A background task looks at the group: with more than its share it gives partitions up (`on_revoked` may
finish and commit what is in flight), with less it takes what is free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import _pulsar

from langstream.errors import Fenced
from langstream.topics.contract import RevokedCallback, TopicPartition
from langstream.topics.local.assignment import next_move
from langstream.topics.pulsar.backlog import entries_after, marked, records_per_entry
from langstream.topics.pulsar.bridge import outcome
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.claim import Claim
from langstream.topics.pulsar.failures import topic_error
from langstream.topics.pulsar.group import Attaching, Presence, Signals, view
from langstream.topics.pulsar.member import Member
from langstream.topics.pulsar.options import EXCLUSIVE, ConsumerOptions

REVOKE_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 0.1
"""While a member has less than its share, it looks so often for what becomes free."""

_log = logging.getLogger(__name__)


class PulsarConsumer(Member[Claim]):
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
        super().__init__(topic, group, attaching, catalogue, signals, options, interval)
        self._on_revoked = on_revoked
        self._presence = Presence(attaching, group, self._member)
        self._giving_up: set[int] = set()
        self._delivered_before: dict[int, int] = {}
        self._epoch = 0
        self._short = False

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
        if known is None or not self._streams:
            return {}
        claims = dict(self._streams)
        stats = await self._catalogue.stats(known)
        counts = await asyncio.gather(*(self._behind(known, claim, stats[number]) for number, claim in claims.items()))
        return {TopicPartition(self._topic, number): count for number, count in zip(claims, counts, strict=True)}

    # --- commits ----------------------------------------------------------------------------------------------------

    def _checked(self, place: TopicPartition, offset: int) -> Claim:
        self._check_topic(place)
        claim = self._streams.get(place.partition)
        if claim is None:
            raise self._fenced(place.partition)
        if 0 <= offset <= max(0, claim.delivered):
            return claim
        if 0 <= offset <= self._delivered_before.get(place.partition, -1):
            raise self._fenced(place.partition)
        raise self._never_polled(place, offset, claim.delivered)

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

    # --- membership -------------------------------------------------------------------------------------------------

    async def _join(self, known: Known) -> None:
        await self._presence.show(self._full(known, 0), self._doing("joining"))
        self._signals.watch(self._topic, self._group, self._changes)
        self._signals.changed(self._topic, self._group)
        self._changes.clear()
        await self._balance(known)

    async def _leave(self) -> None:
        await self._presence.hide()
        self._signals.changed(self._topic, self._group)

    def _pause(self) -> float:
        return SETTLE_SECONDS if self._short else self._interval

    def _readable(self) -> list[Claim]:
        return [claim for number, claim in self._streams.items() if number not in self._giving_up]

    async def _look(self) -> None:
        if self._known is not None:
            await self._balance(self._known)

    async def _balance(self, known: Known) -> None:
        """One look, and what follows from it."""
        now = view(await self._catalogue.stats(known), self._group)
        if now.other_type:
            raise self._other_type(now.other_type, EXCLUSIVE)
        lost = [
            number
            for number, claim in self._streams.items()
            if claim.failed or now.owners.get(number, self._member) != self._member
        ]
        if lost:
            await self._lose(lost)
        if self._member not in now.members:  # the broker was away, or has not noticed us yet
            await self._presence.hide()
            await self._presence.show(self._full(known, 0), self._doing("joining"))
            self._short = True
            return
        owners = {**now.owners, **dict.fromkeys(self._streams, self._member)}
        owners = {number: name for number, name in owners.items() if name != self._member or number in self._streams}
        move = next_move(self._member, now.members, range(known.partitions), owners)
        if move.give_up:
            await self._give_up(move.give_up)
        taken = await asyncio.gather(*(self._take_over(known, number) for number in move.claim))
        quota = len(self._streams) - len(move.give_up) if move.give_up else len(self._streams)
        self._short = not all(taken) or quota < known.partitions // len(now.members)
        if move.give_up or any(taken):
            self._signals.changed(self._topic, self._group)
            self._changes.clear()

    async def _take_over(self, known: Known, number: int) -> bool:
        self._epoch += 1
        claim = Claim(self._topic, number, self._epoch, self._records.set, self._broken)
        result, client = await self._subscribe(known, number)
        if result == _pulsar.Result.ConsumerBusy:
            return False
        if result != _pulsar.Result.Ok:
            raise topic_error(result, self._doing("joining"))
        self._receive(known, number, claim, client)
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
            claim = self._streams.pop(number, None)
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

"""Consumer groups in the file: members, claims, committed offsets. Functions of a connection, run by its thread.

There is no coordinator. Every member looks at the same rows and makes its own move inside a transaction; `changes`
counts the moves, so that other processes see that there is something to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from langstream.topics.contract import TopicPartition
from langstream.topics.embedded.catalogue import bounds
from langstream.topics.embedded.schema import rows
from langstream.topics.local.assignment import next_move
from langstream.topics.local.log import Claim, GroupPosition, Share, Topic, TopicGone

if TYPE_CHECKING:
    import apsw


def balance(
    connection: apsw.Connection, topic: Topic, group: str, member: str, process: str, is_alive: Callable[[str], bool]
) -> tuple[Share, bool]:
    """Join if need be and claim what is due. Also whether anything changed. Raises TopicGone."""
    with connection:
        joined = _join(connection, topic, group, member, process)
        _expel_dead(connection, topic, group, is_alive)
        members = _members(connection, topic, group)
        claims = _claims(connection, topic, group)
        owners = {partition: owner for partition, (_, _, owner) in claims.items() if owner is not None}
        move = next_move(member, members, topic.partitions, owners)
        for partition in move.claim:
            connection.execute(
                "INSERT INTO claims (consumer_group, partition, epoch, member) VALUES (?1, ?2, 1, ?3) "
                "ON CONFLICT DO UPDATE SET member = ?3, epoch = epoch + 1",
                (group, partition, member),
            )
        changed = joined or bool(move.claim)
        if changed:
            _count_change(connection)
            claims = _claims(connection, topic, group)
    held = {
        partition: Claim(epoch, committed) for partition, (committed, epoch, owner) in claims.items() if owner == member
    }
    return Share(held, frozenset(move.give_up)), changed


def release(connection: apsw.Connection, topic: Topic, group: str, member: str, partitions: Collection[int]) -> None:
    """Give up claims."""
    with connection:
        for partition in partitions:
            connection.execute(
                "UPDATE claims SET member = NULL WHERE consumer_group = ? AND partition = ? AND member = ?",
                (group, partition, member),
            )
        _count_change(connection)


def leave(connection: apsw.Connection, topic: Topic, group: str, member: str) -> None:
    """Give everything up and be a member no longer."""
    with connection:
        connection.execute(
            "DELETE FROM members WHERE topic = ? AND consumer_group = ? AND member = ?", (topic.id, group, member)
        )
        release(connection, topic, group, member, topic.partitions)


def processes(connection: apsw.Connection) -> list[str]:
    """Processes that have members."""
    return [process for (process,) in rows(connection, "SELECT DISTINCT process FROM members")]


def expel(connection: apsw.Connection, process: str, is_alive: Callable[[str], bool]) -> bool:
    """Remove the members of a process, unless it proves alive after all."""
    with connection:
        if is_alive(process):
            return False
        _remove(connection, process)
    return True


def positions(connection: apsw.Connection, topic: Topic) -> Sequence[GroupPosition]:
    """How far every group came."""
    ends = bounds(connection, topic.partitions)
    found = rows(
        connection,
        "SELECT consumer_group, number, partition, committed, member FROM claims "
        "JOIN partitions ON partitions.id = partition WHERE topic = ? ORDER BY consumer_group, number",
        (topic.id,),
    )
    return [
        GroupPosition(
            group,
            TopicPartition(topic.name, number),
            committed,
            ends[partition].next - max(committed, ends[partition].first),
            member,
        )
        for group, number, partition, committed, member in found
    ]


def _expel_dead(connection: apsw.Connection, topic: Topic, group: str, is_alive: Callable[[str], bool]) -> None:
    """Nobody has to wait for a heartbeat to take over from a process that is gone."""
    for (process,) in rows(
        connection,
        "SELECT DISTINCT process FROM members WHERE topic = ? AND consumer_group = ?",
        (topic.id, group),
    ):
        if not is_alive(process):
            _remove(connection, process)


def _remove(connection: apsw.Connection, process: str) -> None:
    connection.execute(
        "UPDATE claims SET member = NULL WHERE member IN (SELECT member FROM members WHERE process = ?)", (process,)
    )
    connection.execute("DELETE FROM members WHERE process = ?", (process,))
    _count_change(connection)


def _join(connection: apsw.Connection, topic: Topic, group: str, member: str, process: str) -> bool:
    """Whether it was not a member before. The insertion comes first: it takes the write lock."""
    connection.execute(
        "INSERT INTO members (topic, consumer_group, member, process) SELECT ?1, ?2, ?3, ?4 "
        "WHERE EXISTS (SELECT 1 FROM topics WHERE id = ?1) ON CONFLICT DO NOTHING",
        (topic.id, group, member, process),
    )
    joined = connection.changes() > 0
    if not joined and not rows(connection, "SELECT 1 FROM topics WHERE id = ?", (topic.id,)):
        raise TopicGone(f"topic {topic.name} was deleted")
    return joined


def _members(connection: apsw.Connection, topic: Topic, group: str) -> list[str]:
    found = rows(
        connection, "SELECT member FROM members WHERE topic = ? AND consumer_group = ? ORDER BY id", (topic.id, group)
    )
    return [member for (member,) in found]


def _claims(connection: apsw.Connection, topic: Topic, group: str) -> dict[int, tuple[int, int, str | None]]:
    found = rows(
        connection,
        "SELECT partition, committed, epoch, claims.member FROM claims JOIN partitions ON partitions.id = partition "
        "WHERE topic = ? AND consumer_group = ?",
        (topic.id, group),
    )
    return {partition: (committed, epoch, member) for partition, committed, epoch, member in found}


def _count_change(connection: apsw.Connection) -> None:
    connection.execute("UPDATE changes SET count = count + 1 WHERE kind = 'groups'")

"""Topics in the file: create, delete, look up, describe. Functions of a connection, run by its thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langstream.topics.contract import TopicDescription, TopicSpec
from langstream.topics.embedded.schema import rows, value
from langstream.topics.local.log import Bounds, Topic, TopicGone, not_found
from langstream.topics.settings import check_same, check_spec

if TYPE_CHECKING:
    import apsw

_FIRST = """
coalesce((SELECT base + coalesce(json_extract(gaps, '$[0]'), 0) FROM runs
          WHERE position >= id << 40 AND position < (id + 1) << 40 ORDER BY position LIMIT 1), next)
"""


def create(connection: apsw.Connection, spec: TopicSpec) -> bool:
    """True if created, False if it is there as declared. Raises TopicMismatch."""
    partitions, config = check_spec(spec)
    with connection:
        connection.execute("UPDATE changes SET count = count + 1 WHERE kind = 'topics'")  # takes the write lock
        existing = rows(connection, "SELECT id, config FROM topics WHERE name = ?", (spec.name,))
        if existing:
            number, settings = existing[0]
            check_same(spec, len(_partition_ids(connection, number)), json.loads(settings))
            return False
        connection.execute("INSERT INTO topics (name, config) VALUES (?, ?)", (spec.name, json.dumps(config)))
        topic = connection.last_insert_rowid()
        connection.executemany(
            "INSERT INTO partitions (topic, number) VALUES (?, ?)", [(topic, number) for number in range(partitions)]
        )
    return True


def delete(connection: apsw.Connection, name: str) -> int | None:
    """The id of the topic that was deleted. Its runs are removed later, in pieces."""
    with connection:
        connection.execute("UPDATE changes SET count = count + 1")
        topic = value(connection, "SELECT id FROM topics WHERE name = ?", (name,))
        if topic is None:
            return None
        connection.execute("INSERT INTO removed SELECT id FROM partitions WHERE topic = ?", (topic,))
        connection.execute(
            "DELETE FROM claims WHERE partition IN (SELECT id FROM partitions WHERE topic = ?)", (topic,)
        )
        connection.execute("DELETE FROM members WHERE topic = ?", (topic,))
        connection.execute("DELETE FROM partitions WHERE topic = ?", (topic,))
        connection.execute("DELETE FROM topics WHERE id = ?", (topic,))
    return int(topic)


def look_up(connection: apsw.Connection, name: str) -> Topic:
    """Raises TopicNotFound."""
    topic = value(connection, "SELECT id FROM topics WHERE name = ?", (name,))
    if topic is None:
        raise not_found(name, [known for (known,) in connection.execute("SELECT name FROM topics")])
    return Topic(topic, name, tuple(_partition_ids(connection, topic)))


def describe(connection: apsw.Connection, name: str | None) -> list[TopicDescription]:
    """The topic, or all."""
    found = rows(
        connection,
        "SELECT name, count(*), config, sum(records), sum(bytes) FROM topics JOIN partitions ON topic = topics.id "
        "WHERE ?1 IS NULL OR name = ?1 GROUP BY topics.id ORDER BY name",
        (name,),
    )
    return [
        TopicDescription(topic, partitions, json.loads(config), records, size)
        for topic, partitions, config, records, size in found
    ]


def bounds(connection: apsw.Connection, partitions: Sequence[int]) -> dict[int, Bounds]:
    """First and next offset. Raises TopicGone."""
    found = {
        partition: Bounds(first, following)
        for partition, first, following in rows(
            connection,
            f"SELECT id, {_FIRST}, next FROM partitions WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json.dumps(list(partitions)),),
        )
    }
    if len(found) < len(set(partitions)):
        raise TopicGone("the topic was deleted")
    return found


def _partition_ids(connection: apsw.Connection, topic: int) -> list[int]:
    found = rows(connection, "SELECT id FROM partitions WHERE topic = ? ORDER BY number", (topic,))
    return [partition for (partition,) in found]

"""Answers of the brokers that never come."""

from __future__ import annotations

import asyncio

from tests.servers.kafka import Kafka
from tests.topics.kafka.between import JOIN_GROUP, between
from tests.topics.kafka.moves import Open, member, send, topic, values


async def test_a_request_to_join_whose_answer_is_lost_is_repeated(kafka_server: Kafka, connect: Open) -> None:
    """As when the group's coordinator moves. Kafka's own time for it is five minutes."""
    asked: list[float] = []

    def lose(key: int) -> bool:
        if key == JOIN_GROUP:
            asked.append(asyncio.get_running_loop().time())
        return key == JOIN_GROUP and len(asked) == 2  # the first answer only gives the member its name

    async with between(kafka_server.bootstrap, lose) as address:
        cluster = await connect({"bootstrap.servers": address, "max.poll.interval.ms": 6000})
        source = await topic(cluster, "source")
        await send(cluster, source, "a")
        consumer = await member(cluster, source)
        assert await values(consumer, 1) == ["a"]
        assert asked[2] - asked[1] >= 6.0
        await cluster.close()

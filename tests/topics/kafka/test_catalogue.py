"""Lookups while partitions find their leaders."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from langstream.errors import TopicError
from langstream.topics.kafka.cluster import KafkaCluster
from tests.topics.kafka.moves import topic


@pytest.mark.parametrize(
    "code", ["NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_LEADER_EPOCH", "FENCED_LEADER_EPOCH"]
)
async def test_a_partition_that_is_finding_its_leader_is_asked_again(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    name = await topic(cluster, "moving")
    catalogue = cluster._started()[0]
    ask, refusals = catalogue._offsets_now, [getattr(KafkaError, code)] * 3

    async def moving(*arguments: Any) -> Any:
        if refusals:
            raise KafkaException(KafkaError(refusals.pop()))
        return await ask(*arguments)

    monkeypatch.setattr(catalogue, "_offsets_now", moving)
    assert await catalogue.bounds_of(name, 1) == {0: (0, 0)}
    assert not refusals


async def test_other_refusals_are_told_at_once(cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await topic(cluster, "forbidden")
    catalogue = cluster._started()[0]

    async def forbidden(*arguments: Any) -> Any:
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    monkeypatch.setattr(catalogue, "_offsets_now", forbidden)
    with pytest.raises(TopicError, match="no permission for the topic"):
        await catalogue.bounds_of(name, 1)

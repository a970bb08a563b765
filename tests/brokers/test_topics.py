"""Creating, describing and deleting topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from langstream.errors import TopicError, TopicMismatch, TopicNotFound
from langstream.topics.contract import TopicSpec
from tests.brokers.conftest import Broker


@pytest.fixture(autouse=True)
def _nothing_there(request: pytest.FixtureRequest, broker: Broker) -> Iterator[None]:
    """These tests name their topics themselves."""
    if broker.lasting:
        request.getfixturevalue(f"{broker.name}_server").clear()
    yield
    if broker.lasting:
        request.getfixturevalue(f"{broker.name}_server").clear()


async def test_a_topic_is_created_once(bench: Any) -> None:
    admin = bench.cluster.admin
    assert await admin.create(TopicSpec("orders", 4))
    assert not await admin.create(TopicSpec("orders", 4))


async def test_partitions_that_are_not_declared_mean_one(bench: Any) -> None:
    await bench.cluster.admin.create(TopicSpec("orders"))
    assert (await bench.cluster.admin.describe("orders")).partitions == 1


async def test_an_existing_topic_may_have_what_the_declaration_leaves_open(bench: Any) -> None:
    admin = bench.cluster.admin
    await admin.create(TopicSpec("orders", 3, {"retention.ms": "1000"}))
    assert not await admin.create(TopicSpec("orders"))


async def test_other_partitions_are_a_mismatch_that_tells_both_numbers(bench: Any) -> None:
    admin = bench.cluster.admin
    await admin.create(TopicSpec("orders", 2))
    with pytest.raises(TopicMismatch, match=r"orders.*2 partitions.*3 are declared"):
        await admin.create(TopicSpec("orders", 3))


async def test_another_setting_is_a_mismatch_that_tells_both_values(bench: Any) -> None:
    admin = bench.cluster.admin
    await admin.create(TopicSpec("orders", 1, {"cleanup.policy": "delete"}))
    with pytest.raises(TopicMismatch, match=r"cleanup.policy 'delete'.*'compact' is declared"):
        await admin.create(TopicSpec("orders", 1, {"cleanup.policy": "compact"}))


async def test_a_number_and_its_text_are_the_same_setting(bench: Any) -> None:
    admin = bench.cluster.admin
    await admin.create(TopicSpec("orders", 1, {"retention.ms": 1000}))
    assert not await admin.create(TopicSpec("orders", 1, {"retention.ms": "1000"}))


async def test_settings_are_described(bench: Any) -> None:
    await bench.cluster.admin.create(TopicSpec("orders", 2, {"retention.ms": 60000, "cleanup.policy": "delete"}))
    description = await bench.cluster.admin.describe("orders")
    assert description.partitions == 2
    assert description.config["retention.ms"] == "60000"


@pytest.mark.parametrize("config", [{"retention.ms": "abc"}, {"retention.bytes": "-5"}, {"cleanup.policy": "burn"}])
async def test_a_wrong_setting_is_refused_by_name(bench: Any, config: dict[str, str]) -> None:
    with pytest.raises(TopicError, match=next(iter(config))):
        await bench.cluster.admin.create(TopicSpec("orders", 1, config))
    assert await bench.cluster.admin.describe("orders") is None


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".", "..", "é", "x" * 250])
async def test_a_name_that_no_broker_takes_is_refused(bench: Any, name: str) -> None:
    with pytest.raises(TopicError, match="name of a topic"):
        await bench.cluster.admin.create(TopicSpec(name))


async def test_a_negative_number_of_partitions_is_refused(bench: Any) -> None:
    with pytest.raises(TopicError, match="partitions"):
        await bench.cluster.admin.create(TopicSpec("orders", -1))


async def test_topics_are_listed_by_name(bench: Any) -> None:
    for name in ("b", "c", "a"):
        await bench.cluster.admin.create(TopicSpec(name))
    assert [topic.name for topic in await bench.cluster.admin.list()] == ["a", "b", "c"]


async def test_an_unknown_topic_has_no_description(bench: Any) -> None:
    assert await bench.cluster.admin.describe("nowhere") is None


async def test_records_are_counted(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    await bench.send(topic, *(f"value-{number}" for number in range(10)))
    description = await bench.cluster.admin.describe(topic)
    assert description.records == 10
    assert description.bytes is None or description.bytes >= 70


async def test_deleting_tells_whether_there_was_something(bench: Any) -> None:
    topic = await bench.topic()
    assert await bench.cluster.admin.delete(topic)
    assert not await bench.cluster.admin.delete(topic)
    assert await bench.cluster.admin.describe(topic) is None


async def test_a_deleted_topic_starts_empty_when_it_is_created_again(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "old")
    await bench.cluster.admin.delete(topic)
    await bench.cluster.admin.create(TopicSpec(topic, 2))
    await bench.send(topic, "new")
    assert await bench.values(topic) == ["new"]


async def test_the_offsets_of_a_group_go_with_the_topic(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "old")
    consumer = await bench.consumer(topic)
    await consumer.commit(bench.ends(await bench.poll(consumer, 1)))
    await consumer.close()
    await bench.cluster.admin.delete(topic)
    await bench.cluster.admin.create(TopicSpec(topic))
    await bench.send(topic, "new")
    consumer = await bench.consumer(topic)
    assert bench.texts(await bench.poll(consumer, 1)) == ["new"]


async def test_an_unknown_topic_is_named_with_what_is_near(bench: Any) -> None:
    await bench.cluster.admin.create(TopicSpec("questions"))
    message = r"questionz does not exist.*questions"
    with pytest.raises(TopicNotFound, match=message):
        await bench.consumer("questionz")
    with pytest.raises(TopicNotFound, match=message):
        await bench.read("questionz")
    with pytest.raises(TopicNotFound, match=message):
        await bench.send("questionz", "text")


async def test_a_consumer_of_a_deleted_topic_is_told(bench: Any) -> None:
    topic = await bench.topic()
    consumer = await bench.consumer(topic)
    await bench.cluster.admin.delete(topic)
    with pytest.raises(TopicError):
        await consumer.poll(10, 60.0)


async def test_a_producer_of_a_deleted_topic_is_told(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "text")
    await bench.cluster.admin.delete(topic)
    with pytest.raises(TopicNotFound):
        await bench.send(topic, "text")

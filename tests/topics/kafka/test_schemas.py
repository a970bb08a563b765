"""Schemas of topics: declared, registered, read by this and other clients, guarded by logins, changed over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from langstream.errors import ApplicationRefused, BrokerUnavailable, RecordError, TopicError
from langstream.records import AvroValue, SimpleRecord
from langstream.topics.contract import TopicSchema, TopicSpec
from langstream.topics.kafka import open_cluster
from langstream.topics.kafka.cluster import KafkaCluster
from tests.servers.kafka import Kafka
from tests.servers.schema_registry import Registry, schema_registry
from tests.topics.kafka.moves import Open, member, send, topic, values

OLD = {"type": "record", "name": "Order", "fields": [{"name": "n", "type": "int"}]}
NEW = {**OLD, "fields": [*OLD["fields"], {"name": "note", "type": ["null", "string"], "default": None}]}
BROKEN = {**OLD, "fields": [*OLD["fields"], {"name": "note", "type": "string"}]}
LOGICAL = {
    "type": "record",
    "name": "Bill",
    "fields": [
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with schema_registry() as started:
        yield started


@pytest.fixture
async def cluster(connect: Open, registry: Registry) -> KafkaCluster:
    """With a registry."""
    return await connect({"schema.registry.url": registry.url})


def avro(schema: Any) -> TopicSchema:
    return TopicSchema("avro", json.dumps(schema))


async def declared(cluster: KafkaCluster, value: TopicSchema | None, key: TopicSchema | None = None) -> str:
    """A topic with schemas."""
    name = await topic(cluster, "with-schema")
    await cluster.admin.create(TopicSpec(name, key_schema=key, value_schema=value))
    return name


async def read(cluster: KafkaCluster, name: str, count: int) -> list[SimpleRecord]:
    reader = cluster.reader(name, "earliest")
    await reader.start()
    found: list[SimpleRecord] = []
    while len(found) < count:
        found += [record for run in await reader.read(count, 60.0) for record in run.records]
    await reader.close()
    return found


def raw(server: Kafka, name: str) -> Any:
    """The first message as other clients see it."""
    client = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "raw", "auto.offset.reset": "earliest"})
    client.subscribe([name])
    message = client.poll(60.0)
    client.close()
    return message


async def test_avro_is_framed_as_other_clients_frame_it(
    cluster: KafkaCluster, registry: Registry, kafka_server: Kafka
) -> None:
    name = await declared(cluster, avro(OLD))
    assert registry.subjects == {f"{name}-value": [1]}
    await send(cluster, name, SimpleRecord(AvroValue(OLD, {"n": 7})))
    message = raw(kafka_server, name)
    assert message.value() == b"\0\0\0\0\1\x0e"
    assert message.headers() is None
    (record,) = await read(cluster, name, 1)
    assert record.value() == AvroValue(OLD, {"n": 7})


async def test_avro_of_other_clients_is_read(cluster: KafkaCluster, registry: Registry, kafka_server: Kafka) -> None:
    name = await topic(cluster, "foreign")
    registry.handle("POST", f"/subjects/{name}-value/versions", None, {"schema": json.dumps(OLD)})
    client = Producer({"bootstrap.servers": kafka_server.bootstrap})
    client.produce(name, b"\0\0\0\0\1\x0e")
    client.flush()
    assert await values(await member(cluster, name), 1) == [AvroValue(OLD, {"n": 7})]


@pytest.mark.parametrize("content", ['{"n":7}', b'{"n":7}', {"n": 7}])
async def test_json_for_a_topic_with_an_avro_schema_is_written_as_avro(cluster: KafkaCluster, content: Any) -> None:
    name = await declared(cluster, avro(OLD), key=TopicSchema("avro", '"string"'))
    await send(cluster, name, SimpleRecord(content, "k"))
    (record,) = await read(cluster, name, 1)
    assert (record.value(), record.key()) == (AvroValue(OLD, {"n": 7}), AvroValue("string", "k"))  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["plain", '{"n":"seven"}', '{"other":1}'])
async def test_what_does_not_fit_the_schema_is_refused(cluster: KafkaCluster, content: str) -> None:
    name = await declared(cluster, avro(OLD))
    with pytest.raises(RecordError, match="schema"):
        await send(cluster, name, content)


async def test_tombstones_have_no_schema(cluster: KafkaCluster) -> None:
    name = await declared(cluster, avro(OLD))
    await send(cluster, name, SimpleRecord(None, "k"))
    (record,) = await read(cluster, name, 1)
    assert (record.value(), record.key()) == (None, "k")


async def test_records_of_older_and_newer_writers_go_through_whole(cluster: KafkaCluster, registry: Registry) -> None:
    name = await declared(cluster, avro(OLD))
    await send(
        cluster, name, SimpleRecord(AvroValue(OLD, {"n": 1})), SimpleRecord(AvroValue(NEW, {"n": 2, "note": "x"}))
    )
    assert registry.subjects[f"{name}-value"] == [1, 2]
    old, new = await read(cluster, name, 2)
    assert (old.value(), new.value()) == (AvroValue(OLD, {"n": 1}), AvroValue(NEW, {"n": 2, "note": "x"}))


async def test_a_schema_that_readers_would_not_understand_is_told(cluster: KafkaCluster) -> None:
    name = await declared(cluster, avro(OLD))
    with pytest.raises(TopicError, match=r"not compatible.*give new fields a default"):
        await send(cluster, name, SimpleRecord(AvroValue(BROKEN, {"n": 1, "note": ""})))


async def test_values_can_be_fitted_to_the_latest_schema(connect: Open, registry: Registry) -> None:
    cluster = await connect({
        "schema.registry.url": registry.url, "use.latest.version": True, "auto.register.schemas": False,
    })  # fmt: skip
    name = await topic(cluster, "latest")
    for schema in (OLD, NEW):
        registry.handle("POST", f"/subjects/{name}-value/versions", None, {"schema": json.dumps(schema)})
    await send(cluster, name, SimpleRecord(AvroValue(OLD, {"n": 1})))
    (record,) = await read(cluster, name, 1)
    assert record.value() == AvroValue(NEW, {"n": 1, "note": None})


async def test_the_schema_of_a_topic_that_others_made_is_registered_by_the_first_record(
    cluster: KafkaCluster, registry: Registry
) -> None:
    name = await topic(cluster, "others")
    await cluster.admin.declare(TopicSpec(name, value_schema=avro(OLD)))
    assert registry.subjects == {}
    await send(cluster, name, '{"n":7}')
    (record,) = await read(cluster, name, 1)
    assert record.value() == AvroValue(OLD, {"n": 7})
    assert registry.subjects == {f"{name}-value": [1]}


async def test_nothing_is_registered_where_that_is_not_wanted(connect: Open, registry: Registry) -> None:
    cluster = await connect({"schema.registry.url": registry.url, "auto.register.schemas": "false"})
    name = await declared(cluster, avro(OLD))
    assert registry.subjects == {}
    with pytest.raises(TopicError, match=r"auto\.register\.schemas"):
        await send(cluster, name, SimpleRecord(AvroValue(OLD, {"n": 1})))


async def test_logical_types_stay_what_they_are(cluster: KafkaCluster) -> None:
    bill = {"day": date(2024, 2, 29), "at": datetime(2024, 2, 29, 12, tzinfo=UTC), "price": Decimal("12.50")}
    name = await declared(cluster, avro(LOGICAL))
    await send(cluster, name, SimpleRecord(AvroValue(LOGICAL, bill)))
    (record,) = await read(cluster, name, 1)
    assert record.value() == AvroValue(LOGICAL, bill)


@pytest.mark.parametrize(
    ("kind", "sent", "found"),
    [("string", b"text", "text"), ("string", "text", "text"), ("bytes", "text", b"text"), ("bytes", b"\xff", b"\xff")],
)
async def test_string_and_bytes_are_what_the_topic_says(connect: Open, kind: str, sent: Any, found: Any) -> None:
    cluster = await connect()
    name = await declared(cluster, TopicSchema(kind), key=TopicSchema(kind))
    await send(cluster, name, SimpleRecord(sent, sent))
    (record,) = await read(cluster, name, 1)
    assert (record.value(), record.key()) == (found, found)


async def test_bytes_are_no_text_for_a_topic_of_strings(connect: Open) -> None:
    cluster = await connect()
    name = await declared(cluster, TopicSchema("string"))
    with pytest.raises(RecordError, match="declared as string"):
        await send(cluster, name, SimpleRecord(b"\xff"))


async def test_other_kinds_of_schemas_are_refused(connect: Open) -> None:
    cluster = await connect()
    with pytest.raises(TopicError, match=r"'json' is not supported on Kafka; expected string, bytes, avro"):
        await cluster.admin.create(TopicSpec("other", value_schema=TopicSchema("json", "{}")))


async def test_json_schema_of_other_clients_is_read_as_its_text(
    cluster: KafkaCluster, registry: Registry, kafka_server: Kafka
) -> None:
    name = await topic(cluster, "json")
    registry.handle("POST", f"/subjects/{name}-value/versions", None, {"schema": "{}", "schemaType": "JSON"})
    client = Producer({"bootstrap.servers": kafka_server.bootstrap})
    client.produce(name, b'\0\0\0\0\1{"n":7}')
    client.flush()
    (record,) = await read(cluster, name, 1)
    assert record.value() == '{"n":7}'


async def test_bytes_that_only_look_like_avro_stay_bytes(cluster: KafkaCluster) -> None:
    name = await topic(cluster, "looks")
    lookalikes = [b"\0\0\0\0\1\xff\xff", b"\0\0\0\x30\x39\xff", b"\0", b"\0\0\0\0\1"]
    await send(cluster, await declared(cluster, avro(OLD)), SimpleRecord(AvroValue(OLD, {"n": 1})))
    await send(cluster, name, *map(SimpleRecord, lookalikes))
    assert [record.value() for record in await read(cluster, name, 4)] == lookalikes


@pytest.mark.parametrize(
    ("guard", "login"),
    [
        ({"user": "app:p:w"}, {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "app:p:w"}),
        ({"user": "app:pw"}, {"schema.registry.basic.auth.user.info": "app:pw"}),
        ({"user": "a p:p w"}, {"in the address": "a%20p:p%20w"}),
        ({"token": "t0ken"}, {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "t0ken"}),
    ],
)
async def test_the_registry_lets_in_who_may(connect: Open, guard: dict[str, str], login: dict[str, str]) -> None:
    with schema_registry(**guard) as registry:
        user = login.pop("in the address", None)
        url = registry.url.replace("//", f"//{user}@") if user else registry.url
        name = await declared(await connect({"schema.registry.url": url, **login}), avro(OLD))
        assert registry.subjects == {f"{name}-value": [1]}


async def test_a_wrong_password_is_told_and_not_shown(connect: Open) -> None:
    with schema_registry(user="app:right") as registry:
        admin = {"schema.registry.url": registry.url, "basic.auth.user.info": "app:wrong"}
        cluster = await connect(admin)
        with pytest.raises(TopicError, match="does not let LangStream in") as raised:
            await declared(cluster, avro(OLD))
    assert "wrong" not in str(raised.value)


async def test_the_next_address_is_tried_when_one_does_not_answer(connect: Open, registry: Registry) -> None:
    await declared(await connect({"schema.registry.url": f"http://127.0.0.1:1,{registry.url}"}), avro(OLD))
    cluster = await connect({"schema.registry.url": "http://u:secret@127.0.0.1:1"})
    with pytest.raises(BrokerUnavailable, match=r"http://127\.0\.0\.1:1 fails") as raised:
        await declared(cluster, avro(OLD))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema.registry.url", "registry:8081"),
        ("basic.auth.credentials.source", "GUESS"),
        ("bearer.auth.credentials.source", "OAUTHBEARER"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(name: str, value: str) -> None:
    admin = {"bootstrap.servers": "kafka:9092", "schema.registry.url": "http://registry:8081", name: value}
    with pytest.raises(ApplicationRefused, match=name):
        open_cluster({"admin": admin}, None)

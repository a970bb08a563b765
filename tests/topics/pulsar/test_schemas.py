"""Schemas that Pulsar keeps with a topic."""

from __future__ import annotations

import json
import uuid
from typing import Any

import _pulsar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import RecordError, TopicError
from langstream.records import AvroValue, SimpleRecord
from langstream.topics.contract import TopicSchema, TopicSpec
from langstream.topics.encoding import encode_avro
from langstream.topics.pulsar.cluster import PulsarCluster
from langstream.topics.pulsar.schemas import Explained, Form, declared
from tests.servers.pulsar import NAMESPACE, Pulsar
from tests.topics.pulsar.moves import member, send, values

POINT = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}]}
WIDER = {"type": "record", "name": "Point", "fields": [*POINT["fields"], {"name": "y", "type": "int", "default": 0}]}


async def with_schema(cluster: PulsarCluster, kind: str, schema: Any = None, partitions: int = 2) -> str:
    name = f"{kind}-{uuid.uuid4().hex[:8]}"
    text = json.dumps(schema) if schema else None
    await cluster.admin.create(TopicSpec(name, partitions, value_schema=TopicSchema(kind, text)))
    return name


async def test_what_is_written_is_avro_and_what_is_read_has_its_schema(
    cluster: PulsarCluster, pulsar_server: Pulsar
) -> None:
    name = await with_schema(cluster, "avro", POINT)
    place = f"schemas/{NAMESPACE}/{name}/schema"
    assert pulsar_server.ask("GET", place)["type"] == "AVRO"
    await send(cluster, name, SimpleRecord({"x": 1}, "k"), SimpleRecord(AvroValue(POINT, {"x": 2}), "k"))
    await send(cluster, name, SimpleRecord(AvroValue(WIDER, {"x": 3, "y": 4}), "k", [("h", "b"), ("a", "c")]))
    consumer = await member(cluster, name)
    assert await values(consumer, 3) == [AvroValue(POINT, {"x": number}) for number in (1, 2, 3)]
    pulsar_server.ask("POST", place, {"type": "AVRO", "schema": json.dumps(WIDER), "properties": {}})
    other = cluster.producer(options={"producer.sendTimeoutMs": 20_000})
    await other.send(name, [SimpleRecord({"x": 5, "y": 6}, "k")])
    assert await values(consumer, 1) == [AvroValue(WIDER, {"x": 5, "y": 6})]


async def test_a_topic_of_somebody_else_gets_the_schema_that_it_lacks(cluster: PulsarCluster) -> None:
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    await cluster.admin.create(TopicSpec(name, 1))
    for schema in (POINT, WIDER):  # the first one stays
        await cluster.admin.declare(TopicSpec(name, value_schema=TopicSchema("avro", json.dumps(schema))))
    await send(cluster, name, SimpleRecord({"x": 1}))
    assert await values(await member(cluster, name), 1) == [AvroValue(POINT, {"x": 1})]


async def test_a_value_that_does_not_fit_the_topic_s_schema_is_refused(cluster: PulsarCluster) -> None:
    name = await with_schema(cluster, "avro", POINT)
    with pytest.raises(RecordError, match="Avro"):
        await send(cluster, name, "{}", '{"x": 1}')
    with pytest.raises(RecordError, match="neither Avro nor JSON"):
        await send(cluster, name, "some text")
    await send(cluster, name, '{"x": 1}')
    assert await values(await member(cluster, name), 1) == [AvroValue(POINT, {"x": 1})]


@pytest.mark.parametrize(
    ("kind", "schema", "sent", "data", "read"),
    [
        ("json", POINT, {"x": 1}, b'{"x":1}', '{"x":1}'),
        ("json", POINT, AvroValue(POINT, {"x": 1}), b'{"x":1}', '{"x":1}'),
        ("string", None, "é", "é".encode(), "é"),
        ("string", None, b"text", b"text", "text"),
        ("int32", None, 258, b"\0\0\1\2", "258"),
        ("boolean", None, True, b"\1", "true"),
        ("double", None, "1.5", b"\x3f\xf8\0\0\0\0\0\0", "1.5"),
    ],
)
async def test_other_clients_find_what_the_schema_says(
    cluster: PulsarCluster, pulsar_server: Pulsar, kind: str, schema: Any, sent: Any, data: bytes, read: Any
) -> None:
    name = await with_schema(cluster, kind, schema, partitions=1)
    await send(cluster, name, SimpleRecord(sent))
    configuration = _pulsar.ClientConfiguration()
    configuration.set_file_logger(_pulsar.LoggerLevel.Error, "/dev/null")
    client = _pulsar.Client(pulsar_server.service_url, configuration)
    options = _pulsar.ConsumerConfiguration()
    options.subscription_initial_position(_pulsar.InitialPosition.Earliest)
    message = client.subscribe(f"persistent://{NAMESPACE}/{name}", "theirs", options).receive(60_000)
    assert (message.data(), message.int_schema_version()) == (data, -1 if kind in ("int32", "boolean", "double") else 0)
    client.close()
    assert await values(await member(cluster, name), 1) == [read]


def test_a_type_that_pulsar_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(TopicError, match=r"'protocol'.*avro"):
        declared(TopicSpec("t", value_schema=TopicSchema("protocol")))
    with pytest.raises(TopicError, match="needs the text"):
        declared(TopicSpec("t", value_schema=TopicSchema("avro")))
    assert declared(TopicSpec("t", value_schema=TopicSchema("bytes"))) is None


def test_a_key_schema_of_another_type_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert declared(TopicSpec("t", key_schema=TopicSchema("avro", "{}"))) is None
    assert "keys as text" in caplog.text
    caplog.clear()
    declared(TopicSpec("t", key_schema=TopicSchema("string")))
    assert not caplog.text


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_come_back(number: int) -> None:
    form = Form("INT64")
    assert form.read(form.written(str(number))) == str(number)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_texts_come_back(text: str) -> None:
    form = Form("STRING")
    assert form.read(form.written(text).encode()) == text


def test_what_does_not_fit_its_schema_stays_bytes() -> None:
    assert Form("INT32").read(b"\1") == b"\1"
    assert Form("AVRO", json.dumps(WIDER)).read(b"") == b""
    assert Form("STRING").read(b"\xff") == b"\xff"


def test_avro_with_the_topic_s_schema_is_not_written_anew() -> None:
    encoded = encode_avro(AvroValue(POINT, {"x": 7}))
    written = Form("AVRO", json.dumps(POINT)).written(encoded)
    assert type(written) is Explained
    assert written == encoded.binary

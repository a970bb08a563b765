"""Applications among others on Kafka: Avro of other clients through a schema registry, groups of the original."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.kafka import Kafka
from tests.servers.schema_registry import Registry, schema_registry

BILL = {
    "type": "record",
    "name": "Bill",
    "fields": [
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}
AGENT = """
    import datetime, decimal
    from langstream import AvroValue, SimpleRecord

    class Later:
        def process(self, record):
            bill = record.value()
            assert type(bill.value["price"]) is decimal.Decimal and type(bill.value["at"]) is datetime.datetime
            day, price = bill.value["day"] + datetime.timedelta(days=1), bill.value["price"] * 2
            return [SimpleRecord(AvroValue(bill.schema, {**bill.value, "day": day, "price": price}))]
"""
GATEWAYS = "gateways: [{id: out, type: consume, topic: out}]"
COMPUTE = """
    topics: [{name: in}, {name: out, creation-mode: create-if-not-exists}]
    pipeline:
      - type: compute
        id: twice
        input: in
        output: out
        configuration: {fields: [{name: value.twice, expression: "value.n * 2"}]}
"""


@pytest.fixture
def server(kafka_server: Kafka) -> Iterator[Kafka]:
    """Without topics, before and after."""
    kafka_server.clear()
    yield kafka_server
    kafka_server.clear()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with schema_registry(user="app:secret") as started:
        yield started


def instance(path: Path, server: Kafka, admin: Mapping[str, Any], **cluster: Any) -> str:
    """An instance file on the server."""
    properties = {"bootstrap.servers": server.bootstrap, "session.timeout.ms": 6000, **admin}
    streaming = {"type": "kafka", "configuration": {"admin": properties}, **cluster}
    path.write_text(json.dumps({"instance": {"streamingCluster": streaming}}))
    return str(path)


def received(server: Kafka, topic: str) -> Any:
    """The first message of a topic as another client sees it."""
    client = Consumer(
        {"bootstrap.servers": server.bootstrap, "group.id": f"see-{topic}", "auto.offset.reset": "earliest"}
    )
    client.subscribe([topic])
    message = client.poll(60.0)
    client.close()
    return message


def test_avro_passes_a_custom_agent_with_its_logical_types(
    write: Any, start: Any, server: Kafka, registry: Registry, tmp_path: Path
) -> None:
    text = json.dumps(BILL)
    schema = {"type": "avro", "schema": text}
    topics = [
        {"name": name, "creation-mode": "create-if-not-exists", "schema": schema, "keySchema": {"type": "string"}}
        for name in ("in", "out")
    ]
    agent = {"type": "python-processor", "input": "in", "output": "out", "configuration": {"className": "bills.Later"}}
    files = {
        "pipeline.yaml": json.dumps({"topics": topics, "pipeline": [agent]}),
        "gateways.yaml": GATEWAYS,
        "python/bills.py": AGENT,
    }
    login = {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "app:secret"}
    options = instance(tmp_path / "instance.yaml", server, {"schema.registry.url": registry.url, **login})
    app = start(write(files), "-i", options, "--no-ui", name="bills")
    assert registry.subjects == {"in-value": [1], "out-value": [1]}

    bill = {"day": date(2024, 2, 28), "at": datetime(2024, 2, 28, 12, tzinfo=UTC), "price": Decimal("12.50")}
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(BILL), bill)
    client = Producer({"bootstrap.servers": server.bootstrap})
    client.produce("in", b"\0\0\0\0\1" + written.getvalue())
    client.flush()

    (frame,) = app.consume("out", 1, seconds=60)
    assert frame["record"]["value"] == {"day": "2024-02-29", "at": "2024-02-28T12:00:00Z", "price": 25.0}
    message = received(server, "out").value()
    assert message[:5] == b"\0\0\0\0\1"
    read = fastavro.schemaless_reader(io.BytesIO(message[5:]), fastavro.parse_schema(BILL), None)
    assert read == {**bill, "day": date(2024, 2, 29), "price": Decimal("25.00")}


def test_a_result_that_does_not_fit_the_schema_of_its_topic_is_a_dead_letter(
    write: Any, start: Any, server: Kafka, registry: Registry, tmp_path: Path
) -> None:
    schema = json.dumps({"type": "record", "name": "Number", "fields": [{"name": "n", "type": "int"}]})
    files = {
        "pipeline.yaml": f"""
            topics:
              - {{name: in, creation-mode: create-if-not-exists}}
              - {{name: in-deadletter, creation-mode: create-if-not-exists}}
              - {{name: out, creation-mode: create-if-not-exists, schema: {{type: avro, schema: '{schema}'}}}}
            errors: {{on-failure: dead-letter, retries: 0}}
            pipeline: [{{type: drop-fields, input: in, output: out, configuration: {{fields: [x]}}}}]
        """,
        "gateways.yaml": """
            gateways:
              - {id: in, type: produce, topic: in}
              - {id: out, type: consume, topic: out}
              - {id: failed, type: consume, topic: in-deadletter}
        """,
    }
    login = {"basic.auth.user.info": "app:secret"}
    options = instance(tmp_path / "instance.yaml", server, {"schema.registry.url": registry.url, **login})
    app = start(write(files), "-i", options, "--no-ui", name="fitting")
    for value in ({"n": 1}, {"n": "two"}, {"n": 3}):
        app.produce("in", value, key="k")
    assert [frame["record"]["value"] for frame in app.consume("out", 2, seconds=60)] == [{"n": 1}, {"n": 3}]
    (failed,) = app.consume("failed", 1, seconds=60)
    assert json.loads(failed["record"]["value"]) == {"n": "two"}


def test_an_application_of_the_original_goes_on_where_it_was(
    write: Any, start: Any, server: Kafka, tmp_path: Path
) -> None:
    """Its groups are named after the agent alone."""
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    admin.create_topics([NewTopic("in", 1, 1)])["in"].result(60)
    client = Producer({"bootstrap.servers": server.bootstrap})
    for n in range(10):
        client.produce("in", json.dumps({"n": n}), "k")
    client.flush()
    original = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "langstream-agent-twice"})
    original.commit(offsets=[TopicPartition("in", 0, 4)], asynchronous=False)
    original.close()
    options = instance(tmp_path / "instance.yaml", server, {}, **{"consumer-group-naming": "agent"})
    app = start(write({"pipeline.yaml": COMPUTE, "gateways.yaml": GATEWAYS}), "-i", options, "--no-ui", name="moved")
    frames = app.consume("out", 6, seconds=60)
    assert [json.loads(frame["record"]["value"])["n"] for frame in frames] == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "declared", ["partitions: 3", "config: {retention.ms: 1000}", "options: {replication-factor: 2}"]
)
def test_a_topic_that_exists_with_other_settings_is_reported_before_anything_starts(
    write: Any, start: Any, server: Kafka, tmp_path: Path, declared: str
) -> None:
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    admin.create_topics([NewTopic("in", 1, 1)])["in"].result(60)
    other = COMPUTE.replace("{name: in}", f"{{name: in, creation-mode: create-if-not-exists, {declared}}}")
    options = instance(tmp_path / "instance.yaml", server, {})
    with pytest.raises(AssertionError, match=r"exited with 1[\s\S]*topic in exists with"):
        start(write({"pipeline.yaml": other, "gateways.yaml": GATEWAYS}), "-i", options, "--no-ui", name="other")

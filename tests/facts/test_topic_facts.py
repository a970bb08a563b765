"""Topics and their brokers, as far as no server is needed; numbers are those of facts about the original."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from langstream.configuration.validation import check
from langstream.deploy.local import LocalDeployment
from langstream.deploy.topics import create_topics, delete_topics
from langstream.errors import ApplicationRefused, RecordError, TopicError, TopicNotFound
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSchema, TopicSpec
from langstream.topics.encoding import rows_of
from langstream.topics.kafka.admin import _replicas
from langstream.topics.kafka.schemas import Schemas
from langstream.topics.kafka.settings import ClientSettings, KafkaConfiguration, client_settings
from langstream.topics.kafka.wire import payloads
from langstream.topics.memory import open_cluster
from langstream.topics.noop import open_cluster as open_noop
from langstream.topics.pulsar.names import Namespace
from langstream.topics.pulsar.schemas import declared
from langstream.topics.pulsar.settings import (
    ADMIN_URL,
    SERVICE_URL,
    PulsarConfiguration,
    cluster_settings,
    in_kebab_case,
)

MADE: Final = {"creation-mode": "create-if-not-exists"}
COPY: Final = {"type": "identity", "id": "copy", "input": "in", "output": "out"}


def plan(*topics: Mapping[str, Any], agents: Any = (), streaming: Any = None) -> ExecutionPlan:
    """The plan of an application `app` of the tenant `default`."""
    with TemporaryDirectory() as directory:
        Path(directory, "pipeline.yaml").write_text(json.dumps({"topics": list(topics), "pipeline": list(agents)}))
        instance = None
        if streaming is not None:
            instance = Path(directory, "own") / "instance.yaml"
            instance.parent.mkdir()
            instance.write_text(json.dumps({"instance": {"streamingCluster": streaming}}))
        return load_and_plan(Path(directory), "app", instance=instance)


# --- declarations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "planned"), [(None, 0), (0, 0), (-1, 0), (1, 1), (4, 4), ("2", 2)])
def test_partitions(written: Any, planned: int) -> None:
    """118, 121: what is not declared is the broker's default, which is one."""
    assert plan({"name": "t", **MADE, "partitions": written}).topics[0].partitions == planned


def test_a_topic_is_left_alone_unless_told_otherwise() -> None:
    topic = plan({"name": "t"}).topics[0]
    assert (topic.creation_mode, topic.deletion_mode) == ("none", "none")
    assert (topic.key_schema, topic.value_schema, dict(topic.options), dict(topic.config)) == (None, None, {}, {})


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ({"name": "t", "creation-mode": "always"}, "must be one of none, create-if-not-exists"),
        ({"name": "t", "deletion-mode": "yes"}, "must be one of none, delete"),
        ({"creation-mode": "none"}, "'name' of topic is required"),
        ({"name": "t", "partition": 2}, "unknown key 'partition'"),
        ({"name": "t", "schema": {"schema": "{}"}}, "'type' of schema of topic 't' is required"),
        ({"name": "t", "keySchema": {"type": "avro", "text": "{}"}}, "unknown key 'text'"),
        ({"name": "t", "options": ["a"]}, "'options' of topic 't'"),
    ],
)
def test_what_is_refused(topic: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ApplicationRefused) as caught:
        plan(topic)
    assert words in str(caught.value)


def test_schemas_options_and_settings_are_kept() -> None:
    schema = {"type": "avro", "schema": '{"type": "string"}'}
    options = {"consumer.fetch.min.bytes": 1, "producer.linger.ms": "5", "replication-factor": "2", "mine": True}
    entry = {"name": "t", "schema": {**schema, "name": "S"}, "keySchema": schema, "options": options}
    topic = plan({**entry, "config": {"retention.ms": 5, "empty": None}}).topics[0]
    assert topic.value_schema is not None
    assert topic.key_schema is not None
    assert (topic.value_schema.type, topic.value_schema.name, topic.key_schema.name) == ("avro", "S", "Schema")
    assert topic.options == options
    assert topic.config["retention.ms"] == 5


@pytest.mark.parametrize(
    ("options", "streaming", "group"),
    [
        ({}, None, "langstream-default-app-copy"),
        ({}, {"type": "embedded", "consumer-group-naming": "agent"}, "langstream-agent-copy"),
        ({"consumer.group.id": "mine"}, None, "mine"),
    ],
)
def test_names_of_groups(options: Any, streaming: Any, group: str) -> None:
    (node,) = plan({"name": "in", "options": options}, {"name": "out"}, agents=[COPY], streaming=streaming).nodes
    assert node.group == group


def test_implicit_and_dead_letter_topics_are_made_and_stay() -> None:
    agent = {**COPY, "errors": {"on-failure": "dead-letter"}}
    entry = {"name": "in", "partitions": 3, "schema": {"type": "string"}, "options": {"consumer.x": 1}}
    found = {topic.name: topic for topic in plan(entry, {"name": "out"}, agents=[agent]).topics}
    letters = found["in-deadletter"]
    assert (letters.creation_mode, letters.deletion_mode, letters.partitions) == ("create-if-not-exists", "none", 3)
    assert letters.value_schema == found["in"].value_schema
    assert not letters.options


# --- their life -----------------------------------------------------------------------------------------------------


async def test_topics_are_created_once_and_deleted_only_where_it_is_said() -> None:
    """118 to 121."""
    application = plan(
        {"name": "four", **MADE, "partitions": 4, "deletion-mode": "delete"},
        {"name": "one", **MADE},
        {"name": "theirs", "deletion-mode": "delete"},
    )
    cluster = open_cluster({}, None)
    await cluster.start()
    with pytest.raises(TopicNotFound, match="'theirs'"):
        await create_topics(application, cluster.admin)
    await cluster.admin.create(TopicSpec("theirs"))
    for _ in range(2):
        await create_topics(application, cluster.admin)
    assert {topic.name: topic.partitions for topic in await cluster.admin.list()} == {"four": 4, "one": 1, "theirs": 1}
    await delete_topics(application, cluster.admin)
    assert [topic.name for topic in await cluster.admin.list()] == ["one"]
    await delete_topics(application, cluster.admin)
    await cluster.close()


# --- no broker ------------------------------------------------------------------------------------------------------


async def test_an_application_without_topics_runs_without_a_broker(tmp_path: Path) -> None:
    """136."""
    agents = [
        {"type": "timer-source", "id": "ticks", "configuration": {"period-seconds": 3600}},
        {"type": "compute", "configuration": {"fields": [{"name": "value", "expression": "1"}]}},
    ]
    cluster = open_noop({}, None)
    deployment = LocalDeployment(plan({"name": "unused", **MADE}, agents=agents), cluster, data_directory=tmp_path)
    await deployment.setup()
    await deployment.start()
    assert [(status.state, status.last_error) for status in deployment.status()] == [("running", None)]
    await deployment.stop()
    await deployment.cleanup()


async def test_without_a_broker_no_connection_can_be_opened() -> None:
    """136."""
    cluster = open_noop({}, None)
    await cluster.start()
    await create_topics(plan({"name": "in"}, {"name": "out", **MADE}, agents=[COPY]), cluster.admin)
    assert list(await cluster.admin.list()) == []
    for connection in (cluster.consumer("in", "g"), cluster.reader("in", "latest")):
        with pytest.raises(TopicError, match="no streaming cluster is configured"):
            await connection.start()
        await connection.close()
    producer = cluster.producer()
    await producer.start()
    with pytest.raises(TopicError, match="topic out cannot be used"):
        await producer.send("out", [SimpleRecord("x")])
    await cluster.close()
    with pytest.raises(ApplicationRefused, match="'x' is unknown"):
        open_noop({"x": 1}, None)


def test_the_type_of_a_cluster_is_known() -> None:
    for type in ("embedded", "memory", "kafka", "pulsar", "noop"):
        assert plan({"name": "t"}, streaming={"type": type}).topics
    with pytest.raises(ApplicationRefused, match="streaming cluster type 'pravega' is unknown"):
        plan({"name": "t"}, streaming={"type": "pravega"})


# --- Kafka ----------------------------------------------------------------------------------------------------------


def settings(**admin: Any) -> ClientSettings:
    return client_settings(KafkaConfiguration(admin={"bootstrap.servers": "kafka:9092", **admin}))


def test_what_consumers_and_producers_are_made_with() -> None:
    """4.3, 4.4; more in tests/topics/kafka/test_settings.py."""
    consumer = settings().consumer("g", {"consumer.fetch.min.bytes": "7", "producer.linger.ms": 9, "other": 1})
    assert consumer["group.id"] == "g"
    assert consumer["enable.auto.commit"] == "false"
    assert consumer["auto.offset.reset"] == "earliest"
    assert consumer["fetch.min.bytes"] == "7"
    assert (
        "linger.ms" not in settings().producer({}) or settings().producer({"producer.linger.ms": 9})["linger.ms"] == "9"
    )
    assert settings(**{"linger.ms": 1}).producer({"producer.linger.ms": 9})["linger.ms"] == "1"


def test_admin_cannot_be_left_out() -> None:
    assert "'admin' is required" in str(check(KafkaConfiguration, {}, subject="it")[1][0])
    assert "'bootstrap' is unknown" in str(check(KafkaConfiguration, {"admin": {}, "bootstrap": 1}, subject="it")[1][0])


@pytest.mark.parametrize(
    ("given", "replicas"), [({}, None), ({"replication-factor": 3}, 3), ({"replication-factor": "2"}, 2)]
)
def test_replicas(given: Any, replicas: int | None) -> None:
    assert _replicas(TopicSpec("t", options=given)) == replicas


@pytest.mark.parametrize("wrong", [0, -1, "many", 40_000])
def test_replicas_that_cannot_be(wrong: Any) -> None:
    with pytest.raises(TopicError, match="replication-factor"):
        _replicas(TopicSpec("t", options={"replication-factor": wrong}))


@pytest.mark.parametrize(
    ("given", "data"),
    [
        ("text ü", "text ü".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (None, None),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        ([1, "b"], b'[1,"b"]'),
        (12, b"12"),
        (1.5, b"1.5"),
        (True, b"true"),
        (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    ],
)
def test_what_is_written_without_a_schema(given: Any, data: bytes | None) -> None:
    """125, 126: text and bytes as they are, everything else as JSON text, for keys and values alike."""
    now = time.time_ns() // 1_000_000
    (written,) = payloads(rows_of([SimpleRecord(given, given, timestamp=now)]))
    key, value, _, timestamp = written
    assert (key, value, timestamp) == (data, data, now)


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(RecordError, match="cannot be written to a topic"):
        rows_of([SimpleRecord(object())])


@pytest.mark.parametrize("place", ["value_schema", "key_schema"])
@pytest.mark.parametrize(("kind", "known"), [("string", True), ("bytes", True), ("AVRO", True), ("json", False)])
async def test_kinds_of_schemas_on_kafka(place: str, kind: str, known: bool) -> None:
    """129."""
    schema: dict[str, Any] = {place: TopicSchema(kind, '{"type": "string"}')}
    spec = TopicSpec("t", **schema)
    if known:
        await Schemas(None).declare(spec, register=True)
        return
    with pytest.raises(TopicError, match="type 'json' is not supported on Kafka; expected string, bytes, avro"):
        await Schemas(None).declare(spec, register=True)


@pytest.mark.parametrize(
    ("broker", "kind", "known"),
    [
        ("kafka", "avro", True),
        ("kafka", "json", False),
        ("pulsar", "json", True),
        ("pulsar", "int32", True),
        ("pulsar", "proto", False),
        ("embedded", "json", True),
        (None, "whatever", True),
    ],
)
@pytest.mark.parametrize("place", ["schema", "keySchema"])
def test_kinds_of_schemas_are_looked_at_when_planned(broker: str | None, kind: str, known: bool, place: str) -> None:
    """129: for the broker that the instance names."""
    entry = {"name": "t", place: {"type": kind, "schema": "{}"}}
    streaming = None if broker is None else {"type": broker}
    if known:
        assert plan(entry, streaming=streaming).topics
        return
    with pytest.raises(
        ApplicationRefused, match=f"The {place} of topic 't' has the type '{kind}', unknown to {broker}"
    ):
        plan(entry, streaming=streaming)


# --- Pulsar ---------------------------------------------------------------------------------------------------------


def pulsar(**configuration: Any) -> PulsarConfiguration:
    checked, problems = check(PulsarConfiguration, in_kebab_case(configuration), subject="it")
    assert checked is not None, problems
    return checked


def test_where_pulsar_is_by_default() -> None:
    found = cluster_settings(pulsar())
    assert (found.service_url, found.admin_urls) == (SERVICE_URL, (ADMIN_URL,))
    assert (SERVICE_URL, ADMIN_URL) == ("pulsar://localhost:6650", "http://localhost:8080")
    assert (found.tenant, found.namespace, found.retention) == ("public", "public", None)


@pytest.mark.parametrize(
    "written",
    [
        {
            "default-tenant": "a",
            "default-namespace": "b",
            "default-retention-policies": {"retention-time-in-minutes": 5},
        },
        {"defaultTenant": "a", "defaultNamespace": "b", "defaultRetentionPolicies": {"retentionTimeInMinutes": "5"}},
    ],
)
def test_both_spellings_are_known(written: Mapping[str, Any]) -> None:
    """132, 133."""
    found = cluster_settings(pulsar(**written))
    assert Namespace(found.tenant, found.namespace).full("t") == "persistent://a/b/t"
    assert found.retention is not None
    assert (found.retention.retention_time_in_minutes, found.retention.retention_size_in_mb) == (5, None)


def test_logins_go_to_both_clients() -> None:
    login = {"authPlugin": "org.apache.pulsar.client.impl.auth.AuthenticationToken", "authParams": "token:secret"}
    found = cluster_settings(pulsar(authentication=login))
    assert found.service_login == found.admin_login
    assert "secret" not in repr(found)


def test_unknown_keys_of_pulsar_are_refused() -> None:
    _, problems = check(PulsarConfiguration, {"tenant": "a"}, subject="it")
    assert "'tenant' is unknown" in str(problems[0])
    with pytest.raises(ApplicationRefused, match="unknown property 'serviceUrls'"):
        cluster_settings(pulsar(service={"serviceUrls": "pulsar://h"}))


@pytest.mark.parametrize(
    "kind", ["string", "json", "avro", "int8", "int16", "int32", "int64", "float", "double", "boolean"]
)
def test_kinds_of_schemas_on_pulsar(kind: str) -> None:
    form = declared(TopicSpec("t", value_schema=TopicSchema(kind, '{"type": "string"}')))
    assert form is not None
    assert form.kind == kind.upper()


def test_other_kinds_are_refused() -> None:
    with pytest.raises(TopicError, match="schema type 'other' is not supported on Pulsar"):
        declared(TopicSpec("t", value_schema=TopicSchema("other")))
    assert declared(TopicSpec("t", value_schema=TopicSchema("bytes"))) is None

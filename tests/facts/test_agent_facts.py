"""What the planner says to options of sources, sinks and queries: accepted as in the original, or refused and why.

Ids are those of facts about the original. Words in capitals tell where the sane thing is done instead.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from langstream.agents.custom.configuration import user_configuration
from langstream.sdk.contract import AgentContext
from tests.facts.application import asset, planned, processor, query, refusal, resource, sink, source

SEED: Final = {"seed-urls": ["http://h/"], "allowed-domains": ["http://h/"]}
FIELDS: Final = [{"name": "id", "expression": "value.id"}]
KEYED: Final = [{"name": "id", "expression": "key.id", "primary-key": True}, {"name": "a", "expression": "value.a"}]
S3: Final = {
    "bucketName": "b",
    "endpoint": "http://minio:9000",
    "access-key": "a",
    "secret-key": "s",
    "region": "r",
    "idle-time": 0,
    "file-extensions": "csv",
}
AZURE: Final = {"endpoint": "https://a.blob.core.windows.net"}
CQL: Final = {"table_name": "shop.items", "mapping": "id=value.id"}
VECTOR: Final = {"vector.id": "key.id", "vector.vector": "value.v"}
CREDENTIAL: Final = "Either sas-token, account-name/account-key or account-connection-string must be provided"

ACCEPTED: Final = {
    "V-2": source("s3-source", {}),
    "V-3": source("s3-source", {"bucketName": 12}),
    "V-5": source("s3-source", S3),
    "null counts as absent": source("s3-source", dict.fromkeys(S3)),
    "text is a number": source("s3-source", {"idle-time": "3"}),
    "extensions repeated (S-13)": source("s3-source", {"file-extensions": "pdf,pdf, txt"}),
    "V-7 s3": source("webcrawler-source", {**SEED, "state-storage": "s3", "endpoint": "http://minio:9000"}),
    "V-7 disk": source("webcrawler-source", {**SEED, "state-storage": "disk"}),
    "V-11 ONE IS A LIST": source("webcrawler-source", {**SEED, "seed-urls": "http://h/a"}),
    "V-12": source("webcrawler-source", {**SEED, "seed-urls": "${globals.urls}"}),
    "W-58": source("webcrawler-source", {**SEED, "seed-urls": "http://h/a,http://h/b"}),
    "azure with a token": source("azure-blob-storage-source", {**AZURE, "sas-token": "sv=1", "file-extensions": "*"}),
    "V-30 s3 STANDS ALONE": source("s3-source", {"composable": False}),
    "V-30 crawler": source("webcrawler-source", {**SEED, "composable": "false"}),
    "V-30 azure": source("azure-blob-storage-source", {**AZURE, "sas-token": "x", "composable": False}),
    "V-30 timer": source("timer-source", {"composable": False}),
    "V-30 sink": sink("Solr", fields=FIELDS, composable=False),
    "V-30 pinecone sink": sink("Pinecone", **VECTOR, composable=False),
    "query composable": query(datasource="Cass", composable=False),
    "timer fields": source(
        "timer-source",
        {
            "period-seconds": "10",
            "fields": [
                {"name": "value.at", "expression": "fn:now()"},
                {"name": "properties.p", "expression": "'x'"},
                {"name": "messageKey", "expression": "fn:uuid()"},
            ],
        },
    ),
    "V-19": query(datasource="Cass"),
    "V-22": sink("Cass", **CQL, anything="else"),
    "astra": sink("Astra", keyspace="shop", table_name="items", mapping="id=value.id"),
    "prefixed options": sink(
        "Cass",
        **CQL,
        **{
            "topic.langstreaminputtopic.shop.items.ttl": 5,
            "datastax-java-driver.basic.request.timeout": "5 s",
            "ssl.provider": "JDK",
            "jmx": True,
            "queryExecutionTimeout": "30 seconds",
        },
    ),
    "V-24": sink("Pinecone", **VECTOR, **{"vector.metadata.genre": "value.genre", "vector.namespace": "value.n"}),
    "K-20 METADATA AS A MAP": sink("Pinecone", **VECTOR, **{"vector.metadata": {"genre": "value.genre"}}),
    "astra-vector-db ignores others": sink("AstraJson", collection_name="docs", fields=FIELDS, anything="else"),
    "jdbc": sink("Jdbc", table_name="docs", fields=KEYED),
    "one field is a list": sink("Jdbc", table_name="docs", fields=KEYED[0]),
    "milvus": sink("Milvus", collection_name="docs", database_name="d", fields=FIELDS),
    "opensearch": sink(
        "OpenSearch",
        fields=FIELDS,
        id="key.id",
        batch_size="50",
        flush_interval=-1,
        bulk_parameters={
            "refresh": True,
            "require_alias": "true",
            "wait_for_active_shards": 2,
            "timeout": "30s",
            "routing": "r",
            "pipeline": "p",
        },
    ),
    "solr": sink("Solr", fields=FIELDS, commit_within=0),
    "Q-24 CONSTANTS": query(datasource="Cass", fields=["42", "'x'"]),
    "one parameter is a list": query(datasource="Cass", fields="value.id"),
    "query on a datasource": processor("query", datasource="Jdbc", query="q", output_field="value.x"),
    "placeholders": sink("Jdbc", table_name="${globals.table}", fields=KEYED),
}

REFUSED: Final = {
    "V-1": (
        source("s3-source", {"a-field": "val"}),
        "Found error on agent configuration (agent: 's3-source', type: 's3-source'). Property 'a-field' is unknown",
    ),
    "V-4": (source("s3-source", {"bucketName": {"object": True}}), "'bucketName' has a wrong value: expected text"),
    "V-6": (source("s3-source", {"username": "x"}), "Property 'username' is unknown"),
    "bad number": (source("s3-source", {"idle-time": "soon"}), "Property 'idle-time' has a wrong value"),
    "V-7 SEEDS": (source("webcrawler-source", {}), "Property 'seed-urls' is required"),
    "V-7 DOMAINS": (source("webcrawler-source", {"seed-urls": ["http://h/"]}), "'allowed-domains' is required"),
    "V-8": (source("webcrawler-source", {**SEED, "state-storage": "ftp"}), "'state-storage' has a wrong value"),
    "FORBIDDEN SEED": (
        source("webcrawler-source", {**SEED, "forbidden-paths": ["/"]}),
        "The seed http://h/ may not be visited",
    ),
    "V-13": (source("azure-blob-storage-source", {}), "Property 'endpoint' is required"),
    "V-14 WHEN PLANNED": (source("azure-blob-storage-source", AZURE), CREDENTIAL),
    "V-15": (source("camel-source", {"component-uri": "timer:x"}), "'camel-source', which runs Java code"),
    "V-16": (source("timer-source", {"fields": [{"name": "value.x"}]}), "Property 'fields[0].expression' is required"),
    "timer syntax": (
        source("timer-source", {"fields": [{"name": "value.x", "expression": "fn:now("}]}),
        "not a valid expression",
    ),
    "timer place": (source("timer-source", {"fields": [{"name": "x.y", "expression": "1"}]}), "fields[0].name"),
    "timer period": (source("timer-source", {"period-seconds": 0}), "period-seconds"),
    "V-17": (
        query(datasource="Cass", unknown_field=1),
        "error on agent configuration (agent: 'db', type: 'query-vector-db'). Property 'unknown-field' is unknown",
    ),
    "V-18": (query(datasource="not exists"), "Resource 'not exists' not found"),
    "no datasource": (query(), "Property 'datasource' is required"),
    "no query": (query(datasource="Cass", query=None), "Property 'query' is required"),
    "no output": (query(datasource="Cass", output_field=None), "Property 'output-field' is required"),
    "wrong mode": (query(datasource="Cass", mode="EXECUTE"), "Property 'mode' has a wrong value"),
    "query on a vector database": (
        processor("query", datasource="Solr", query="q", output_field="value.x"),
        "of type 'vector-database', not",
    ),
    "V-20": (sink(None, unknown=1), "Property 'datasource' is required"),
    "V-21": (sink("not exists", unknown=1), "Resource 'not exists' not found"),
    "V-23": (sink("Cass", table="shop.items", mapping="id=value.id"), "Property 'table-name' is required"),
    "no mapping": (sink("Cass", table_name="shop.items"), "Property 'mapping' is required"),
    "deep mapping": (sink("Cass", table_name="a.b", mapping="id=value.a.b"), "expected column=source"),
    "K-17": (sink("Cass", **CQL, x=["y"]), "Only string values can be passed to the Cassandra sink, found"),
    "own CQL deletes": (sink("Cass", **CQL, query="UPDATE x"), "query needs deletesEnabled: false"),
    "V-25": (sink("Solr", fields=FIELDS, **{"collection-name": "x"}), "Property 'collection-name' is unknown"),
    "V-26": (sink("Jdbc", table_name="t", fields=KEYED, x=1), "Property 'x' is unknown"),
    "milvus unknown": (sink("Milvus", collection_name="c", fields=FIELDS, x=1), "Property 'x' is unknown"),
    "opensearch unknown": (sink("OpenSearch", fields=FIELDS, x=1), "Property 'x' is unknown"),
    "NO KEY (D-28)": (sink("Jdbc", table_name="t", fields=FIELDS), "needs primary-key: true"),
    "no fields": (sink("Solr"), "Property 'fields' is required"),
    "no expression": (sink("Solr", fields=[{"name": "a"}]), "Property 'fields[0].expression' is required"),
    "EMPTY EXPRESSION (D-24)": (sink("Solr", fields=[{"name": "a", "expression": ""}]), "the expression is empty"),
    "SYNTAX WHEN PLANNED": (sink("Solr", fields=[{"name": "a", "expression": "value.x >"}]), "not a valid expression"),
    "TWICE": (sink("Solr", fields=[*FIELDS, *FIELDS]), "id stands there more than once"),
    "a null item": (sink("Solr", fields=[None]), "Property 'fields[0]' has a wrong value: expected a mapping"),
    "a scalar item": (sink("Solr", fields=["id"]), "Property 'fields[0]' has a wrong value: expected a mapping"),
    "nested unknown": (sink("Solr", fields=[{**FIELDS[0], "type": "x"}]), "Property 'fields[0].type' is unknown"),
    "astra-vector-db collection": (sink("AstraJson", fields=FIELDS), "Property 'collection-name' is required"),
    "K-20 unknown": (sink("Pinecone", **VECTOR, x="value.x"), "x: unknown"),
    "refresh": (sink("OpenSearch", fields=FIELDS, bulk_parameters={"refresh": "maybe"}), "bulk-parameters.refresh"),
    "V-27": (sink("OpenAI"), "named by 'datasource' of agent 'db', is of type 'open-ai-configuration'"),
    "V-28 source": (source("source", {}), "'source', which runs Java code"),
    "V-28 sink": ({"type": "sink", "name": "s", "input": "in", "configuration": {}}, "'sink', which runs Java code"),
    "V-31": (query(datasource="Cass", when="value.x >"), "Property 'when': not a valid expression"),
    "loop syntax": (query(datasource="Cass", loop_over="value."), "Property 'loop-over': not a valid expression"),
    "fields syntax": (query(datasource="Cass", fields=["("]), "not a valid expression"),
}


@pytest.mark.parametrize("agent", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(agent: dict[str, Any]) -> None:
    assert refusal(agents=[agent]) == ""


@pytest.mark.parametrize(("agent", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(agent: dict[str, Any], words: str) -> None:
    assert words in refusal(agents=[agent])


@pytest.mark.parametrize("type", ["webcrawler-source", "s3-source", "azure-blob-storage-source"])
def test_sources_with_a_state_have_a_place_for_it(type: str) -> None:
    """V-9: the disk need not be asked for."""
    options: dict[str, dict[str, Any]] = {
        "webcrawler-source": SEED,
        "azure-blob-storage-source": {**AZURE, "sas-token": "x"},
    }
    (node,) = planned(agents=[source(type, options.get(type, {}))]).nodes
    assert node.disks == {node.agents[0].id}


@pytest.mark.parametrize(("written", "size"), [({}, 256 * 1024**2), ({"size": "1G"}, 1024**3), ({"size": "5 k"}, 5120)])
def test_disks_have_a_size(written: dict[str, str], size: int) -> None:
    """V-9, V-10."""
    agent = source("webcrawler-source", SEED, resources={"disk": {"enabled": True, **written}})
    (node,) = planned(agents=[agent]).nodes
    assert (node.resources.disk.type, node.resources.disk.size_bytes) == ("default", size)


@pytest.mark.parametrize("first", ["s3-source", "webcrawler-source", "timer-source"])
@pytest.mark.parametrize("alone", [False, True])
def test_sources_and_sinks_run_together_with_their_neighbours_unless_told_otherwise(first: str, alone: bool) -> None:
    apart = {"composable": False} if alone else {}
    agents = [
        {"type": first, "name": "a", "configuration": {**(SEED if first == "webcrawler-source" else {}), **apart}},
        {"type": "query-vector-db", "name": "b", "configuration": query(datasource="Jdbc")["configuration"]},
        {"type": "vector-db-sink", "name": "c", "configuration": {"datasource": "Solr", "fields": FIELDS, **apart}},
    ]
    assert [len(node.agents) for node in planned(agents=agents).nodes] == ([1, 1, 1] if alone else [3])


def test_every_problem_is_told_at_once() -> None:
    told = refusal(
        agents=[sink("Solr", x=1, y=2)], assets=[asset("jdbc-table", "nowhere")], resources=[resource("Solr")]
    )
    for words in ("'x' is unknown", "'y' is unknown", "'fields' is required", "'nowhere' not found", "'table-name'"):
        assert words in told


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({"table_name": "shop.items"}, ("shop", "items")),
        ({"table_name": "items", "keyspace": "shop"}, ("shop", "items")),
        ({"table_name": "ignored.one", "table": "shop.items"}, ("shop", "items")),
    ],
)
def test_the_table_of_a_cassandra_sink(options: dict[str, Any], target: tuple[str, str]) -> None:
    (node,) = planned(agents=[sink("Cass", mapping="id=key.id", **options)]).nodes
    assert node.agents[0].configuration.target() == target  # type: ignore[attr-defined]


OWN: Final = {"composable": "sometimes", "concurrency": {"reads": 3}, "anything": [1, None], "record-key": True}


@pytest.mark.parametrize("type", ["python-processor", "python-function"])
def test_the_options_of_a_custom_agent_are_its_own(type: str) -> None:
    """All that is written reaches the class; what the planner knows by a name it takes where it means something."""
    agents: list[dict[str, Any]] = [
        {"type": "identity", "input": "in"},
        {"type": type, "id": "own", "output": "out", "configuration": {"className": "own.Own", **OWN}},
    ]
    nodes = planned(agents=agents, code="class Own:\n    def process(self, record): ...\n").nodes
    assert [len(node.agents) for node in nodes] == [1, 1]
    configuration: Any = nodes[1].agents[0].configuration
    context = AgentContext("own", "app")
    assert {name: value for name, value in user_configuration(configuration, context).items() if name in OWN} == OWN

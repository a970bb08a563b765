"""Applications that write to a store and ask it, through the front door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.catalogue.conftest import Launch, Serve
from tests.apps.catalogue.thinking import KEY, OpenAI
from tests.apps.stores.answers import Answers
from tests.servers import cassandra, solr
from tests.servers.astra import Astra, astra
from tests.servers.opensearch import OpenSearch


@pytest.fixture
def model(serve: Serve) -> OpenAI:
    """Vectors of texts."""
    server = OpenAI(lambda _: "")
    serve(server)
    return server


def test_query_opensearch_finds_what_was_indexed_replaced_and_deleted(
    launch: Launch, model: OpenAI, opensearch_server: OpenSearch
) -> None:
    ai = {"url": f"{model.url}/v1", "access-key": KEY}
    app = launch(
        "query-opensearch", {"open-ai": ai, "opensearch": {"host": "127.0.0.1", "port": str(opensearch_server.port)}}
    )
    products = {"l'amp": ("Reading lamp with bright light", 30), "kettle": ("Kettle that boils water quickly", 50)}
    for sku, (description, price) in products.items():
        app.produce("products", {"description": description, "price": price}, key={"sku": sku})
    answers = Answers(app)
    lamp = {"question": "bright light for reading", "budget": 100}
    found = answers.until(lamp, lambda found: found.get("id") == "l'amp")
    assert found["document"] == {"description": "Reading lamp with bright light", "price": 30}
    assert found["index"] == "products"
    answers.until({**lamp, "budget": 10}, lambda found: found == {})
    app.produce("products", {"description": "Reading lamp with bright light", "price": 5}, key={"sku": "l'amp"})
    answers.until({**lamp, "budget": 10}, lambda found: found.get("document", {}).get("price") == 5)
    app.produce("products", None, key={"sku": "l'amp"})
    answers.until(lamp, lambda found: found.get("id") == "kettle")
    assert app.stop() == 0


def test_query_solr_finds_the_closest_notes(launch: Launch, model: OpenAI, solr_server: solr.Solr) -> None:
    ai = {"url": f"{model.url}/v1", "access-key": KEY}
    login = {"host": "127.0.0.1", "port": str(solr_server.port), "user": solr.USER, "password": solr.PASSWORD}
    app = launch("query-solr", {"open-ai": ai, "solr": login})
    texts = {
        "keeper": "The lighthouse keeper feeds parrots every morning.",
        "second": "A keeper of parrots visits the lighthouse.",
        "bread": "Bakers knead dough long before sunrise.",
    }
    for name, text in texts.items():
        app.produce("notes", text, headers={"name": name})
    answers = Answers(app)
    question = {"question": "Which keeper feeds parrots every morning?", "except": "nobody') OR *:*"}
    found = answers.until(question, lambda found: [row["name"] for row in found] == ["keeper", "second"])
    assert found[0] == {"name": "keeper", "text": texts["keeper"]}
    answers.until({**question, "except": "keeper"}, lambda found: found[0]["name"] == "second")
    assert solr.PASSWORD not in app.log.read_text()
    assert app.stop() == 0


@pytest.fixture
def front(cassandra_server: cassandra.Cassandra, tmp_path: Path) -> Iterator[Astra]:
    """A Cassandra behind what Astra puts in front of it, with the keyspace of the application."""
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import Cluster

    login = PlainTextAuthProvider(cassandra.USER, cassandra.PASSWORD)
    with Cluster(["127.0.0.1"], port=cassandra_server.port, auth_provider=login, protocol_version=5) as cluster:
        replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
        with cluster.connect() as session:
            session.execute(f"CREATE KEYSPACE IF NOT EXISTS vsearch WITH replication = {replication}")
            session.execute("DROP TABLE IF EXISTS vsearch.products")
    with astra(tmp_path, cassandra_server.port) as server:
        yield server


def test_astradb_sink_writes_through_the_secure_bundle(launch: Launch, front: Astra) -> None:
    login = {"clientId": cassandra.USER, "secret": cassandra.PASSWORD, "secureBundle": front.encoded_bundle()}
    app = launch("astradb-sink", {"astra": login})
    for id, (name, vector) in {"1": ("lamp", [1, 0, 0]), "2": ("kettle", [0, 1, 0])}.items():
        app.produce("products", {"name": name, "description": "it's", "vector": vector, "more": 1}, key={"id": id})
    answers = Answers(app)
    question = {"vector": [0.9, 0.1, 0.0]}
    found = answers.until(question, lambda found: found.get("name") == "lamp")
    assert found == {"id": 1, "name": "lamp", "item_vector": {"values": [1.0, 0.0, 0.0]}}
    app.produce("products", None, key={"id": "1"})
    answers.until(question, lambda found: found.get("name") == "kettle")
    assert front.encoded_bundle()[:50] not in app.log.read_text()
    assert app.stop() == 0

"""The example on the page of each store, run on the store: assets are made, what it writes is found by its query."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from langstream.cli import examples
from langstream.cli.examples import Example
from langstream.registry import STORES, Registry
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory import open_cluster
from tests.cli.example_runs import Running, planned
from tests.services.stores.bench import StoreBench

PLACES = ("index-name", "collection-name")
"""Options of the resource that say where in the store; the others, how to reach it, are those of the test's server."""


def vector(first: float) -> list[float]:
    """As long as the examples want it."""
    return [first, *([0.1] * 383)]


def example_on(bench: StoreBench) -> Example:
    """The example of a store, with the address of the test's server."""
    here = bench.configuration()
    example = examples.of_store(Registry(STORES).load(here["service"]))
    files = dict(example.files)
    document: Any = yaml.safe_load(files["configuration.yaml"])
    [resource] = document["configuration"]["resources"]
    kept = {name: text for name, text in resource["configuration"].items() if name in PLACES}
    resource["configuration"] = {**here, **kept}
    files["configuration.yaml"] = yaml.safe_dump(document)
    if "loadBalancing-localDc" in here:
        files["assets.yaml"] = files["assets.yaml"].replace("'datacenter1': 3", f"'{here['loadBalancing-localDc']}': 1")
    return Example(files)


@pytest.fixture
async def cluster() -> AsyncIterator[LocalCluster]:
    cluster = open_cluster({}, None)
    await cluster.start()
    yield cluster
    await cluster.close()


@pytest.mark.parametrize(
    "bench",
    ["chroma", "qdrant", "pinecone", "milvus", "redis", "cassandra", "opensearch", "solr", "astra_vector_db"],
    indirect=True,
)
async def test_what_the_example_of_a_store_writes_is_found_by_its_query(
    bench: StoreBench, tmp_path: Path, cluster: LocalCluster
) -> None:
    example = example_on(bench)
    running = Running(example, planned(example, tmp_path), cluster, tmp_path)
    chunks = [
        {"filename": "a.txt", "chunk_id": number, "text": text, "embeddings": vector(first)}
        for number, (text, first) in enumerate((("far", -50.0), ("near", 50.0)))
    ]
    await running.deployment.setup()
    await running.deployment.start()
    try:
        await running.send("chunks", [{"value": chunk, "key": None, "headers": {}} for chunk in chunks])
        question = {"question_embeddings": vector(40.0), "filename": "a.txt"}
        found = await running.ask(question, lambda rows: len(rows) >= len(chunks))
    finally:
        await running.deployment.stop(5.0)
    text = json.dumps(found)
    assert 0 <= text.index("near") < text.index("far")

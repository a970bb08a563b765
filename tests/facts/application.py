"""Planning a small application for the tests of facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from langstream.errors import ApplicationRefused
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan

CASSANDRA = {"service": "cassandra", "contact-points": "c1,c2", "loadBalancing-localDc": "dc"}
ASTRA = {"service": "astra", "clientId": "i", "secret": "s", "token": "t", "database": "d"}
JDBC = {"service": "jdbc", "driverClass": "org.postgresql.Driver", "url": "jdbc:postgresql://db/shop"}
MILVUS = {"service": "milvus", "host": "h"}
OPENSEARCH = {"service": "opensearch", "host": "h", "index-name": "docs", "username": "u", "password": "p"}
PINECONE = {"service": "pinecone", "api-key": "k", "environment": "e", "project-name": "p", "index-name": "docs"}
SOLR = {"service": "solr"}
DATA_API = {"service": "astra-vector-db", "endpoint": "https://astra", "token": "t"}
OPEN_AI = {"access-key": "k"}

RESOURCES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Cass": ("datasource", CASSANDRA),
    "Astra": ("datasource", ASTRA),
    "Jdbc": ("datasource", JDBC),
    "Milvus": ("vector-database", MILVUS),
    "OpenSearch": ("vector-database", OPENSEARCH),
    "Pinecone": ("vector-database", PINECONE),
    "Solr": ("vector-database", SOLR),
    "AstraJson": ("vector-database", DATA_API),
    "OpenAI": ("open-ai-configuration", OPEN_AI),
}
"""One of each, valid."""

INSTANCE = {"instance": {"globals": {"urls": ["http://h/a", "http://h/b"], "table": "docs"}}}


def resource(name: str) -> dict[str, Any]:
    """The entry of a resource."""
    type, configuration = RESOURCES[name]
    return {"type": type, "name": name, "configuration": configuration}


def planned(
    *,
    agents: Sequence[Mapping[str, Any]] = (),
    assets: Sequence[Mapping[str, Any]] = (),
    resources: Sequence[Mapping[str, Any]] | None = None,
    configuration: Mapping[str, Any] | None = None,
    code: str | None = None,
) -> ExecutionPlan:
    """The plan of an application of these parts, with the topics `in` and `out`, and `code` as `python/own.py`.

    Raises ApplicationRefused.
    """
    entries = [resource(name) for name in RESOURCES] if resources is None else list(resources)
    topics = [{"name": name, "creation-mode": "create-if-not-exists"} for name in ("in", "out")]
    files = {
        "configuration.yaml": {"configuration": {"resources": entries}} if configuration is None else configuration,
        "pipeline.yaml": {"topics": topics, "pipeline": list(agents), "assets": list(assets)},
    }
    with TemporaryDirectory() as directory:
        for name, content in files.items():
            Path(directory, name).write_text(json.dumps(content))
        if code is not None:
            Path(directory, "python").mkdir()
            Path(directory, "python", "own.py").write_text(code)
        instance = Path(directory, "instance")
        instance.mkdir()
        (instance / "instance.yaml").write_text(json.dumps(INSTANCE))
        return load_and_plan(Path(directory), "app", instance=instance / "instance.yaml")


def refusal(**parts: Any) -> str:
    """Why such an application is refused; empty where it is not."""
    try:
        planned(**parts)
    except ApplicationRefused as error:
        return str(error)
    return ""


def source(type: str, configuration: Mapping[str, Any], **agent: Any) -> dict[str, Any]:
    """The entry of a source."""
    return {"type": type, "name": type, "output": "out", "configuration": configuration, **agent}


def query(**configuration: Any) -> dict[str, Any]:
    """The entry of a `query-vector-db` of the name `db`. Members: `output_field` for `output-field`."""
    return processor("query-vector-db", **{"query": "q", "output_field": "value.x", **configuration})


def processor(type: str, **configuration: Any) -> dict[str, Any]:
    """The entry of a processor of the name `db`."""
    return {"type": type, "name": "db", "input": "in", "output": "out", "configuration": kebab(configuration)}


def sink(datasource: str | None, **configuration: Any) -> dict[str, Any]:
    """The entry of a `vector-db-sink` of the name `db`."""
    named = {} if datasource is None else {"datasource": datasource}
    return {"type": "vector-db-sink", "name": "db", "input": "in", "configuration": {**named, **kebab(configuration)}}


def asset(type: str, datasource: str, **config: Any) -> dict[str, Any]:
    """The entry of an asset of the name `made`."""
    return {"name": "made", "asset-type": type, "config": {"datasource": datasource, **kebab(config)}}


def kebab(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are written."""
    return {name.replace("_", "-"): value for name, value in options.items()}

"""What the planner says to resources and to `configuration.yaml`; ids are those of facts about the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.facts.application import (
    ASTRA,
    CASSANDRA,
    DATA_API,
    JDBC,
    MILVUS,
    OPENSEARCH,
    PINECONE,
    SOLR,
    planned,
    query,
    source,
)
from tests.facts.application import refusal as refused

BUNDLE: Final = {"clientId": "i", "secret": "s", "secureBundle": "UEsFBg=="}
LOGIN: Final = {"username": "u", "password": "p"}
VERTEX: Final = {"url": "https://v", "region": "r", "project": "p"}
ACCOUNT: Final = '{"type": "service_account", "client_email": "a@b", "private_key": "k", "token_uri": "https://t"}'
BEDROCK: Final = {"access-key": "a", "secret-key": "s"}
SERVICE: Final = "Property 'service' must be one of"

Options = Mapping[str, Any]


def without(options: Options, *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


ACCEPTED: Final[Mapping[str, tuple[str, Options]]] = {
    "R-2": ("open-ai-configuration", {"access-key": "k"}),
    "R-3": ("open-ai-configuration", {"provider": "azure", "access-key": "k", "url": "https://a"}),
    "R-4": ("hugging-face-configuration", {}),
    "R-4 api": ("hugging-face-configuration", {"provider": "api"}),
    "R-4 local": ("hugging-face-configuration", {"provider": "local"}),
    "hugging face": (
        "hugging-face-configuration",
        {"provider": "api", "api-url": "https://a", "model-check-url": "https://m", "access-key": "k"},
    ),
    "R-7": ("vertex-configuration", {**VERTEX, "token": "t"}),
    "R-12": ("bedrock-configuration", {**BEDROCK, "region": "us-west-2"}),
    "bedrock endpoint": ("bedrock-configuration", {**BEDROCK, "endpoint-override": "http://b"}),
    "ollama": ("ollama-configuration", {"url": "http://o:11434"}),
    "R-13": ("datasource", {**CASSANDRA, **LOGIN, "port": "9043"}),
    "cassandra as a vector database": ("vector-database", CASSANDRA),
    "CONTACT POINTS AS A LIST": ("datasource", {**CASSANDRA, "contact-points": ["c1", "c2"]}),
    "R-17": ("datasource", {"service": "astra", **BUNDLE, "secureBundle": f"base64:{BUNDLE['secureBundle']}"}),
    "R-17 without a prefix": ("datasource", {"service": "astra", **BUNDLE}),
    "R-19": ("vector-database", ASTRA),
    "R-19 by id": ("datasource", {**without(ASTRA, "database"), "database-id": "1"}),
    "deprecated login": ("datasource", {**ASTRA, **LOGIN}),
    "test environment": ("datasource", {**ASTRA, "environment": "TEST"}),
    "astra-vector-db": ("vector-database", DATA_API),
    "astra-vector-db as a datasource": ("datasource", DATA_API),
    "jdbc": ("datasource", {**JDBC, "user": "u", "password": "p", "anything": 1, "empty": None}),
    "JDBC WITHOUT A DRIVER": ("datasource", without(JDBC, "driverClass")),
    "milvus": ("vector-database", {**MILVUS, "port": 19531, "user": "u", "password": "p"}),
    "milvus hosted": ("vector-database", {"service": "milvus", "url": "https://z", "token": "t"}),
    "MILVUS WRITE MODE (D-27)": ("vector-database", {**MILVUS, "write-mode": "delete-insert", "username": "u"}),
    "opensearch": ("datasource", OPENSEARCH),
    "opensearch without a login": ("vector-database", without(OPENSEARCH, "username", "password")),
    "opensearch at AWS": ("vector-database", {**OPENSEARCH, "host": "x.amazonaws.com", "region": "r"}),
    "R-24": ("vector-database", PINECONE),
    "R-24 number": ("vector-database", {**PINECONE, "server-side-timeout-sec": 10000}),
    "R-24 text": ("vector-database", {**PINECONE, "server-side-timeout-sec": "10000", "endpoint": "http://here"}),
    "R-26 INDEXES OF TODAY": ("vector-database", without(PINECONE, "environment", "project-name")),
    "solr": (
        "vector-database",
        {**SOLR, "host": "h", "port": 80, "collection-name": "c", "user": "u", "password": "p"},
    ),
    "SOLR WITH TLS (D-6)": ("vector-database", {**SOLR, "protocol": "https"}),
}

REFUSED: Final[Mapping[str, tuple[str, Options, str]]] = {
    "R-1": ("open-ai-configuration", {}, "Property 'access-key' is required"),
    "R-3": (
        "open-ai-configuration",
        {"provider": "azure", "access-key": "k"},
        "'url' is required for provider 'azure'",
    ),
    "R-5": ("hugging-face-configuration", {"provider": "bad-provider"}, "'provider' has a wrong value"),
    "R-6": ("vertex-configuration", {}, "is required"),
    "R-9": (
        "vertex-configuration",
        {**VERTEX, "serviceAccountJson": "not-a-valid-json"},
        "'serviceAccountJson' must be",
    ),
    "R-10 both": ("vertex-configuration", {**VERTEX, "token": "t", "serviceAccountJson": ACCOUNT}, "exactly one of"),
    "R-10 neither": ("vertex-configuration", VERTEX, "exactly one of"),
    "R-11 project": ("vertex-configuration", {**without(VERTEX, "project"), "token": "t"}, "'project' is required"),
    "R-11 region": ("vertex-configuration", {**without(VERTEX, "region"), "token": "t"}, "'region' is required"),
    "R-12": ("bedrock-configuration", {}, "Property 'access-key' is required"),
    "ollama": ("ollama-configuration", {}, "Property 'url' is required"),
    "unknown keys": ("open-ai-configuration", {"access-key": "k", "acces": 1}, "Property 'acces' is unknown"),
    "R-14 dc": ("datasource", without(CASSANDRA, "loadBalancing-localDc"), "'loadBalancing-localDc' is required"),
    "R-14 points": ("datasource", without(CASSANDRA, "contact-points"), "'contact-points' is required"),
    "R-15": ("datasource", {**CASSANDRA, "secureBundle": "UEsFBg=="}, "'secureBundle' is unknown"),
    "R-16": ("datasource", {**CASSANDRA, "port": 70000}, "Property 'port' has a wrong value"),
    "R-18": (
        "datasource",
        {"service": "astra", **LOGIN, "secureBundle": "UEsFBg=="},
        "Property 'clientId' is required",
    ),
    "bad bundle": (
        "datasource",
        {"service": "astra", **BUNDLE, "secureBundle": "?"},
        "secureBundle must be a valid base64",
    ),
    "R-20 token": ("datasource", without(ASTRA, "database"), "token and database are required for Astra service"),
    "R-20 database": ("datasource", without(ASTRA, "token"), "token and database are required for Astra service"),
    "R-20 neither": ("datasource", without(ASTRA, "token", "database"), "if secureBundle is not configured."),
    "R-21": ("datasource", {**ASTRA, "environment": "STAGING"}, "Property 'environment' has a wrong value"),
    "ASTRA ENDPOINT (D-23)": ("vector-database", without(DATA_API, "endpoint"), "Property 'endpoint' is required"),
    "ASTRA TOKEN (D-23)": ("vector-database", without(DATA_API, "token"), "Property 'token' is required"),
    "R-22": ("datasource", {**without(JDBC, "url"), "more": "x"}, "Property 'url' is required"),
    "R-23": ("vector-database", JDBC, "service 'jdbc' is declared with type: datasource"),
    "R-25": ("vector-database", {**PINECONE, "server-side-timeout-sec": -12}, "server-side-timeout-sec"),
    "R-26 key": ("vector-database", without(PINECONE, "api-key"), "Property 'api-key' is required"),
    "R-26 index": ("vector-database", without(PINECONE, "index-name"), "Property 'index-name' is required"),
    "pinecone without a service": ("vector-database", without(PINECONE, "service"), "it is missing"),
    "R-27 none": ("datasource", {}, SERVICE),
    "R-27 unknown": ("vector-database", {"service": "mivus"}, "Did you mean 'milvus'?"),
    "R-28 milvus": ("datasource", MILVUS, "service 'milvus' is declared with type: vector-database"),
    "R-28 solr": ("datasource", SOLR, "service 'solr' is declared with type: vector-database"),
    "R-28 pinecone": ("datasource", PINECONE, "service 'pinecone' is declared with type: vector-database"),
    "MILVUS PLACE (D-23)": ("vector-database", {"service": "milvus"}, "one of host, url and uri is required"),
    "milvus port": ("vector-database", {**MILVUS, "port": 0}, "port"),
    "opensearch host": ("datasource", without(OPENSEARCH, "host"), "Property 'host' is required"),
    "opensearch index": ("datasource", without(OPENSEARCH, "index-name"), "Property 'index-name' is required"),
    "AWS LOGIN": (
        "datasource",
        {**without(OPENSEARCH, *LOGIN), "host": "x.eu-west-1.es.amazonaws.com"},
        "required with AWS",
    ),
    "solr username": ("vector-database", {**SOLR, "username": "u"}, "Property 'username' is unknown"),
    "solr unknown": ("vector-database", {**SOLR, "type": "x"}, "Property 'type' is unknown"),
}


def used(type: str, options: Options) -> dict[str, Any]:
    """An application that refers to such a resource."""
    agent = query(datasource="R")
    if type not in ("datasource", "vector-database"):
        chat = {"ai-service": "R", "model": "m", "completion-field": "value.x", "messages": [{"content": "x"}]}
        agent = {**agent, "type": "ai-chat-completions", "configuration": chat}
    return {"agents": [agent], "resources": [{"type": type, "name": "R", "configuration": options}]}


@pytest.mark.parametrize(("type", "options"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(type: str, options: Options) -> None:
    assert refused(**used(type, options)) == ""


@pytest.mark.parametrize(("type", "options", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(type: str, options: Options, words: str) -> None:
    told = refused(**used(type, options))
    assert f"Found error on resource configuration (resource: 'R', type: '{type}')" in told
    assert words in told


# --- the file -------------------------------------------------------------------------------------------------------

TICKS: Final = source("timer-source", {})
CASS: Final = {"type": "datasource", "name": "R", "configuration": CASSANDRA}
JAR: Final = {"name": "d", "type": "java-library", "url": "https://x/y.jar", "sha512sum": "00"}


@pytest.mark.parametrize(
    "broken", [{"type": "bogus"}, {"type": "datasource"}, {"type": "datasource", "configuration": JDBC | {"url": 1}}]
)
def test_a_broken_resource_that_nothing_refers_to_is_a_warning(broken: Options) -> None:
    """R-29, D-20."""
    plan = planned(agents=[TICKS], resources=[{"name": "unused", **broken}])
    assert "resource: 'unused'" in str(plan.warnings[0])


def test_a_resource_is_referred_to_by_its_id() -> None:
    """R-30."""
    named = {**CASS, "id": "a", "name": "b"}
    assert "Resource 'b' not found" in refused(agents=[query(datasource="b")], resources=[named])
    assert refused(agents=[query(datasource="a")], resources=[named]) == ""
    assert refused(agents=[query(datasource="R")], resources=[CASS]) == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "configuration.yaml must have the top-level key 'configuration'"),
        ({"configuration": {"resource": []}}, "unknown key 'resource'"),
        (
            {"configuration": {"resources": [{"type": "datasource", "configuration": CASSANDRA}]}},
            "needs an 'id' or a 'name'",
        ),
        ({"configuration": {"resources": [CASS, CASS]}}, "Resource 'R' is declared twice"),
        ({"configuration": {"resources": [{**CASS, "config": {}}]}}, "unknown key 'config'"),
        ({"configuration": {"defaults": {"global": {}}}}, "unknown key 'global'"),
        *(({"configuration": {"dependencies": [without(JAR, name)]}}, f"'{name}' of dependency") for name in JAR),
        (
            {"configuration": {"dependencies": [{**JAR, "type": "zip"}]}},
            "unsupported type 'zip'. Supported: java-library",
        ),
        ({"configuration": {"dependencies": [{**JAR, "version": 1}]}}, "unknown key 'version'"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(content: Options, words: str) -> None:
    """R-31, R-32, A-4, and the keys of each level."""
    assert words in refused(agents=[TICKS], configuration=content)


def test_dependencies_are_read() -> None:
    """Section 6: nothing is fetched, and no credential goes anywhere (A-5)."""
    content = {"configuration": {"dependencies": [JAR, {**JAR, "name": "e"}]}}
    (first, second) = planned(agents=[TICKS], configuration=content).application.dependencies
    assert (first.name, first.type, first.url, first.sha512sum, second.name) == (*JAR.values(), "e")


def test_default_globals_are_those_of_the_application_where_the_instance_has_none() -> None:
    """R-33."""
    content = {"configuration": {"defaults": {"globals": {"table": "default", "other": "x"}}, "resources": [CASS]}}
    plan = planned(agents=[query(datasource="R", query="${globals.table} ${globals.other}")], configuration=content)
    assert plan.nodes[0].agents[0].configuration.query == "docs x"  # type: ignore[attr-defined]


def test_placeholders_are_resolved_before_resources_are_checked() -> None:
    options = {**CASSANDRA, "contact-points": "${globals.urls}", "username": "${globals.missing}"}
    entry = {"type": "datasource", "name": "R", "configuration": options}
    plan = planned(agents=[query(datasource="R")], resources=[entry])
    assert plan.application.resources["R"].configuration["contact-points"] == ["http://h/a", "http://h/b"]
    assert "username and password go together" in refused(
        agents=[query(datasource="R")], resources=[{**entry, "configuration": {**options, "password": "p"}}]
    )

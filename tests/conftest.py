"""Servers that tests of several rooms use. Each is started at most once in a test process, when first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import stores
from tests.servers.kafka import Kafka, kafka, missing
from tests.servers.pulsar import Pulsar, pulsar, running
from tests.servers.pulsar import missing as pulsar_missing
from tests.servers.stores import cassandra_server, opensearch_server, solr_server

__all__ = ["cassandra_server", "opensearch_server", "solr_server"]

settings.register_profile("any machine", deadline=None)  # a slow machine has not found a counterexample
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Tests with a Kafka, or a Pulsar, stay on one worker (`--dist loadgroup`), so that each is started once; whole
    applications on Kafka are a group of their own, on the same worker or another, which then starts a Kafka too."""
    _mark(items)
    yield
    if config.getoption("loadgroup", False):
        _tell_groups(items)


def _tell_groups(items: list[pytest.Item]) -> None:
    """Put the group behind the name, where xdist looks for it: xdist 3.8 does not reach names of pytest 9.2."""
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        name = f"{item.nodeid}@{'_'.join(groups)}"
        if groups and "@" not in item.nodeid.rpartition("]")[2] and hasattr(item, "_id"):
            item._id = type(item._id).parse(name)


def _mark(items: list[pytest.Item]) -> None:
    for item in items:
        if "kafka_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))
        if "pulsar_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("pulsar"))
            item.add_marker(pytest.mark.timeout(300))  # the first of them waits for it to start
        store = stores.group(item)
        if store is not None:
            item.add_marker(pytest.mark.xdist_group(store))
        elif _place(item) == "kafka":
            item.add_marker(pytest.mark.xdist_group("kafka-applications"))


def _place(item: pytest.Item) -> object:
    """The broker that the test's application runs on."""
    parameters = getattr(item, "callspec", None)
    return None if parameters is None else parameters.params.get("place")


@pytest.fixture(scope="session")
def kafka_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of the Kafka, which its clients take for their own too: one PEM file, as Java has it."""
    from tests.servers.certificates import loopback_certificate

    directory = tmp_path_factory.mktemp("kafka-certificate")
    certificate, key = loopback_certificate(directory)
    both = directory / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory, kafka_certificate: Path) -> Iterator[Kafka]:
    """A real Kafka of one broker. Skips by name where it cannot be had, or fails where every service is required."""
    reason = missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no Kafka: {reason}")
        pytest.skip(f"no Kafka: {reason}")
    patient = {"broker.session.timeout.ms": "60000"}  # a slow machine is not a dead broker
    tls = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(kafka_certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(kafka_certificate.with_name("certificate.pem")),
        "listener.name.login.ssl.client.auth": "required",
    }
    with kafka(tmp_path_factory.mktemp("kafka"), properties=patient, tls=tls) as server:
        yield server


@pytest.fixture(scope="session")
def pulsar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulsar]:
    """A real Pulsar, under the same conditions. `LANGSTREAM_TEST_PULSAR` takes one that runs already."""
    there = running(os.environ.get("LANGSTREAM_TEST_PULSAR"))
    if there is not None:
        yield there
        return
    reason = pulsar_missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no Pulsar: {reason}")
        pytest.skip(f"no Pulsar: {reason}")
    with pulsar(tmp_path_factory.mktemp("pulsar"), secured=True) as server:
        yield server

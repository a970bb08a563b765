"""Servers that tests of several rooms use. Each is started at most once in a test process, when first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import Kafka, kafka, missing


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A real Kafka of one broker, where it is asked for: the Kafka cluster is unfinished, and so are its tests."""
    if not os.environ.get("LANGSTREAM_TEST_KAFKA"):
        pytest.skip("Kafka is unfinished: its tests run with LANGSTREAM_TEST_KAFKA=1")
    reason = missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no Kafka: {reason}")
        pytest.skip(f"no Kafka: {reason}")
    with kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server

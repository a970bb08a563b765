"""Servers that tests of several rooms use. Each is started at most once in a test process, when first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import Kafka, kafka, missing


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A real Kafka of one broker."""
    reason = missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no Kafka: {reason}")
        pytest.skip(f"no Kafka: {reason}")
    with kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server

"""What the client reports, told to people."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from langstream.topics.kafka.failures import no_news


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (KafkaError._ALL_BROKERS_DOWN, "0/2 brokers are down", True),
        (KafkaError._ALL_BROKERS_DOWN, "2/2 brokers are down", False),
        (KafkaError._ALL_BROKERS_DOWN, "10/10 brokers are down", False),
        (KafkaError._TRANSPORT, "0/2 connections", False),
    ],
)
def test_that_no_broker_is_down_is_no_news(code: int, text: str, expected: bool) -> None:
    assert no_news(KafkaError(code, text)) is expected

"""LangStream: event-driven generative-AI applications.

The names below are all that the author of a custom agent needs.
"""

from __future__ import annotations

from langstream.records import AvroValue, Record, SimpleRecord
from langstream.sdk.agents import (
    Agent,
    AgentContext,
    Processor,
    RecordType,
    Service,
    Sink,
    Source,
    TopicProducer,
)

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentContext",
    "AvroValue",
    "Processor",
    "Record",
    "RecordType",
    "Service",
    "SimpleRecord",
    "Sink",
    "Source",
    "TopicProducer",
]

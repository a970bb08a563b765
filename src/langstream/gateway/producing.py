"""Writing a client's messages to a topic: the gateway's headers added, the topic's schema applied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langstream.errors import GatewayError, LangStreamError
from langstream.gateway.directory import Target
from langstream.gateway.headers import Resolved
from langstream.gateway.message import BadMessage, Message
from langstream.records import AvroValue, SimpleRecord
from langstream.topics.contract import TopicProducer


class Writer:
    """Writes the messages of one client. `headers` are the gateway's own, which a message may not set."""

    def __init__(self, target: Target, topic: str, producer: TopicProducer, headers: Resolved) -> None:
        self._topic = topic
        self._producer = producer
        self._headers = headers
        self._names = frozenset(name for name, _ in headers)
        declared = target.declaration(topic)
        self._key_schema = _avro_schema(declared.key_schema if declared else None)
        self._value_schema = _avro_schema(declared.value_schema if declared else None)

    def record(self, message: Message, extra: Resolved = ()) -> SimpleRecord:
        """The message as a record. Raises BadMessage."""
        for name in message.headers:
            if name in self._names or any(name == own for own, _ in extra):
                raise BadMessage(f"Header {name} is configured as parameter-level header.")
        return SimpleRecord(
            _with_schema("value", message.value, self._value_schema),
            _with_schema("key", message.key, self._key_schema),
            (*self._headers, *extra, *message.headers.items()),
        )

    async def write(self, records: Sequence[SimpleRecord]) -> None:
        """Returns when the broker has them. Raises what the broker raises."""
        await self._producer.send(self._topic, records)


def outcome(error: Exception | None) -> dict[str, str | None]:
    """The reply to a message: `{"status", "reason"}`."""
    if error is None:
        return {"status": "OK", "reason": None}
    if isinstance(error, GatewayError):
        return {"status": "BAD_REQUEST", "reason": error.reason}
    reason = str(error) if isinstance(error, LangStreamError) else "the message could not be written"
    return {"status": "PRODUCER_ERROR", "reason": reason or type(error).__name__}


def _avro_schema(declared: Any) -> Any:
    if declared is None or declared.type.lower() != "avro" or not declared.schema:
        return None
    from fastavro.schema import parse_schema

    return parse_schema(json.loads(declared.schema))


def _with_schema(member: str, value: Any, schema: Any) -> Any:
    if schema is None or value is None:
        return value
    from fastavro.validation import validate

    if not validate(value, schema, raise_errors=False):
        raise BadMessage(f"the {member} does not fit the Avro schema of the topic")
    return AvroValue(schema, value)

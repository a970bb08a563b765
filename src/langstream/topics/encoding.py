"""How values travel: text, bytes and None as they are, Avro with its schema, everything else as JSON text.

A `Row` is a record reduced to what every broker can keep. `plain` is the law of the streaming contract; brokers turn
rows into their own bytes, and `records_of` turns rows that were read back into records.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from langstream.errors import RecordError
from langstream.records import AvroValue, Document, Record, SimpleRecord, dump_json, header_text, key_bytes

Row: TypeAlias = "tuple[int, Any, Any, Sequence[Any] | None] | list[Any]"
"""Timestamp, key, value, headers (None when there are none). Lists come from JSON."""


class EncodedAvro(NamedTuple):
    """An Avro datum at rest: its schema as JSON text and its binary form."""

    schema: str
    binary: bytes


MAX_TIMESTAMP: Final = 2**63 - 1

_new: Any = object.__new__


def plain(value: Any) -> Any:
    """The value as text, bytes, None or EncodedAvro. Raises RecordError for what cannot travel."""
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, AvroValue):
        return encode_avro(value)
    try:
        return value.text() if isinstance(value, Document) else dump_json(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(
            f"a value of type {type(value).__name__} cannot be written to a topic: {error}; "
            "use text, bytes, numbers, booleans, None, dicts, lists or AvroValue"
        ) from None


def plain_headers(headers: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...] | None:
    """Header values as text, bytes or None; None instead of no headers at all."""
    kept = tuple(
        (str(name), value if value is None or isinstance(value, bytes) else header_text(value))
        for name, value in headers
    )
    return kept or None


def rows_of(records: Sequence[Record]) -> list[Row]:
    """The records as rows; those without a timestamp get the present time."""
    now = time.time_ns() // 1_000_000
    rows: list[Row] = []
    for record in records:
        if type(record) is SimpleRecord:  # the usual case, without a call per part
            key, value, timestamp, headers = record._key, record._value, record._timestamp, record._headers
        else:
            key, value, timestamp, headers = record.key(), record.value(), record.timestamp(), tuple(record.headers())
        if value is not None and type(value) is not str and type(value) is not bytes:
            value = plain(value)
        if key is not None and type(key) is not str and type(key) is not bytes:
            key = plain(key)
        if timestamp is None:
            timestamp = now
        elif type(timestamp) is not int or not 0 <= timestamp <= MAX_TIMESTAMP:
            timestamp = _milliseconds(timestamp)
        rows.append((timestamp, key, value, plain_headers(headers) if headers else None))
    return rows


def records_of(rows: Iterable[Row], topic: str) -> list[SimpleRecord]:
    """Rows as records that come from the topic."""
    records = []
    for timestamp, key, value, headers in rows:
        record = _new(SimpleRecord)  # not by its constructor, which would take twice the time
        record._value = decode_avro(value) if type(value) is EncodedAvro else value
        record._key = decode_avro(key) if type(key) is EncodedAvro else key
        record._headers = tuple(map(tuple, headers)) if headers else ()
        record._origin = topic
        record._timestamp = timestamp
        record.destination = None
        records.append(record)
    return records


def identity(key: Any) -> bytes:
    """What makes two keys of rows the same, for partitions and compaction."""
    return key.binary if type(key) is EncodedAvro else key_bytes(key)


def _milliseconds(timestamp: Any) -> int:
    if isinstance(timestamp, int | float) and 0 <= timestamp <= MAX_TIMESTAMP:
        return int(timestamp)
    raise RecordError(f"the timestamp {timestamp!r} is not a number of milliseconds since 1970")


# --- Avro -----------------------------------------------------------------------------------------------------------


def encode_avro(datum: AvroValue) -> EncodedAvro:
    """The datum at rest. Raises RecordError when the value does not fit its schema."""
    import fastavro

    written = io.BytesIO()
    try:
        fastavro.schemaless_writer(written, _parsed(datum.schema), datum.value)
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(f"the value does not fit its Avro schema: {error}") from error
    return EncodedAvro(json.dumps(datum.schema, separators=(",", ":"), ensure_ascii=False), written.getvalue())


def decode_avro(encoded: EncodedAvro) -> AvroValue:
    """The datum that was encoded."""
    import fastavro

    schema = json.loads(encoded.schema)
    return AvroValue(schema, fastavro.schemaless_reader(io.BytesIO(encoded.binary), _parsed(schema), None))


def _parsed(schema: Any) -> Any:
    import fastavro

    try:
        return fastavro.parse_schema(schema)
    except Exception as error:
        raise RecordError(f"this is not an Avro schema: {error}") from error

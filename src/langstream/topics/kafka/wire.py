"""How records look in Kafka: text as UTF-8, bytes as they are, nothing as null. Other clients read and write the same.

Kafka keeps bytes only, so text is what decodes as UTF-8, and bytes what does not. Where that rule would give back
something else (bytes that happen to be UTF-8, lone surrogates, Avro without a registry, times that the broker would
refuse or replace, header names it cannot keep), one more header, `langstream.types`, has what is missing as JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from langstream.records import Record, SimpleRecord
from langstream.topics.encoding import EncodedAvro, Row, decode_avro, rows_of

TYPES: Final = "langstream.types"
FUTURE_MS: Final = 50 * 60 * 1000
"""Brokers refuse records from more than an hour ahead; their time is kept in the header instead."""

Headers: TypeAlias = list[tuple[str, bytes | None]]


class Framed(bytes):
    """Bytes that their readers explain by the topic's schema, so nothing else has to be kept about them."""


Payload: TypeAlias = tuple[bytes | None, bytes | None, Headers | None, int]
"""Key, value, headers and timestamp of a record as the client takes it; the timestamp 0 is the present."""

_new: Any = object.__new__


def payloads_of(records: Sequence[Record]) -> list[Payload]:
    """The records for the producer: `payloads` of `rows_of` them, and in one go as long as they are the usual ones."""
    limit = time.time_ns() // 1_000_000 + FUTURE_MS
    made: list[Payload] = []
    for record in records:
        if type(record) is not SimpleRecord or record._headers:
            break
        key, value, timestamp = record._key, record._value, record._timestamp
        if type(value) is not str or (key is not None and type(key) is not str):
            break
        if type(timestamp) is not int or not 0 < timestamp < limit:
            break
        try:
            made.append((None if key is None else key.encode(), value.encode(), None, timestamp))
        except UnicodeEncodeError:
            break
    return made + payloads(rows_of(records[len(made) :])) if len(made) < len(records) else made


def payloads(rows: Iterable[Row]) -> list[Payload]:
    """The rows for the producer."""
    limit = time.time_ns() // 1_000_000 + FUTURE_MS
    made: list[Payload] = []
    for timestamp, key, value, headers in rows:
        if headers is None and 0 < timestamp < limit and type(value) is str and (key is None or type(key) is str):
            try:  # the usual case
                made.append((None if key is None else key.encode(), value.encode(), None, timestamp))
                continue
            except UnicodeEncodeError:
                pass
        types: dict[str, Any] = {}
        if key is not None:
            key = _written(key, types, "k")
        if value is not None:
            value = _written(value, types, "v")
        if not 0 < timestamp < limit:
            types["t"] = timestamp
            timestamp = 0
        wire = _headers(headers, types) if headers else None
        if types or (headers and headers[-1][0] == TYPES):
            wire = [*(wire or ()), (TYPES, json.dumps(types, separators=(",", ":")).encode())]
        made.append((key, value, wire, timestamp))
    return made


def records(messages: Sequence[Any], topic: str) -> tuple[list[int], list[SimpleRecord]]:
    """Offsets and records of the client's messages."""
    offsets: list[int] = []
    found: list[SimpleRecord] = []
    for message in messages:
        offsets.append(message.offset())
        key, value, headers = message.key(), message.value(), message.headers()
        timestamp = message.timestamp()[1]
        if headers:
            if headers[-1][0] == TYPES and (typed := _typed(key, value, headers, timestamp, topic)):
                found.append(typed)
                continue
            headers = tuple([(name, _read(content)) for name, content in headers])
        if value is not None:
            try:  # noqa: SIM105 - once per record
                value = value.decode()
            except UnicodeDecodeError:  # bytes
                pass
        if key is not None:
            try:  # noqa: SIM105 - once per record
                key = key.decode()
            except UnicodeDecodeError:  # bytes
                pass
        record = _new(SimpleRecord)  # not by its constructor, which would take twice the time
        record._value, record._key, record._headers = value, key, headers or ()
        record._origin, record._timestamp = topic, timestamp if timestamp >= 0 else None
        record.destination = None
        found.append(record)
    return offsets, found


# --- writing --------------------------------------------------------------------------------------------------------


def _written(content: Any, types: dict[str, Any], place: str) -> bytes:
    """The bytes, and in `types` what reading them back needs."""
    if type(content) is str:
        try:
            return content.encode()
        except UnicodeEncodeError:
            types[place] = "s"
            return content.encode("utf-8", "surrogatepass")
    if type(content) is EncodedAvro:
        types[place] = {"avro": content.schema}
        return content.binary
    if type(content) is Framed:
        return content
    written: bytes = content
    try:
        written.decode()
    except UnicodeDecodeError:
        return written
    types[place] = "b"
    return written


def _headers(headers: Sequence[Any], types: dict[str, Any]) -> Headers:
    wire: Headers = []
    kinds: dict[str, Any] = {}
    names: dict[str, str] = {}
    for index, (name, content) in enumerate(headers):
        kept = name
        if "\0" in name or not name.isascii():
            kept = name.encode("utf-8", "replace").replace(b"\0", b"?").decode()
            if kept != name:
                names[str(index)] = name
        wire.append((kept, None if content is None else _written(content, kinds, str(index))))
    if kinds:
        types["h"] = kinds
    if names:
        types["n"] = names
    return wire


# --- reading --------------------------------------------------------------------------------------------------------


def _typed(key: bytes | None, value: bytes | None, headers: Headers, timestamp: int, topic: str) -> SimpleRecord | None:
    """The record as its last header tells; None if the header is not one of ours, or damaged."""
    try:
        types = json.loads(headers[-1][1] or b"")
        kinds, names = types.get("h", {}), types.get("n", {})
        read = tuple(
            (names.get(str(index), name), _read(content, kinds.get(str(index))))
            for index, (name, content) in enumerate(headers[:-1])
        )
        return SimpleRecord(
            _read(value, types.get("v")), _read(key, types.get("k")), read, topic, types.get("t", timestamp)
        )
    except Exception:  # whatever is wrong with it, the record itself can be read
        return None


def _read(content: bytes | None, kind: Any = None) -> Any:
    if content is None or kind == "b":
        return content
    if kind == "s":
        return content.decode("utf-8", "surrogatepass")
    if type(kind) is dict:
        return decode_avro(EncodedAvro(kind["avro"], content))
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content

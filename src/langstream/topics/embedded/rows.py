"""Rows as the JSON text of a run, and back.

A run is `[[timestamp, key, value, headers], …]`. Text and null stand for themselves; what JSON cannot hold is wrapped
in an object of one member: `b` bytes in base64, `u` text with lone surrogates, `a` Avro (schema id, base64).
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from langstream.topics.encoding import EncodedAvro, Row
from langstream.topics.local.log import Run

MAX_RECORDS: Final = 1_000
MAX_BYTES: Final = 1 << 20
"""A run that is larger is divided, as long as it has several records."""


class EncodedRun(NamedTuple):
    """A run to be written."""

    records: int
    size: int
    newest: int
    text: str


class RowEncoder:
    """Encodes the rows of one write; `schemas` collects the Avro schemas it met, by id."""

    def __init__(self) -> None:
        self.schemas: dict[str, str] = {}

    def runs(self, rows: Sequence[Row]) -> Iterator[EncodedRun]:
        """The rows as one run or several."""
        for start in range(0, len(rows), MAX_RECORDS):
            yield from self._divided(rows[start : start + MAX_RECORDS] if len(rows) > MAX_RECORDS else rows)

    def _divided(self, rows: Sequence[Row]) -> Iterator[EncodedRun]:
        encoded = self.encode(rows)
        if len(encoded) > MAX_BYTES and len(rows) > 1:
            middle = len(rows) // 2
            yield from self._divided(rows[:middle])
            yield from self._divided(rows[middle:])
        else:
            yield EncodedRun(len(rows), len(encoded), max([row[0] for row in rows]), encoded.decode())

    def encode(self, rows: Sequence[Row]) -> bytes:
        """JSON text."""
        try:
            return orjson.dumps(rows, default=self._wrap)
        except orjson.JSONEncodeError:  # lone surrogates
            return orjson.dumps([_wrap_surrogates(row) for row in rows], default=self._wrap)

    def _wrap(self, value: Any) -> dict[str, Any]:
        if type(value) is EncodedAvro:
            schema = hashlib.blake2b(value.schema.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
            self.schemas[schema] = value.schema
            return {"a": [schema, b64encode(value.binary).decode()]}
        if type(value) is bytes:
            return {"b": b64encode(value).decode()}
        raise TypeError(f"a {type(value).__name__} is no part of a row")


def decode_runs(heads: str, text: str, offset: int, schemas: Mapping[str, str]) -> list[Run]:
    """Runs, without rows before the offset. `heads` has `[base, gaps]` of each, `text` their rows, both with commas."""
    starts = orjson.loads(f"[{heads}]")
    parts = [orjson.loads(text)] if len(starts) == 1 else orjson.loads(f"[{text}]")
    runs = []
    for (base, gaps), rows in zip(starts, parts, strict=True):
        offsets: Sequence[int] = range(base, base + len(rows)) if gaps is None else [base + gap for gap in gaps]
        if offsets[0] < offset:
            skipped = sum(1 for candidate in offsets if candidate < offset)
            offsets, rows = offsets[skipped:], rows[skipped:]
        if rows:
            unwrap(rows, schemas)
            runs.append(Run(offsets, rows))
    return runs


def unwrap(rows: list[list[Any]], schemas: Mapping[str, str]) -> None:
    """Replace wrapped keys, values and header values in place."""
    for row in rows:
        if type(row[2]) is dict:
            row[2] = _unwrapped(row[2], schemas)
        if type(row[1]) is dict:
            row[1] = _unwrapped(row[1], schemas)
        if row[3] is not None:
            row[3] = [
                tuple(_unwrapped(part, schemas) if type(part) is dict else part for part in header) for header in row[3]
            ]


def wanted_schemas(text: str) -> bool:
    """Whether the text may hold Avro."""
    return '{"a":[' in text


def _unwrapped(wrapped: dict[str, Any], schemas: Mapping[str, str]) -> Any:
    ((kind, content),) = wrapped.items()
    if kind == "b":
        return b64decode(content)
    if kind == "u":
        return b64decode(content).decode("utf-8", "surrogatepass")
    return EncodedAvro(schemas[content[0]], b64decode(content[1]))


def _wrap_surrogates(row: Row) -> list[Any]:
    timestamp, key, value, headers = row
    kept = headers and [[_representable(name), _representable(content)] for name, content in headers]
    return [timestamp, _representable(key), _representable(value), kept]


def _representable(value: Any) -> Any:
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"u": b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return value

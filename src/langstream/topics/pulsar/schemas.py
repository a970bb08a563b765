"""Schemas that Pulsar keeps with a topic: what is written has the topic's, what is read the one it was written with."""

from __future__ import annotations

import json
import logging
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from langstream.errors import RecordError, TopicError
from langstream.records import AvroValue, dump_json
from langstream.topics.contract import TopicSpec
from langstream.topics.encoding import EncodedAvro, Row, decode_avro, encode_avro
from langstream.topics.schema_types import PULSAR

_NUMBERS: Final = {
    "INT8": ">b", "INT16": ">h", "INT32": ">i", "INT64": ">q", "FLOAT": ">f", "DOUBLE": ">d", "BOOLEAN": ">?",
}  # fmt: skip
_TEXTUAL: Final = ("AVRO", "JSON")
_KINDS: Final = tuple(kind.upper() for kind in PULSAR)
_PRESENTED: Final = frozenset({"STRING", *_TEXTUAL})
"""Those that the Python client presents to a broker, and tells of in each message."""

_log = logging.getLogger(__name__)


class Explained(bytes):
    """Bytes that their readers explain by the topic's schema, so nothing else has to be kept about them.

    Except for numbers: `kind` says what they are, since their messages do not.
    """

    kind = ""


class Number(Explained):
    """A number, or a boolean."""

    def __new__(cls, data: bytes, kind: str) -> Self:
        """The bytes, and the type of Pulsar."""
        made = super().__new__(cls, data)
        made.kind = kind
        return made


@dataclass(frozen=True)
class Form:
    """One schema: a type of Pulsar, with the schema's text where it has one."""

    kind: str
    text: str = ""

    @property
    def presented(self) -> bool:
        """Whether producers tell it to the broker."""
        return self.kind in _PRESENTED

    @cached_property
    def parsed(self) -> Any:
        """The text."""
        return json.loads(self.text)

    def written(self, content: Any) -> Any:
        """A row's key or value as other clients expect it. Raises RecordError for what does not fit."""
        if content is None or self.kind not in _KINDS or self.kind == "BYTES":
            return content
        if self.kind == "AVRO":
            return Explained(self._avro(content).binary)
        if type(content) is EncodedAvro:
            if self.kind != "JSON":
                raise RecordError(f"the topic's schema is {self.kind}, but this is an Avro value")
            return Explained(dump_json(decode_avro(content).value))
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        if self.kind in _NUMBERS:
            return Number(self._number(data), self.kind)
        return Explained(data) if isinstance(content, bytes) else content

    def row(self, row: Row) -> Row:
        """A row with its value written so."""
        timestamp, key, value, headers = row
        return timestamp, key, self.written(value), headers

    def read(self, data: bytes) -> Any:
        """The bytes of a message as a row has them; those that do not fit stay as they are."""
        try:
            if self.kind == "AVRO":
                found = EncodedAvro(self.text, data)
                decode_avro(found)
                return found
            if self.kind in _NUMBERS:
                return json.dumps(struct.unpack(_NUMBERS[self.kind], data)[0])
            return data.decode()
        except Exception:
            return data

    def _avro(self, content: Any) -> EncodedAvro:
        if type(content) is EncodedAvro:
            if json.loads(content.schema) == self.parsed:
                return content
            return encode_avro(AvroValue(self.parsed, decode_avro(content).value))
        kind = self.parsed.get("type") if isinstance(self.parsed, dict) else self.parsed
        if kind in ("string", "bytes"):
            return encode_avro(AvroValue(self.parsed, content))
        try:
            datum = json.loads(content)
        except ValueError:
            told = f"the topic has an Avro schema, but this is neither Avro nor JSON: {str(content)[:80]}"
            raise RecordError(told) from None
        return encode_avro(AvroValue(self.parsed, datum))

    def _number(self, data: bytes) -> bytes:
        try:
            return struct.pack(_NUMBERS[self.kind], json.loads(data))
        except (ValueError, struct.error):
            raise RecordError(f"the topic's schema is {self.kind}, but this is no such number: {data[:80]!r}") from None


def form_of(told: Mapping[str, Any] | None) -> Form | None:
    """The schema that the administration interface tells; None if there is none, or of a kind that stays bytes."""
    kind = str(told.get("type")) if told else ""
    return Form(kind, str((told or {}).get("data") or "")) if kind in _KINDS else None


def declared(spec: TopicSpec) -> Form | None:
    """The schema to make with a topic. Raises TopicError for types that Pulsar does not have."""
    if spec.key_schema is not None and spec.key_schema.type.lower() != "string":
        _log.warning(
            "topic %s: Pulsar's Python client writes keys as text, so keySchema '%s' is not used",
            spec.name, spec.key_schema.type,
        )  # fmt: skip
    schema = spec.value_schema
    if schema is None:
        return None
    kind = schema.type.upper()
    if kind not in _KINDS:
        raise TopicError(
            f"topic {spec.name}: schema type '{schema.type}' is not supported on Pulsar; "
            f"expected one of {', '.join(known.lower() for known in _KINDS)}"
        )
    if kind in _TEXTUAL and not schema.text:
        raise TopicError(f"topic {spec.name}: schema type '{schema.type}' needs the text of the schema, as 'schema'")
    return None if kind == "BYTES" else Form(kind, schema.text or "")


class Versions:
    """The schemas with which the messages of a topic were written, learned as they come. Used by several threads."""

    def __init__(self, ask: Callable[[int], Form | None]) -> None:
        self._ask = ask
        self._known: dict[int, Form | None] = {}
        self._asking = threading.Lock()

    def form(self, version: int) -> Form | None:
        """The schema of this version; blocks the first time."""
        if version not in self._known:
            with self._asking:
                if version not in self._known:
                    self._known[version] = self._ask(version)
        return self._known[version]

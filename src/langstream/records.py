"""Records: the immutable values that travel through topics and agents.

A record has a key, a value, headers (ordered, duplicates allowed), an origin (the topic it was read from) and a
timestamp (milliseconds since the epoch). Keys, values and header values are text, bytes, numbers, booleans, None,
dicts, lists or `AvroValue`. Nobody may change a record, nor a dict or list inside one: whoever wants another value
makes another record.

JSON text is parsed at most once and written at most once per node. `SimpleRecord` keeps a parsed document beside the
text it came from (`Document`); an agent that changes the document hands on only the document, and the text is made
when somebody asks for it: a topic, or a custom agent calling `value()`.
"""

from __future__ import annotations

import json
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import orjson

Headers: TypeAlias = tuple[tuple[str, Any], ...]
"""Header names and values in order."""


class Record(ABC):
    """What agents receive and return. Members are methods, as in the original SDK."""

    __slots__ = ()

    @abstractmethod
    def key(self) -> Any:
        """The key, or None. Records with equal keys keep their order."""

    @abstractmethod
    def value(self) -> Any:
        """The payload, or None."""

    @abstractmethod
    def headers(self) -> list[tuple[str, Any]]:
        """Header names and values in order; a new list each time."""

    @abstractmethod
    def origin(self) -> str | None:
        """The topic the record was read from, or None."""

    @abstractmethod
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch, or None."""


class Document:
    """A JSON object standing in for the text (or bytes) that it was, or will be, written as.

    `content` is the parsed object; treat it as frozen and copy before changing. `binary` tells that the record
    carried bytes. The text is the original one until an agent makes a new `Document` of changed content.
    """

    __slots__ = ("_text", "binary", "content")

    def __init__(self, content: dict[str, Any], *, binary: bool = False, text: str | bytes | None = None) -> None:
        self.content = content
        self.binary = binary
        self._text = text

    def text(self) -> str | bytes:
        """The JSON text: the original if unchanged, else compact JSON, made once."""
        if self._text is None:
            written = dump_json(self.content)
            self._text = written if self.binary else written.decode()
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and (self.binary, self.content) == (other.binary, other.content)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Document({self.content!r})"


class SimpleRecord(Record):
    """The record class of the platform. Positional order: value, key, headers, origin, timestamp.

    `destination` is the topic the record is to be written to in place of its node's output, or None. It stays with
    the record through the node's remaining agents; a `Dispatched` record passes them by.
    """

    __slots__ = ("_headers", "_key", "_origin", "_timestamp", "_value", "destination")

    def __init__(
        self,
        value: Any,
        key: Any = None,
        headers: Iterable[tuple[str, Any]] | None = None,
        origin: str | None = None,
        timestamp: int | None = None,
    ) -> None:
        self._value = value
        self._key = key
        self._headers: Headers = tuple(headers) if headers else ()
        self._origin = origin
        self._timestamp = timestamp
        self.destination: str | None = None

    def key(self) -> Any:
        key = self._key
        return key.text() if type(key) is Document else key

    def value(self) -> Any:
        value = self._value
        return value.text() if type(value) is Document else value

    def headers(self) -> list[tuple[str, Any]]:
        return list(self._headers)

    def origin(self) -> str | None:
        return self._origin

    def timestamp(self) -> int | None:
        return self._timestamp

    def parsed_value(self) -> Any:
        """The value as built-in agents see it: a `Document` for JSON objects, else what `value()` gives."""
        value = self._value
        if type(value) is str or type(value) is bytes:
            value = self._value = parse_document(value)
        return value

    def parsed_key(self) -> Any:
        """The key as built-in agents see it: a `Document` for JSON objects, else what `key()` gives."""
        key = self._key
        if type(key) is str or type(key) is bytes:
            key = self._key = parse_document(key)
        return key

    def header_items(self) -> Headers:
        """The headers without copying."""
        return self._headers

    def with_value(self, value: Any) -> SimpleRecord:
        """This record with another value."""
        changed = SimpleRecord(value, self._key, self._headers, self._origin, self._timestamp)
        changed.destination = self.destination
        return changed

    def with_headers(self, headers: Iterable[tuple[str, Any]]) -> SimpleRecord:
        """This record with other headers."""
        changed = SimpleRecord(self._value, self._key, headers, self._origin, self._timestamp)
        changed.destination = self.destination
        return changed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SimpleRecord):
            return NotImplemented
        return (
            self.value() == other.value()
            and self.key() == other.key()
            and self._headers == other._headers
            and self._origin == other._origin
            and self._timestamp == other._timestamp
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"SimpleRecord(value={self.value()!r}, key={self.key()!r}, headers={list(self._headers)!r}, "
            f"origin={self._origin!r}, timestamp={self._timestamp!r})"
        )


class Dispatched(SimpleRecord):
    """A record that leaves its node at once for the topic `destination`, past the agents that follow."""

    __slots__ = ()

    @classmethod
    def to(cls, destination: str, record: SimpleRecord) -> Dispatched:
        """The record, on its way to that topic."""
        dispatched = cls(record._value, record._key, record._headers, record._origin, record._timestamp)
        dispatched.destination = destination
        return dispatched


class AvroValue:
    """An Avro datum with its schema. `schema` is the JSON form (a dict), `value` anything fastavro can write."""

    __slots__ = ("schema", "value")

    def __init__(self, schema: Mapping[str, Any], value: Any) -> None:
        self.schema = schema
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AvroValue) and (self.schema, self.value) == (other.schema, other.value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"AvroValue(schema={self.schema!r}, value={self.value!r})"


def header(headers: Iterable[tuple[str, Any]], name: str) -> Any:
    """The first header of that name, or None."""
    for candidate, value in headers:
        if candidate == name:
            return value
    return None


def header_text(value: Any) -> str | None:
    """A header value as text: bytes are UTF-8 (undecodable ones replaced), None stays None, dicts and lists are JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | dict | list):
        return dump_json(value).decode()
    return str(value)


# --- JSON -----------------------------------------------------------------------------------------------------------

_LONG_DIGITS: Final = re.compile(r"\d{19}")
_LONG_DIGITS_BYTES: Final = re.compile(rb"\d{19}")


def parse_document(text: str | bytes) -> Any:
    """A `Document` when the text is exactly one JSON object, else the text itself.

    Arrays, scalars, the text `null`, trailing text after an object, NaN, invalid UTF-8, lone surrogates and nesting
    deeper than 1,024 levels leave the text as it is. Integers of any size are exact; of duplicate names the last
    one wins.
    """
    # A cheap look at both ends spares the parser most plain text.
    if type(text) is str:
        stripped: str | bytes = text.strip(" \t\r\n")
        if not (stripped.startswith("{") and stripped.endswith("}")):  # type: ignore[arg-type]
            return text
        long_digits = _LONG_DIGITS.search(text)
    else:
        assert isinstance(text, bytes)
        stripped = text.strip(b" \t\r\n")
        if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
            return text
        long_digits = _LONG_DIGITS_BYTES.search(text)  # type: ignore[assignment]
    try:
        content = orjson.loads(stripped)
        if long_digits:  # orjson turns integers beyond 64 bits into floats; the standard parser keeps them exact
            content = json.loads(stripped)
    except (ValueError, RecursionError):
        return text
    return Document(content, binary=type(text) is bytes, text=text)


def parse_json(text: str | bytes) -> Any:
    """Any JSON value. Raises ValueError for text that is not JSON, or nests deeper than 1,024 levels."""
    value = orjson.loads(text)
    pattern = _LONG_DIGITS if isinstance(text, str) else _LONG_DIGITS_BYTES
    return json.loads(text) if pattern.search(text) else value  # type: ignore[arg-type]


def dump_json(value: Any) -> bytes:
    """Compact JSON, non-ASCII characters unescaped. NaN and infinities become null; dates ISO 8601 text.

    Raises TypeError for values JSON cannot hold.
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        if "Integer exceeds 64-bit range" in str(error):
            return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=_plain).encode()
        raise


def _plain(value: Any) -> Any:
    if isinstance(value, Document):
        return value.content
    if isinstance(value, AvroValue):
        return value.value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | Sequence):
        return list(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


# --- keys -----------------------------------------------------------------------------------------------------------


def key_bytes(key: Any) -> bytes:
    """The bytes that decide where a key goes: equal keys, whatever their form, give equal bytes."""
    if isinstance(key, str):
        return key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return key
    if isinstance(key, Document):
        text = key.text()
        return text if isinstance(text, bytes) else text.encode()
    return dump_json(key)


def partition_of(key: Any, partitions: int) -> int:
    """The partition of a non-null key among `partitions`: CRC-32 of its bytes, modulo."""
    return zlib.crc32(key_bytes(key)) % partitions

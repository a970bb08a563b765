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

import base64
import json
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from math import hypot
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

    def __init__(self, content: dict[str, Any], binary: bool = False, text: str | bytes | None = None) -> None:
        self.content = content
        self.binary = binary
        self._text = text

    def text(self) -> str | bytes:
        """The JSON text: the original if unchanged, else compact JSON, made once."""
        text = self._text
        if text is None:
            try:  # as in dump_json, without the call
                written = _dumps(self.content, _plain, _WRITE_OPTIONS)
            except TypeError:
                written = _write_slowly(self.content)
            self._text = text = written if self.binary else written.decode()
        return text

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
        self._headers: Headers = headers if type(headers) is tuple else tuple(headers) if headers else ()
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
    """A header value as text.

    Bytes are UTF-8 (undecodable ones replaced), None stays None, booleans, dicts and lists are JSON, dates and times
    ISO 8601.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | dict | list | tuple | AbstractSet):
        return dump_json(value).decode()
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


# --- JSON -----------------------------------------------------------------------------------------------------------

# orjson turns integers beyond 64 bits into floats, so a text that may hold one goes to the standard parser instead.
# Such an integer is a run of 20 characters, digits or a sign. Every such run covers five in a row of every fourth
# character; no shorter one than 17 does, which leaves out the timestamps in milliseconds that most records have.
_NUMERIC: Final = bytes(48 if chr(code) in "-0123456789" else 32 for code in range(128)).ljust(256)
_MANY_DIGITS: Final = b"00000"
_SAMPLE: Final = slice(None, None, 4)
_SHAPE: Final = bytes(48 if chr(code).isdigit() else code if chr(code) in "-." else 32 for code in range(128)).ljust(
    256
)
_LONG: Final = b"0" * 19
_LONG_POSITIVE: Final = b" " + b"0" * 20
_LONG_NEGATIVE: Final = b"-" + b"0" * 19
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Strings, whose digits are no numbers. One that does not end reaches to the end of the text."""

_FEW: Final = 4
"""Texts that are searched one by one."""

# Where few members make up a long text (a vector, a page), a look at the parsed values is cheaper than one at the text:
# an integer that was rounded is a large float.
_LENGTHY: Final = 100
"""Characters per member from which the values are looked at first."""
_LARGE: Final = 2.0**62
_LONG_TEXT: Final = 2000
"""Characters from which texts are not searched together."""
_LEVELS: Final = 4
"""Objects within objects that are looked into; what is below is left to the search of the text."""

_BLANKS: Final = frozenset((" ", "\t", "\r", "\n", b" ", b"\t", b"\r", b"\n"))
_WRITE_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z
_loads = orjson.loads
_dumps = orjson.dumps


def parse_document(text: str | bytes) -> Any:
    """A `Document` when the text is exactly one JSON object, else the text itself: see `parse_object`."""
    content = parse_object(text)
    return Document(content, type(text) is not str, text) if type(content) is dict else text


def parse_object(text: str | bytes) -> Any:
    """A dict when the text is exactly one JSON object, else the text itself.

    Arrays, scalars, the text `null`, trailing text after an object, NaN, invalid UTF-8, lone surrogates and nesting
    deeper than 1,024 levels leave the text as it is, as do integers of more than 4,300 digits. All other integers
    are exact; of duplicate names the last one wins.
    """
    if type(text) is not str:
        return _parse_bytes(text)  # type: ignore[arg-type]
    content = _parse_short(text)
    # find, because `in` is slow for bytes
    if (
        type(content) is dict
        and not (len(text) > _LENGTHY * len(content) and _has_small_numbers(content))
        and text[_SAMPLE].encode().translate(_NUMERIC).find(_MANY_DIGITS) >= 0
        and _has_long_integer(text)
    ):
        return _parse_beyond_floats(text)
    return content


def parser_of(texts: Sequence[str]) -> Callable[[Any], Any]:
    """`parse_object`, or something quicker that is as good for these texts: all are searched for long integers at
    once."""
    if len(texts) < _FEW:
        return parse_object
    try:
        text = "".join(texts)
        if len(text) > _LONG_TEXT * len(texts):
            return parse_object
        sample = text[_SAMPLE].encode().translate(_NUMERIC)
        return parse_object if sample.find(_MANY_DIGITS) >= 0 and _has_long_run(text.encode()) else _parse_short
    except UnicodeEncodeError:
        return parse_object


def _parse_short(text: str) -> Any:
    """`parse_object` of a text that has no integers beyond 64 bits, unless they are beyond floats as well."""
    # A look at the first character spares the parser most plain text.
    first = text[:1]
    if first != "{" and (first not in _BLANKS or not text.lstrip().startswith("{")):
        return text
    try:
        return _loads(text)
    except ValueError:
        return _parse_beyond_floats(text)
    except RecursionError:
        return text


def _parse_bytes(text: bytes) -> Any:
    first = text[:1]
    if first != b"{" and (first not in _BLANKS or not text.lstrip().startswith(b"{")):
        return text
    try:
        content = _loads(text)
        if (
            not (len(text) > _LENGTHY * len(content) and _has_small_numbers(content))
            and text[_SAMPLE].translate(_NUMERIC).find(_MANY_DIGITS) >= 0
            and _has_long_integer(text)
        ):
            content = _loads_exactly(text)
    except ValueError:
        return _parse_beyond_floats(text)
    except RecursionError:
        return text
    return content


def _parse_beyond_floats(text: str | bytes) -> Any:
    """A text that orjson refuses, as it does integers beyond the range of floats."""
    try:
        content = _loads_exactly(text) if _has_long_integer(text) else None
    except (ValueError, RecursionError):
        return text
    return content if type(content) is dict else text


def parse_json(text: str | bytes) -> Any:
    """Any JSON value. Raises ValueError for text that is not JSON, or nests deeper than 1,024 levels."""
    try:
        value = _loads(text)
    except ValueError:
        if not _has_long_integer(text):
            raise
        value = None
    return _loads_exactly(text) if _has_long_integer(text) else value


def _loads_exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _has_small_numbers(content: dict[str, Any], levels: int = _LEVELS) -> bool:
    """Whether a short look tells that all numbers are too small for an integer that was rounded."""
    for value in content.values():
        kind = type(value)
        if kind is list:
            try:
                if hypot(*value) >= _LARGE:  # no less than the largest of them, and the quickest way to know
                    return False
            except (TypeError, OverflowError):  # not a list of numbers
                return False
        elif kind is float:
            if not -_LARGE < value < _LARGE:
                return False
        elif kind is dict and not (levels and _has_small_numbers(value, levels - 1)):
            return False
    return True


def _has_long_integer(text: str | bytes) -> bool:
    """Whether an integer beyond 64 bits may be in the text: a run of digits so long, not behind a decimal point."""
    encoded = text if isinstance(text, bytes) else text.encode()
    return _has_long_run(encoded) and _has_long_run(_STRINGS.sub(b'""', encoded))


def _has_long_run(text: bytes) -> bool:
    shape = text.translate(_SHAPE)
    return _LONG in shape and (
        _LONG_POSITIVE in shape or _LONG_NEGATIVE in shape or shape.startswith(_LONG_POSITIVE[1:])
    )


def dump_json(value: Any) -> bytes:
    """Compact JSON, non-ASCII characters unescaped.

    NaN and infinities become null, dates and times ISO 8601 text, bytes base64 text, decimals numbers with their
    scale, sets lists. Integers and nesting have no limit. Raises TypeError for values JSON cannot hold, and for a
    value that contains itself.
    """
    try:
        return orjson.dumps(value, _plain, _WRITE_OPTIONS)
    except TypeError:
        return _write_slowly(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Document):
        return value.content
    if isinstance(value, AvroValue):
        return value.value
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value)) if value.is_finite() else None
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):  # arrays, and the scalars of numpy
        return value.tolist()
    if isinstance(value, AbstractSet | Sequence):
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _write_slowly(value: Any) -> bytes:
    """JSON of what orjson refuses: integers beyond 64 bits, names that are no text, lone surrogates, deep nesting.

    It keeps its own stack, so depth costs memory only.
    """
    parts: list[bytes] = []
    stack: list[tuple[bytes, Iterator[tuple[bytes, Any]], Any]] = []
    open_containers: set[int] = set()
    pending = value
    while True:
        if not isinstance(pending, str | int | float | None):
            pending = _unwrapped(pending)
        if isinstance(pending, dict | list | tuple):
            if id(pending) in open_containers:
                raise TypeError("a value that contains itself cannot be written as JSON")
            open_containers.add(id(pending))
            parts.append(b"{" if isinstance(pending, dict) else b"[")
            stack.append((b"}" if isinstance(pending, dict) else b"]", _items(pending), pending))
        else:
            parts.append(_scalar(pending))
        while stack:
            closing, items, container = stack[-1]
            following = next(items, None)
            if following is not None:
                prefix, pending = following
                parts.append(prefix)
                break
            parts.append(closing)
            open_containers.discard(id(container))
            stack.pop()
        else:
            return b"".join(parts)


def _unwrapped(value: Any) -> Any:
    """Containers of any class as dicts and lists; other values as they are."""
    while isinstance(value, Document | AvroValue):
        value = _plain(value)
    if isinstance(value, dict | list | tuple | bytes | bytearray | memoryview | Decimal):
        return value
    return _plain(value) if isinstance(value, Mapping | AbstractSet | Sequence) or hasattr(value, "tolist") else value


def _items(container: dict[Any, Any] | Sequence[Any]) -> Iterator[tuple[bytes, Any]]:
    """Each member behind what stands before it: a comma, and a name in an object."""
    comma = b""
    if isinstance(container, dict):
        for name, item in container.items():
            text = _scalar(name)
            yield comma + (text if text.startswith(b'"') else b'"%s"' % text) + b":", item
            comma = b","
    else:
        for item in container:
            yield comma, item
            comma = b","


def _scalar(value: Any) -> bytes:
    if type(value) is int:
        try:
            return str(value).encode()
        except ValueError:
            raise TypeError("an integer of more than 4,300 digits cannot be written as JSON") from None
    try:
        return orjson.dumps(value, _plain, _WRITE_OPTIONS)
    except TypeError:
        if isinstance(value, str):  # a lone surrogate has no UTF-8, only an escape
            return json.dumps(value).encode()
        raise


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

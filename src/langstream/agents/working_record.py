"""The working record: what expressions and templates see of a record, and where agents put their results.

An agent makes one from a record, changes it, and turns it back into a record. The original record, and every dict and
list inside it, stays as it was: the first change copies the level that is changed. What nobody asks for is not done:
a value is parsed when it is first looked at, and a record that was not changed leaves as the very object that came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from langstream.errors import RecordError
from langstream.records import (
    AvroValue,
    Document,
    Headers,
    Record,
    SimpleRecord,
    header_text,
    parse_document,
    parse_object,
)

STRING, BYTES, MAP, AVRO = "STRING", "BYTES", "MAP", "AVRO"

_new: Any = object.__new__

UNREAD, SHARED, FRESH, OWNED, REPLACED = range(5)
"""States of a value or key. As it came: not looked at; known to the source as well; a dict that was parsed here, and
nobody else refers to. Changed (`OWNED` and what follows): a dict of the working record's own; something else that
nobody may change."""


def schema_type_of(value: Any) -> str | None:
    """The schema type of a plain value, by its class; None for null. Lists and other objects give `LIST`."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return "LOCAL_DATE_TIME" if value.tzinfo is None else "INSTANT"
    return _TYPES.get(type(value), "LIST")


_TYPES: Mapping[type, str] = {
    str: STRING,
    bytes: BYTES,
    bool: "BOOLEAN",
    int: "INT64",
    float: "DOUBLE",
    Decimal: "DECIMAL",
    date: "LOCAL_DATE",
    time: "LOCAL_TIME",
    dict: MAP,
    AvroValue: AVRO,
}


class WorkingRecord:
    """Mutable while one agent (or a chain of fused ones) works on it; never shared.

    `value_type` and `key_type` remember what the record arrived as: a JSON object in text stays `STRING`, so that it
    leaves as text again. `message_key`, when set, becomes the key of the result; `destination_topic` its topic.
    `emitted` collects records that leave beside the result.
    """

    __slots__ = (
        "_documents",
        "_headers",
        "_key",
        "_key_state",
        "_key_type",
        "_properties",
        "_value_state",
        "destination_topic",
        "emitted",
        "message_key",
        "record",
        "source",
        "value",
        "value_type",
    )

    value: Any
    value_type: str | None

    def __init__(self, source: SimpleRecord, parse: Callable[[Any], Any] | None = parse_object) -> None:
        """`parse`: what parses the value, if it is text; None to leave it alone."""
        self.source = source
        self.record: Any = None  # the current item of a loop
        self.message_key: Any = None
        self.destination_topic = source.destination
        self.emitted: list[Record] | None = None
        self._documents: tuple[Document, ...] = ()  # beside those of the source
        self._headers: dict[str, str | None] | None = None  # changed headers; None: as in the source
        self._properties: dict[str, str] | None = None
        self._key_state = UNREAD
        if parse is None:
            self._value_state = UNREAD
            return
        value = source._value
        if type(value) is str:  # the usual case, without a call
            self.value = value = parse(value)
            self.value_type = STRING
            self._value_state = FRESH if type(value) is dict else SHARED
        else:
            self._read_value(value)

    def _read_value(self, value: Any) -> None:
        self._value_state = SHARED
        if type(value) is Document:
            self.value = value.content
            self.value_type = BYTES if value.binary else STRING
        elif type(value) is str or type(value) is bytes:
            self.value = parse_object(value)
            self.value_type = schema_type_of(value)
            if type(self.value) is dict:
                self._value_state = FRESH
        else:
            self.value = value
            self.value_type = schema_type_of(value)

    def _read_key(self) -> None:
        self._key, self._key_type = _opened(self.source.parsed_key())
        self._key_state = SHARED

    @property
    def key(self) -> Any:
        """The key; an object if it is the text of one."""
        if self._key_state == UNREAD:
            self._read_key()
        return self._key

    @property
    def key_type(self) -> str | None:
        """What the key arrived as."""
        if self._key_state == UNREAD:
            self._read_key()
        return self._key_type

    @property
    def topic_name(self) -> str | None:
        """The topic the record came from."""
        return self.source._origin

    @property
    def event_time(self) -> int | None:
        """Its timestamp."""
        return self.source._timestamp

    @property
    def properties(self) -> Mapping[str, str]:
        """Header name → text; of duplicates the last one. Headers without a value are absent."""
        properties = self._properties
        if properties is None:
            properties = self._properties = {
                name: text for name, value in self.source._headers if (text := header_text(value)) is not None
            }
        return properties

    def set_property(self, name: str, text: str | None) -> None:
        """Set a header: all of that name are replaced; None removes it."""
        properties = dict(self.properties)
        if text is None:
            properties.pop(name, None)
        else:
            properties[name] = text
        self._properties = properties
        self._headers = {**(self._headers or {}), name: text}

    def own_value(self) -> dict[str, Any]:
        """The value's dict, free to be changed at its top level. Raises RecordError if the value is not one."""
        content = self.value
        if type(content) is not dict:
            raise RecordError(f"the value is not structured: it is {described(content)}")
        state = self._value_state
        if state != OWNED:
            if state != FRESH:
                content = self.value = content.copy()
            self._value_state = OWNED
        return content

    def own_key(self) -> dict[str, Any]:
        """The key's dict, free to be changed at its top level. Raises RecordError if the key is not one."""
        content = self.key
        if type(content) is not dict:
            raise RecordError(f"the key is not structured: it is {described(content)}")
        if self._key_state != OWNED:
            content = self._key = content.copy()
            self._key_state = OWNED
        return content

    def set_value_field(self, name: str, content: Any) -> None:
        """Set one member of the value. Raises RecordError if the value is not structured."""
        if type(content) in CONTAINERS:
            self.freeze()
        self.own_value()[name] = content

    def set_key_field(self, name: str, content: Any) -> None:
        """Set one member of the key. Raises RecordError if the key is not structured."""
        if type(content) in CONTAINERS:
            self.freeze()
        self.own_key()[name] = content

    def freeze(self) -> None:
        """Let later changes copy first, because something may refer to the present value or key."""
        if self._value_state == FRESH:
            self._share()
        elif self._value_state == OWNED:
            self._value_state = REPLACED
        if self._key_state == OWNED:
            self._key_state = REPLACED

    def _share(self) -> None:
        """Let the source (or, if somebody else did so, the list of documents) know what was parsed."""
        self._value_state = SHARED
        text = self.source._value
        if type(text) is Document:
            self._documents += (Document(self.value, text.binary, text.text()),)
        else:
            self.source._value = Document(self.value, type(text) is bytes, text)

    def freeze_for(self, results: Iterable[Any]) -> None:
        """Freeze if one of the results can refer to the present value or key."""
        for result in results:
            if type(result) in CONTAINERS:
                self.freeze()
                return

    def replace_value(self, content: Any, value_type: str | None = STRING) -> None:
        """Put another value in place of the whole value."""
        if type(content) in CONTAINERS:
            self.freeze()
        self.value = content
        self.value_type = value_type
        self._value_state = REPLACED

    def replace_key(self, content: Any, key_type: str | None = STRING) -> None:
        """Put another key in place of the whole key."""
        if type(content) in CONTAINERS:
            self.freeze()
        self._key = content
        self._key_type = key_type
        self._key_state = REPLACED

    def settle(self) -> None:
        """See the record as the next agent will: text that is a JSON object is one, the message key is the key."""
        if self.message_key is not None:
            self.replace_key(self.message_key, schema_type_of(self.message_key))
            self.message_key = None
        if self._value_state == REPLACED and (type(self.value) is str or type(self.value) is bytes):
            self.value, self.value_type = _opened(self._parsed(self.value))
        if self._key_state == REPLACED and (type(self._key) is str or type(self._key) is bytes):
            self._key, self._key_type = _opened(self._parsed(self._key))

    def _parsed(self, text: str | bytes) -> Any:
        parsed = parse_document(text)
        if type(parsed) is Document:
            self._documents += (parsed,)
        return parsed

    def emit(self, record: Record) -> None:
        """Let a record leave beside the result, before it."""
        if self.emitted is None:
            self.emitted = [record]
        else:
            self.emitted.append(record)

    def to_record(self) -> SimpleRecord:
        """The record that leaves the agent: the source itself if nothing was changed."""
        source = self.source
        state = self._value_state
        if state < OWNED:
            if state == FRESH:
                self._share()
            value = source._value
            if (
                self._key_state < OWNED
                and self._headers is None
                and self.message_key is None
                and self.destination_topic == source.destination
            ):
                return source
        else:
            value = self.value
            if type(value) is dict:
                self._value_state = REPLACED  # from now on, the result refers to it
                if state == OWNED and self.value_type == STRING:  # the usual case
                    document = _new(Document)
                    document.content = value
                    document.binary = False
                    document._text = None
                    value = document
                else:
                    value = self._written(value, self.value_type, state)
        key = self.message_key
        if key is None:
            key = source._key
            if self._key_state >= OWNED:
                key = self._key
                if type(key) is dict:
                    key = self._written(key, self._key_type, self._key_state)
                    if self._key_state == OWNED:
                        self._key_state = REPLACED
        result: SimpleRecord = _new(SimpleRecord)  # not by its constructor, which would take twice the time
        result._value = value
        result._key = key
        result._headers = source._headers if self._headers is None else self._written_headers(self._headers)
        result._origin = source._origin
        result._timestamp = source._timestamp
        result.destination = self.destination_topic
        return result

    def _written(self, content: dict[str, Any], schema_type: str | None, state: int) -> Any:
        """An object that arrived as text (or bytes) leaves as such.

        A whole document (moved from the key, or made of text) leaves with the text that it was parsed from.
        """
        if schema_type != STRING and schema_type != BYTES:
            return content
        if state == REPLACED:
            for document in (*self._documents, self.source._value, self.source._key):
                if type(document) is Document and document.content is content:
                    return document
        return Document(content, schema_type == BYTES)

    def _written_headers(self, changed: Mapping[str, str | None]) -> Headers:
        """The source's headers with the changed ones in the place of the first of their name, new ones at the end."""
        headers: list[tuple[str, Any]] = []
        written: set[str] = set()
        for name, value in self.source._headers:
            if name not in changed:
                headers.append((name, value))
            elif name not in written:
                written.add(name)
                headers.append((name, changed[name]))
        headers.extend((name, text) for name, text in changed.items() if name not in written)
        return tuple((name, value) for name, value in headers if value is not None or name not in changed)


class UnreadRecord(WorkingRecord):
    """A working record whose value is parsed when somebody first looks at it; looking takes longer every time."""

    __slots__ = ()

    def __init__(self, source: SimpleRecord, _parse: object = None) -> None:
        super().__init__(source, None)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in ("value", "value_type"):
                raise AttributeError(name)
            self._read_value(self.source._value)
            return getattr(self, name)


CONTAINERS = frozenset((dict, list, tuple, AvroValue))
"""Classes of results that can refer to the value or key they were computed from."""


def _opened(parsed: Any) -> tuple[Any, str | None]:
    """The content of a parsed value or key, and its schema type."""
    if type(parsed) is Document:
        return parsed.content, BYTES if parsed.binary else STRING
    return parsed, schema_type_of(parsed)


def described(value: Any) -> str:
    """What kind of data it is, for messages."""
    names: Mapping[type, str] = {str: "text", dict: "an object", list: "a list", bool: "a boolean", int: "a number"}
    if value is None:
        return "null"
    return names.get(type(value), f"{type(value).__name__} data")


ResultField: TypeAlias = Callable[[WorkingRecord, Any], None]


def result_field(name: str | None) -> ResultField:
    """A function that stores a result where `name` says: `value`, `key`, `value.X`, `key.X`, `properties.X`,
    `messageKey` or `destinationTopic`; None is `value`. X is taken literally, dots included.

    Raises ValueError for any other name.
    """
    if name is None or name == "value":
        return lambda working, content: working.replace_value(content)
    if name == "key":
        return lambda working, content: working.replace_key(content)
    root, dot, rest = name.partition(".")
    if dot and rest:
        if root == "value":
            return lambda working, content: working.set_value_field(rest, content)
        if root == "key":
            return lambda working, content: working.set_key_field(rest, content)
        if root == "properties":
            return lambda working, content: working.set_property(rest, text_of(content))
    if name == "messageKey":
        return lambda working, content: setattr(working, "message_key", content)
    if name == "destinationTopic":
        return lambda working, content: setattr(working, "destination_topic", text_of(content))
    raise ValueError(
        f"{name!r} is not a place for a result: expected value, key, value.NAME, key.NAME, properties.NAME, "
        "messageKey or destinationTopic"
    )


def text_of(content: Any) -> str | None:
    """A value as header text: JSON for lists and dicts, `true`/`false` for booleans, ISO 8601 for dates."""
    return header_text(content)

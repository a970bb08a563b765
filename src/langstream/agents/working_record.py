"""The working record: what expressions and templates see of a record, and where agents put their results.

An agent makes one from a record, changes it, and turns it back into a record. The original record, and every dict and
list inside it, stays as it was: the first change copies the level that is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from langstream.errors import RecordError
from langstream.records import AvroValue, Document, SimpleRecord, dump_json, header_text

STRING, BYTES, MAP, AVRO = "STRING", "BYTES", "MAP", "AVRO"


def schema_type_of(value: Any) -> str | None:
    """The schema type of a plain value, by its class; None for null. Lists and other objects give `LIST`."""
    if value is None:
        return None
    return _TYPES.get(type(value), "LIST")


_TYPES: Mapping[type, str] = {
    str: STRING,
    bytes: BYTES,
    bool: "BOOLEAN",
    int: "INT64",
    float: "DOUBLE",
    dict: MAP,
    AvroValue: AVRO,
}


class WorkingRecord:
    """Mutable while one agent works on it; never shared.

    `value_type` and `key_type` remember what the record arrived as: a JSON object in text stays `STRING`, so that it
    leaves as text again. `message_key`, when set, becomes the key of the result; `destination_topic` its topic.
    """

    __slots__ = (
        "_headers",
        "_key_shared",
        "_properties",
        "_value_shared",
        "destination_topic",
        "event_time",
        "key",
        "key_type",
        "message_key",
        "record",
        "source",
        "topic_name",
        "value",
        "value_type",
    )

    def __init__(self, source: SimpleRecord) -> None:
        self.source = source
        value = source.parsed_value()
        if type(value) is Document:
            self.value: Any = value.content
            self.value_type: str | None = BYTES if value.binary else STRING
        else:
            self.value = value
            self.value_type = schema_type_of(value)
        key = source.parsed_key()
        if type(key) is Document:
            self.key: Any = key.content
            self.key_type: str | None = BYTES if key.binary else STRING
        else:
            self.key = key
            self.key_type = schema_type_of(key)
        self.topic_name = source.origin()
        self.event_time = source.timestamp()
        self.message_key: Any = None
        self.destination_topic: str | None = source.destination
        self.record: Any = None
        self._headers: dict[str, str | None] | None = None  # changed headers; None: as in the source
        self._properties: dict[str, str] | None = None
        self._value_shared = True
        self._key_shared = True

    @property
    def properties(self) -> Mapping[str, str]:
        """Header name → text; of duplicates the last one. Headers without a value are absent."""
        if self._properties is None:
            self._properties = {
                name: text for name, value in self.source.header_items() if (text := header_text(value)) is not None
            }
        return self._properties

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
        if type(self.value) is not dict:
            raise RecordError(f"the value is not structured: it is {_described(self.value)}")
        if self._value_shared:
            self.value = dict(self.value)
            self._value_shared = False
        content: dict[str, Any] = self.value
        return content

    def own_key(self) -> dict[str, Any]:
        """The key's dict, free to be changed at its top level. Raises RecordError if the key is not one."""
        if type(self.key) is not dict:
            raise RecordError(f"the key is not structured: it is {_described(self.key)}")
        if self._key_shared:
            self.key = dict(self.key)
            self._key_shared = False
        content: dict[str, Any] = self.key
        return content

    def replace_value(self, content: Any, value_type: str | None = STRING) -> None:
        """Put another value in place of the whole value."""
        self.value = content
        self.value_type = value_type
        self._value_shared = True

    def replace_key(self, content: Any, key_type: str | None = STRING) -> None:
        """Put another key in place of the whole key."""
        self.key = content
        self.key_type = key_type
        self._key_shared = True

    def to_record(self) -> SimpleRecord:
        """The record that leaves the agent."""
        source = self.source
        key = self.message_key if self.message_key is not None else _written(self.key, self.key_type, source._key)
        result = SimpleRecord(
            _written(self.value, self.value_type, source._value),
            key,
            self._written_headers() if self._headers else source._headers,
            source._origin,
            self.event_time,
        )
        result.destination = self.destination_topic
        return result

    def _written_headers(self) -> list[tuple[str, Any]]:
        changed = dict(self._headers or {})
        headers: list[tuple[str, Any]] = []
        for name, value in self.source.header_items():
            if name not in changed:
                headers.append((name, value))
            elif (text := changed.pop(name)) is not None:
                headers.append((name, text))
                changed[name] = None  # later duplicates of the name are dropped
        headers.extend((name, text) for name, text in changed.items() if text is not None)
        return headers


def _written(content: Any, schema_type: str | None, original: Any) -> Any:
    if type(content) is dict and (schema_type == STRING or schema_type == BYTES):
        if type(original) is Document and original.content is content:
            return original
        return Document(content, binary=schema_type == BYTES)
    return content


def _described(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} data"


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
            return lambda working, content: working.own_value().__setitem__(rest, content)
        if root == "key":
            return lambda working, content: working.own_key().__setitem__(rest, content)
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
    """A value as header text: JSON for lists and dicts, `true`/`false` for booleans."""
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, bytes):
        return content.decode("utf-8", "replace")
    if isinstance(content, bool | dict | list):
        return dump_json(content).decode()
    return str(content)

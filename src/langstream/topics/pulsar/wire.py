"""How records look in Pulsar: text as UTF-8, bytes as they are, no value as a null message, headers as properties.

Pulsar keeps bytes, a text as the key, one text per property and the time of the event. Where that would give back
something else (bytes that happen to be text, several headers of one name or in an order of their own, keys that are not
text), one more property, `langstream.types`, has what is missing as JSON. Other clients can ignore it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import _pulsar

from langstream.topics.encoding import EncodedAvro, Row, decode_avro
from langstream.topics.pulsar.position import offset_of
from langstream.topics.pulsar.schemas import Explained, Form, Versions

TYPES: Final = "langstream.types"

_builder: Any = _pulsar.MessageBuilder


class Payload(NamedTuple):
    """A record as the client takes it, and the text that chooses its partition."""

    key: str | None
    message: Any
    size: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages of one partition in order. `ids` leads back to the client's own; `rows` are what records are made of."""

    offsets: list[int]
    rows: list[Row]
    ids: list[Any]
    sizes: list[int]

    def pick(self, places: Sequence[int]) -> Arrived:
        """Some of them."""
        return Arrived(
            [self.offsets[place] for place in places],
            [self.rows[place] for place in places],
            [self.ids[place] for place in places],
            [self.sizes[place] for place in places],
        )


def payloads(rows: Iterable[Row]) -> list[Payload]:
    """The rows for the producer."""
    return [_payload(*row) for row in rows]


def arrived(messages: Sequence[Any], versions: Versions) -> Arrived:
    """What the client received."""
    batch = Arrived([], [], [], [])
    for message in messages:
        identity = message.message_id()
        batch.offsets.append(offset_of(identity.ledger_id(), identity.entry_id(), identity.batch_index()))
        batch.ids.append(identity)
        batch.sizes.append(message.length())
        batch.rows.append(_row(message, versions))
    return batch


# --- writing --------------------------------------------------------------------------------------------------------


def _payload(timestamp: int, key: Any, value: Any, headers: Sequence[Any] | None) -> Payload:
    types: dict[str, Any] = {}
    message = _builder()
    size = 0
    if value is None:
        message.set_null_value()
    else:
        data = _content(value, types)
        message.content(data)
        size = len(data)
    text = None if key is None else _key(key, types)
    if text:
        message.partition_key(text)
    if timestamp:
        message.event_timestamp(timestamp)
    else:
        types["t"] = timestamp
    for name, content in _properties(headers, types) if headers else ():
        message.property(name, content)
        size += len(name) + len(content)
    if types:
        message.property(TYPES, json.dumps(types, separators=(",", ":")))
    return Payload(text, message.build(), size)


def _content(value: Any, types: dict[str, Any]) -> bytes:
    if type(value) is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            types["v"] = "surrogates"
            return value.encode("utf-8", "surrogatepass")
    if type(value) is EncodedAvro:
        types["v"] = {"avro": value.schema}
        return value.binary
    if isinstance(value, Explained):
        if value.kind:
            types["v"] = {"schema": value.kind}
        return value
    content: bytes = value
    if _as_text(content) is not None:
        types["v"] = "bytes"
    return content


def _key(key: Any, types: dict[str, Any]) -> str:
    """The key as text. Equal bytes make equal texts, whatever they were, so that they share a partition."""
    if type(key) is str:
        if _encodable(key):
            if not key:
                types["k"] = "text"
            return key
        types["k"] = "surrogates"
        return base64.b64encode(key.encode("utf-8", "surrogatepass")).decode()
    content = key.binary if type(key) is EncodedAvro else key
    text = _as_text(content)
    kind = "bytes" if text is not None else "base64"
    types["k"] = {"avro": key.schema, "as": kind} if type(key) is EncodedAvro else kind
    return text if text is not None else base64.b64encode(content).decode()


def _properties(headers: Sequence[Any], types: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers that are text. How they were, where properties cannot tell, is added to `types`."""
    texts = {
        name: content
        for name, content in headers
        if type(content) is str and name != TYPES and _encodable(name) and _encodable(content)
    }
    names = [name for name, _ in headers]
    if len(texts) < len(names):
        types["h"] = [[_noted(name), _noted(content)] for name, content in headers]
    elif names != sorted(names, key=str.encode):
        types["o"] = names
    return list(texts.items())


def _noted(content: Any) -> Any:
    """As JSON that leads back to it."""
    if isinstance(content, bytes):
        return {"b": base64.b64encode(content).decode()}
    if content is None or _encodable(content):
        return content
    return {"s": base64.b64encode(content.encode("utf-8", "surrogatepass")).decode()}


def _remembered(noted: Any) -> Any:
    if type(noted) is not dict:
        return noted
    if "b" in noted:
        return base64.b64decode(noted["b"])
    return base64.b64decode(noted["s"]).decode("utf-8", "surrogatepass")


# --- reading --------------------------------------------------------------------------------------------------------


def _row(message: Any, versions: Versions) -> Row:
    properties = message.properties()
    timestamp = message.event_timestamp() or message.publish_timestamp()
    text = message.partition_key() or None
    value = None if message.has_null_value() else message.data()
    version = message.int_schema_version()
    form = versions.form(version) if version >= 0 and value is not None else None
    plain = _text(value) if form is None or value is None else form.read(value)
    if not properties:
        return timestamp, text, plain, None
    found = properties.get(TYPES)
    if found is not None:
        try:
            return _typed(json.loads(found), timestamp, text, value, plain, properties)
        except Exception:  # whatever is wrong with it, the record itself can be read
            properties.pop(TYPES)
    return timestamp, text, plain, tuple(properties.items())


def _typed(
    types: Any, timestamp: int, text: str | None, value: bytes | None, plain: Any, properties: dict[str, str]
) -> Row:
    properties = {name: content for name, content in properties.items() if name != TYPES}
    if "h" in types:
        headers = tuple((_remembered(name), _remembered(content)) for name, content in types["h"])
    elif "o" in types:
        headers = tuple((name, properties[name]) for name in types["o"])
    else:
        headers = tuple(properties.items())
    return (
        types.get("t", timestamp),
        _typed_key(types.get("k"), text),
        _typed_value(types["v"], value) if "v" in types else plain,
        headers or None,
    )


def _typed_key(kind: Any, text: str | None) -> Any:
    if kind is None:
        return text
    if type(kind) is dict:
        return _avro(kind["avro"], _key_bytes(kind["as"], text or ""))
    if kind == "text":
        return text or ""
    content = _key_bytes(kind, text or "")
    return content.decode("utf-8", "surrogatepass") if kind == "surrogates" else content


def _key_bytes(kind: str, text: str) -> bytes:
    return text.encode() if kind == "bytes" else base64.b64decode(text)


def _typed_value(kind: Any, value: bytes | None) -> Any:
    if value is None or kind == "bytes":
        return value
    if kind == "surrogates":
        return value.decode("utf-8", "surrogatepass")
    if type(kind) is dict:
        return Form(kind["schema"]).read(value) if "schema" in kind else _avro(kind["avro"], value)
    raise ValueError(kind)


def _avro(schema: str, binary: bytes) -> EncodedAvro:
    encoded = EncodedAvro(schema, binary)
    decode_avro(encoded)  # so that what is damaged is found here
    return encoded


def _text(value: bytes | None) -> Any:
    text = None if value is None else _as_text(value)
    return value if text is None else text


def _as_text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

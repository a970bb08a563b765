"""What keys and values of a topic look like: as its schemas say, which the application declares or the registry has.

Avro with a registry is written as other clients write it: a zero, the id of the schema in four bytes, the datum. What
is read keeps the schema it was written with, so records of older and newer writers go through whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from langstream.errors import RecordError, TopicError
from langstream.records import AvroValue, SimpleRecord
from langstream.topics.contract import Fetched, TopicSchema, TopicSpec
from langstream.topics.encoding import EncodedAvro, Row, encode_avro
from langstream.topics.kafka.registry import Registered, SchemaRegistry
from langstream.topics.kafka.wire import Framed
from langstream.topics.schema_types import KAFKA

MAGIC: Final = b"\0"
HEAD: Final = 5
KINDS: Final = KAFKA


@dataclass(frozen=True, slots=True)
class Declared:
    """What the application says of a topic."""

    key: TopicSchema | None = None
    value: TopicSchema | None = None


class Schemas:
    """The schemas of a cluster's topics."""

    def __init__(self, registry: SchemaRegistry | None) -> None:
        self.registry = registry
        self._declared: dict[str, Declared] = {}

    async def declare(self, spec: TopicSpec, *, register: bool) -> None:
        """Remember the schemas, and register Avro ones if that is wanted. Raises TopicError for what Kafka lacks."""
        for place, schema in (("schema", spec.value_schema), ("keySchema", spec.key_schema)):
            if schema is not None and schema.type.lower() not in KINDS:
                raise TopicError(
                    f"topic {spec.name}: {place} type '{schema.type}' is not supported on Kafka; "
                    f"expected {', '.join(KINDS)}"
                )
        self._declared[spec.name] = Declared(spec.key_schema, spec.value_schema)
        for part in self._parts(spec.name) if register else ():
            await part.prepare()

    def form(self, topic: str) -> TopicForm | None:
        """How the topic is read and written; None where nothing is declared and there is no registry."""
        declared = self._declared.get(topic, Declared())
        if self.registry is None and declared.key is None and declared.value is None:
            return None
        return TopicForm(*self._parts(topic))

    async def close(self) -> None:
        """Let go of the registry."""
        if self.registry is not None:
            await self.registry.close()

    def _parts(self, topic: str) -> tuple[Part, Part]:
        declared = self._declared.get(topic, Declared())
        return (
            Part(f"{topic}-key", declared.key, self.registry),
            Part(f"{topic}-value", declared.value, self.registry),
        )


class Part:
    """The keys or the values of a topic."""

    def __init__(self, subject: str, declared: TopicSchema | None, registry: SchemaRegistry | None) -> None:
        self.kind = declared.type.lower() if declared else None
        self.subject = subject
        self._text = declared.text if declared and self.kind == "avro" else None
        self._registry = registry if self.kind in (None, "avro") else None

    async def prepare(self) -> None:
        """Register the declared schema."""
        if self._registry is not None and self._text and self._registry.settings.register:
            await self._registry.register(self.subject, self._text)

    # --- writing ----------------------------------------------------------------------------------------------------

    async def written(self, content: Any) -> Any:
        """The content of a row as it is to be kept. Raises RecordError for what does not fit."""
        if content is None or type(content) is Framed:
            return content
        if self.kind == "string":
            return self._as_text(content)
        if self.kind == "bytes":
            return Framed(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else content
        if type(content) is EncodedAvro:
            return await self._framed(content)
        schema = await self._schema()
        if schema is None or (isinstance(content, bytes) and content[:1] == MAGIC):
            return content
        return await self._framed(encode_avro(AvroValue(schema, self._datum(schema, content))))

    async def _framed(self, datum: EncodedAvro) -> Any:
        if self._registry is None:
            return datum
        if self._registry.settings.use_latest and (latest := await self._registry.latest(self.subject)):
            schema = json.loads(latest.text)
            datum = encode_avro(AvroValue(schema, _decoded(datum.binary, json.loads(datum.schema))))
            number = latest.id
        else:
            number = await self._registry.register(self.subject, datum.schema)
        return Framed(MAGIC + number.to_bytes(4, "big") + datum.binary)

    async def _schema(self) -> Any:
        if self._text:
            return json.loads(self._text)
        if self._registry is None:
            return None
        latest = await self._registry.latest(self.subject)
        return json.loads(latest.text) if latest is not None and latest.kind == "AVRO" else None

    def _datum(self, schema: Any, content: str | bytes) -> Any:
        kind = schema.get("type") if isinstance(schema, dict) else schema
        if kind == "string":
            return content.decode() if isinstance(content, bytes) else content
        if kind == "bytes":
            return content if isinstance(content, bytes) else content.encode()
        try:
            return json.loads(content)
        except ValueError:
            raise RecordError(
                f"{self.subject} has an Avro schema, but this is neither Avro nor JSON: {str(content)[:80]}"
            ) from None

    def _as_text(self, content: Any) -> str:
        if isinstance(content, bytes):
            try:
                return content.decode()
            except UnicodeDecodeError:
                raise RecordError(f"{self.subject} is declared as string, but these bytes are not UTF-8") from None
        if isinstance(content, EncodedAvro):
            raise RecordError(f"{self.subject} is declared as string, but this is an Avro value")
        return str(content)

    # --- reading ----------------------------------------------------------------------------------------------------

    def unknown(self, content: bytes | None) -> int | None:
        """The id of a schema that has to be learned before this can be read."""
        if self._registry is None or content is None or len(content) < HEAD or content[:1] != MAGIC:
            return None
        number = int.from_bytes(content[1:HEAD], "big")
        return None if self._registry.settled(number) else number

    def read(self, content: Any) -> Any:
        """The content of a record as the schemas have it; what they do not explain stays as it is."""
        if content is None or (type(content) is not str and type(content) is not bytes):
            return content
        if self.kind == "string":
            return content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        if self.kind == "bytes":
            return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if self._registry is None or content[:1] not in (MAGIC, "\0"):
            return content
        binary = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        schema = self._registry.known(int.from_bytes(binary[1:HEAD], "big")) if len(binary) >= HEAD else None
        return content if schema is None else _explained(schema, binary, content)

    async def learn(self, number: int) -> None:
        """Ask the registry."""
        if self._registry is not None:
            await self._registry.learn(number)


class TopicForm:
    """How the records of one topic are read and written."""

    def __init__(self, key: Part, value: Part) -> None:
        self._key = key
        self._value = value
        self._unknown: dict[int, Part] = {}

    def saw(self, messages: Sequence[Any]) -> None:
        """Note which schemas these messages of the client need."""
        for message in messages:
            for part, content in ((self._value, message.value()), (self._key, message.key())):
                number = part.unknown(content)
                if number is not None:
                    self._unknown[number] = part

    async def learn(self) -> None:
        """Have every schema that was seen. Nothing is lost if it fails."""
        while self._unknown:
            number, part = next(iter(self._unknown.items()))
            await part.learn(number)
            self._unknown.pop(number, None)

    def read(self, runs: Sequence[Fetched]) -> list[Fetched]:
        """The records with their contents explained."""
        return [replace(run, records=[self._record(record) for record in run.records]) for run in runs]

    async def written(self, row: Row) -> Row:
        """The row as it is to be kept. Raises RecordError if it does not fit."""
        timestamp, key, value, headers = row
        return timestamp, await self._key.written(key), await self._value.written(value), headers

    def _record(self, record: SimpleRecord) -> SimpleRecord:
        key, value = self._key.read(record.key()), self._value.read(record.value())
        if key is record.key() and value is record.value():
            return record
        return SimpleRecord(value, key, record.headers(), record.origin(), record.timestamp())


def _explained(schema: Registered, binary: bytes, content: Any) -> Any:
    if schema.kind == "JSON":
        return binary[HEAD:].decode("utf-8", "replace")
    if schema.kind != "AVRO":
        return content
    parsed: Mapping[str, Any] = json.loads(schema.text)
    try:
        return AvroValue(parsed, _decoded(binary[HEAD:], parsed))
    except Exception:  # bytes that only look like it
        return content


def _decoded(binary: bytes, schema: Any) -> Any:
    import fastavro

    stream = io.BytesIO(binary)
    datum = fastavro.schemaless_reader(stream, fastavro.parse_schema(schema), None)
    if stream.read(1):
        raise ValueError("the datum ends before the bytes do")
    return datum

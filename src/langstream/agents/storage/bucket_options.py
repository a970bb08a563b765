"""The options that all sources of buckets share, and the records they make."""

from __future__ import annotations

import mimetypes
import re
import time
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from langstream.agents.storage.object_source import ObjectSource
from langstream.agents.storage.place import BucketPlace, Wanted
from langstream.agents.storage.policy import Policy
from langstream.agents.storage.sizes import Size, bytes_of
from langstream.configuration.model import Configuration, Text, TopicName
from langstream.records import SimpleRecord
from langstream.services.objects.contract import Content, ObjectStore

DEFAULT_EXTENSIONS = "pdf,docx,html,htm,md,txt"
_UNKNOWN_KINDS = (None, "", "application/octet-stream", "binary/octet-stream")

DESCRIPTION = """\
The key is the object's name, the value its bytes as they are stored; headers: `name`, `bucket`, `content-type` and
`content_diff` (`new` or `content_changed`). Every version is delivered once on brokers with transactions, elsewhere
at least once. By default an object is deleted when all that its record led to is safe, provided it is still the
version that was read; an object whose record failed under `on-failure: skip` stays. With `delete-objects: false`
objects stay, what was delivered is remembered across restarts, and changed objects are read again. Replicas share the
objects by their names."""


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", text):
        raise ValueError("not the address of a service: expected http://HOST:PORT or https://HOST")
    return text


Endpoint = Annotated[Text, AfterValidator(_address)]
"""The address of a service."""


class BucketOptions(Configuration):
    """Options of every source of a bucket."""

    path_prefix: Text = Field(
        default="", description="Only objects whose names begin with it. A `/` at its end is added if missing."
    )
    recursive: bool = Field(default=False, description="Whether objects with a further `/` in their names are read.")
    file_extensions: Text = Field(
        default=DEFAULT_EXTENSIONS,
        description="Wanted extensions, separated by commas, exactly as written in the names; `*`: all.",
    )
    idle_time: float = Field(default=5, ge=0, description="Seconds to wait when there is nothing new.")
    delete_objects: bool = Field(
        default=True,
        description="Delete an object when its record, and all it led to, is safe. Off: it stays, and is remembered.",
    )
    deleted_objects_topic: TopicName | None = Field(
        default=None, description="Topic that is told of objects deleted by somebody else."
    )
    emit_deletions: bool = Field(
        default=False,
        description="An object deleted by somebody else gives a record with its key and a null value. Not together "
        "with `deleted-objects-topic`.",
    )
    max_object_size: Size = Field(
        default="500M", description="Larger objects are left out, with a warning. Bytes, or a number with K, M or G."
    )
    source_record_headers: dict[str, Text] = Field(default={}, description="Headers to add to every record.")

    def wanted(self) -> Wanted:
        """Which objects are wanted."""
        extensions = {part.strip().removeprefix(".") for part in self.file_extensions.split(",")}
        prefix = self.path_prefix
        return Wanted(
            prefix=prefix if not prefix or prefix.endswith("/") else f"{prefix}/",
            recursive=self.recursive,
            extensions=None if "*" in extensions else frozenset(extensions),
        )

    def policy(self) -> Policy:
        """How the objects are treated."""
        return Policy(
            idle_time=self.idle_time,
            max_bytes=bytes_of(self.max_object_size),
            delete=self.delete_objects,
            emit_deletions=self.emit_deletions,
            deletions_topic=self.deleted_objects_topic,
        )

    def source(self, store: ObjectStore, bucket: str, label: str) -> ObjectSource:
        """The source of that bucket; `label` is what the status page calls it."""
        records = BucketRecords(bucket, self.source_record_headers)
        place = BucketPlace(store, self.wanted())
        return ObjectSource(place, records, self.policy(), {label: bucket}, identity=store.address())


class BucketRecords:
    """Records of objects: the key is the name."""

    def __init__(self, bucket: str, headers: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._headers = tuple(headers.items())

    def delivery(self, name: str, content: Content, diff: str) -> SimpleRecord:
        """Name and bytes; the time is now, for topics keep records by their time."""
        kind = content.content_type
        if kind in _UNKNOWN_KINDS:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = [*self._headers, ("name", name), ("bucket", self._bucket), ("content-type", kind)]
        return SimpleRecord(content.data, name, [*headers, ("content_diff", diff)], None, _now())

    def deletion(self, name: str) -> SimpleRecord:
        """A record of the same key, so that it keeps its order, without value."""
        return SimpleRecord(None, name, self._marked(name), None, _now())

    def notice(self, name: str) -> SimpleRecord:
        """The value is the name, the key the bucket."""
        return SimpleRecord(name, self._bucket, self._marked(name), None, _now())

    def _marked(self, name: str) -> list[tuple[str, str]]:
        return [
            *self._headers,
            ("name", name),
            ("bucket", self._bucket),
            ("recordType", "sourceObjectDeleted"),
            ("recordSource", "storageProvider"),
        ]


def _now() -> int:
    return time.time_ns() // 1_000_000

"""A record on its way to clients, written as JSON once however many sessions it goes to.

The push frame is `{"record": {"key", "value", "headers"}, "offset"}`. Text goes as it stands on the topic (JSON is not
parsed), bytes as the UTF-8 text they hold, Avro values as JSON. Bytes that are no UTF-8 go as base64, and the record
then has `"encoding": {"value": "base64"}` (or `"key"`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import orjson

from langstream.records import AvroValue, SimpleRecord, dump_json, header_text
from langstream.topics.contract import encode_position


class Delivery:
    """One record, and the position right after it (partition → next offset)."""

    __slots__ = ("_frame", "_offset", "positions", "record")

    def __init__(self, record: SimpleRecord, positions: Mapping[int, int]) -> None:
        self.record = record
        self.positions = positions
        self._offset: str | None = None
        self._frame: str | None = None

    @property
    def offset(self) -> str:
        """The token with which a client resumes right after this record."""
        if self._offset is None:
            self._offset = base64.b64encode(encode_position(self.positions)).decode("ascii")
        return self._offset

    @property
    def frame(self) -> str:
        """The push frame."""
        if self._frame is None:
            self._frame = _written({"record": _record_members(self.record), "offset": self.offset})
        return self._frame

    def header(self, name: str) -> str | None:
        """The first header of that name, as text."""
        for candidate, value in self.record.header_items():
            if candidate == name:
                return header_text(value)
        return None


def _record_members(record: SimpleRecord) -> dict[str, Any]:
    encoding: dict[str, str] = {}
    members: dict[str, Any] = {
        "key": _plain("key", record.key(), encoding),
        "value": _plain("value", record.value(), encoding),
        "headers": {name: header_text(value) for name, value in record.header_items()},
    }
    if encoding:
        members["encoding"] = encoding
    return members


def _plain(member: str, value: Any, encoding: dict[str, str]) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            encoding[member] = "base64"
            return base64.b64encode(value).decode("ascii")
    if isinstance(value, AvroValue):
        return value.value
    return dump_json(value).decode()


def _written(frame: dict[str, Any]) -> str:
    try:
        return dump_json(frame).decode()
    except (TypeError, orjson.JSONEncodeError):  # lone surrogates: valid in Python text, not in UTF-8
        return json.dumps(frame, default=str)

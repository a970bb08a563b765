"""What an expression can see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Scope(Protocol):
    """The roots of expressions: `value`, `key`, `properties`, `topicName`, `eventTime`, `messageKey`,
    `destinationTopic` and `record` (the current item of a loop). Any object with these attributes will do; an
    attribute that is absent counts as null."""

    @property
    def value(self) -> Any: ...
    @property
    def key(self) -> Any: ...
    @property
    def properties(self) -> Mapping[str, str]: ...
    @property
    def topic_name(self) -> str | None: ...
    @property
    def event_time(self) -> int | None: ...
    @property
    def message_key(self) -> Any: ...
    @property
    def destination_topic(self) -> str | None: ...
    @property
    def record(self) -> Any: ...

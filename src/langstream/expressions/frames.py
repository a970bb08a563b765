"""Scopes made during an evaluation: items of a loop, and variables. None outlives the evaluation."""

from __future__ import annotations

from typing import Any, Final

MISSING: Final = object()
"""What `Frame.find` gives for a variable that was never set."""


class _Inner:
    """A scope that shows the roots of another."""

    __slots__ = ("outer",)

    def __init__(self, outer: Any) -> None:
        self.outer = outer

    @property
    def value(self) -> Any:
        return getattr(self.outer, "value", None)

    @property
    def key(self) -> Any:
        return getattr(self.outer, "key", None)

    @property
    def properties(self) -> Any:
        return getattr(self.outer, "properties", None)

    @property
    def topic_name(self) -> Any:
        return getattr(self.outer, "topic_name", None)

    @property
    def event_time(self) -> Any:
        return getattr(self.outer, "event_time", None)

    @property
    def message_key(self) -> Any:
        return getattr(self.outer, "message_key", None)

    @property
    def destination_topic(self) -> Any:
        return getattr(self.outer, "destination_topic", None)


class ItemScope(_Inner):
    """The message, with an item of a list as `record`."""

    __slots__ = ("record",)

    def __init__(self, outer: Any, record: Any = None) -> None:
        super().__init__(outer)
        self.record = record


class Frame(_Inner):
    """The message, and the variables of one evaluation or of one call of a lambda."""

    __slots__ = ("_parent", "_variables")

    def __init__(self, outer: Any, variables: dict[str, Any] | None = None) -> None:
        super().__init__(outer)
        self._parent = outer if isinstance(outer, Frame) else None
        self._variables = variables if variables is not None else {}

    @property
    def record(self) -> Any:
        return getattr(self.outer, "record", None)

    def find(self, name: str) -> Any:
        """The variable's value, or `MISSING`."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame._variables:
                return frame._variables[name]
            frame = frame._parent
        return MISSING

    def assign(self, name: str, value: Any) -> None:
        """Set the variable in this frame."""
        self._variables[name] = value

"""Reading one mapping of an application file: typed values, unknown keys, every problem with its place.

A reader asks for the keys it knows; a wrong value is noted and answered with the default, so that one mistake never
hides the next. Placeholders are resolved where a key is read, unless it is read with `raw`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from langstream.application.placeholders import Placeholders, Unknown, Unresolved
from langstream.application.yaml_source import Places
from langstream.configuration.validation import did_you_mean
from langstream.errors import Position, Problem

Choice = TypeVar("Choice", bound=StrEnum)


class Section:
    """One mapping of a file. `subject` names it in messages, for instance `agent 'a1'`."""

    def __init__(
        self, data: Any, places: Places, problems: list[Problem], subject: str, placeholders: Placeholders | None = None
    ) -> None:
        self.places, self.problems, self.subject = places, problems, subject
        self.placeholders = placeholders or Placeholders()
        self.data: Mapping[str, Any] = {}
        if isinstance(data, Mapping):
            self.data = data
        elif data is not None:
            self.problem(f"{self.title} must be a mapping, not {described(data)}")

    @property
    def title(self) -> str:
        """The subject as the beginning of a sentence; names of files stay as they are."""
        if self.subject.endswith((".yaml", ".yml")) and " " not in self.subject:
            return self.subject
        return self.subject[:1].upper() + self.subject[1:]

    def __contains__(self, key: str) -> bool:
        return self.data.get(key) is not None

    def position(self, *path: str | int) -> Position:
        """Where the path stands."""
        return self.places(path)

    def problem(self, message: str, *path: str | int, hint: str | None = None) -> None:
        """Note a problem at a place inside."""
        self.problems.append(Problem(f"{message}.", self.places(path), hint))

    def only(self, *known: str) -> None:
        """Refuse keys other than these."""
        for key in self.data:
            if key not in known:
                hint = did_you_mean(key, known) or f"Known keys: {', '.join(known)}."
                self.problem(f"{self.title} has an unknown key '{key}'", key, hint=hint)

    def top(self, key: str) -> Section:
        """The mapping under the only key that a file may have at its top, which must be there."""
        if key in self.data:
            self.only(key)
        else:
            found = f"It has {', '.join(self.data)}." if self.data else None
            self.problem(f"{self.title} must have the top-level key '{key}'", hint=found)
        return self.section(key, key)

    def raw(self, key: str) -> Any:
        """The value as written, or None."""
        return self.data.get(key)

    def value(self, key: str) -> Any:
        """The value with its placeholders resolved; those that cannot be are noted, and stay."""
        return self.placeholders.resolve(self.data.get(key), self.problems, self.places, (key,))

    def text(self, key: str, *, raw: bool = False, required: bool = False) -> str | None:
        """A text, or None where it is absent; numbers and booleans are taken as their text. Blank counts as absent."""
        value = self.raw(key) if raw else self.value(key)
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int | float):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None and not isinstance(value, str):
            self.problem(f"'{key}' of {self.subject} must be a text, not {described(value)}", key)
        elif required:
            self.missing(key)
        return None

    def missing(self, key: str, hint: str | None = None) -> None:
        """Note that a key is required."""
        written = self.data.get(key)
        if isinstance(written, str) and "${" in written:
            hint = hint or f"{written} stands for nothing."
        where = (key,) if key in self.data else ()
        self.problem(f"'{key}' of {self.subject} is required", *where, hint=hint)

    def integer(self, key: str, default: int | None, *, least: int = 0, most: int = 2**31 - 1) -> int | None:
        """A whole number within bounds; numeric text is accepted."""
        written = self.value(key)
        if written is None:
            return default
        number = _whole(written)
        if number is None:
            self.problem(f"'{key}' of {self.subject} must be a whole number, not {described(written)}", key)
        elif not least <= number <= most:
            bound = f"at least {least}" if number < least else f"at most {most}"
            self.problem(f"'{key}' of {self.subject} must be {bound}, not {number}", key)
        else:
            return number
        return default

    def boolean(self, key: str, default: bool | None) -> bool | None:
        """True or false; the texts `true` and `false` are accepted."""
        written = self.value(key)
        if written is None or isinstance(written, bool):
            return default if written is None else written
        if isinstance(written, str) and written.strip().lower() in ("true", "false"):
            return written.strip().lower() == "true"
        self.problem(f"'{key}' of {self.subject} must be true or false, not {described(written)}", key)
        return default

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """A member of an enumeration, written exactly."""
        return self.optional_choice(key, kind) or default

    def optional_choice(self, key: str, kind: type[Choice]) -> Choice | None:
        """A member of an enumeration, or None."""
        written = self.text(key)
        if written is None:
            return None
        members = [member.value for member in kind]
        if written not in members:
            hint = did_you_mean(written, members)
            self.problem(
                f"'{key}' of {self.subject} must be one of {', '.join(members)}, not '{written}'", key, hint=hint
            )
            return None
        return kind(written)

    def mapping(self, key: str, *, raw: bool = False) -> dict[str, Any]:
        """A free mapping, placeholders resolved; empty where it is absent."""
        value = self.raw(key) if raw else self.value(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            if not (isinstance(value, str) and "${" in value):  # an unresolved placeholder is noted already
                self.problem(f"'{key}' of {self.subject} must be a mapping, not {described(value)}", key)
            return {}
        return dict(value)

    def section(self, key: str, subject: str) -> Section:
        """The mapping under a key, to be read further."""
        return Section(self._unfolded(key), self.places.below(key), self.problems, subject, self.placeholders)

    def sections(self, key: str, subject: str) -> Iterator[Section]:
        """The mappings of a list. One mapping in place of a list is its only item."""
        items = self._unfolded(key)
        if isinstance(items, Mapping):
            yield self.section(key, subject)
        elif isinstance(items, list):
            for index, item in enumerate(items):
                where = self.places.below(key, index)
                if not isinstance(item, Mapping):
                    told = "is empty" if item is None else f"must be a mapping, not {described(item)}"
                    self.problem(f"Item {index + 1} of '{key}' of {self.subject} {told}", key, index)
                    continue
                yield Section(item, where, self.problems, subject, self.placeholders)
        elif items is not None:
            self.problem(f"'{key}' of {self.subject} must be a list, not {described(items)}", key)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, or None where it is absent. One text is a list of one."""
        items = self.value(key)
        if items is None:
            return None
        if isinstance(items, str):
            return (items,)
        if isinstance(items, list) and all(isinstance(item, str | int | float) for item in items):
            return tuple(str(item) for item in items)
        self.problem(f"'{key}' of {self.subject} must be a list of texts", key)
        return ()

    def _unfolded(self, key: str) -> Any:
        """The raw value; a placeholder in place of a whole mapping or list is resolved first."""
        written = self.data.get(key)
        if isinstance(written, str) and "${" in written:
            try:
                return self.placeholders.text(written)
            except Unknown:
                return None
            except Unresolved as failure:
                self.problem(failure.message.rstrip("."), key, hint=failure.hint)
                return None
        return written


def described(value: Any) -> str:
    """What kind of value it is; short text and numbers themselves, in quotes."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if len(str(value)) <= 60 else "a long text"


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.strip().lstrip("+-").isascii() and value.strip().lstrip("+-").isdigit():
        return int(value) if len(value) < 20 else None
    return None

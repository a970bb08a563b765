"""Checking data against an option model: every problem at once, each with its place and, where one is near, a guess."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from langstream.errors import Position, Problem

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the root of the checked data to a place inside."""

Locator: TypeAlias = Callable[[Path], Position | None]
"""The position of a path; of the nearest enclosing place where the path itself does not exist."""

Model = TypeVar("Model", bound=BaseModel)


def nowhere(path: Path) -> None:
    """The locator of data that came from no file."""
    return


def check(
    model: type[Model], data: Mapping[str, Any] | None, *, subject: str, locate: Locator = nowhere
) -> tuple[Model | None, list[Problem]]:
    """The validated model, or None and every problem.

    `subject` names what is being checked, for instance `agent configuration (agent: 'a1', type: 'drop')`.
    """
    try:
        return model.model_validate(dict(data or {})), []
    except ValidationError as error:
        return None, [
            _problem(model, detail, subject, locate) for detail in error.errors(include_url=False, include_input=False)
        ]


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to this one, if any is close."""
    match = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return match[0] if match else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`Did you mean 'x'?`, or None."""
    match = near(name, known)
    return f"Did you mean '{match}'?" if match else None


def _problem(model: type[BaseModel], detail: Any, subject: str, locate: Locator) -> Problem:
    location: Path = tuple(part for part in detail["loc"] if not _is_union_branch(part))
    dotted = ".".join(str(part) for part in location)
    prefix = f"Found error on {subject}."
    hint: str | None = None
    if detail["type"] == "extra_forbidden":
        known = _known_names(model, location[:-1])
        message = f"{prefix} Property '{dotted}' is unknown"
        hint = did_you_mean(str(location[-1]), known) or f"Known properties: {', '.join(known)}."
    elif detail["type"] == "missing":
        message = f"{prefix} Property '{dotted}' is required"
    elif detail["type"] == "value_error":
        message = (
            f"{prefix} Property '{dotted}': {detail['ctx']['error']}"
            if dotted
            else f"{prefix} {detail['ctx']['error']}"
        )
    else:
        message = f"{prefix} Property '{dotted}' has a wrong value: {_lowered(detail['msg'])}"
    return Problem(message, locate(location), hint)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_union_branch(part: str | int) -> bool:
    """Pydantic adds names such as `list[str]` or `function-after[…]` to locations inside unions."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool", "dict", "none"))


def _known_names(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        fields = {info.alias or name: info for name, info in current.model_fields.items()}
        info = fields.get(part)
        nested = _nested_model(info.annotation) if info else None
        if nested is None:
            return []
        current = nested
    return sorted(info.alias or name for name, info in current.model_fields.items())


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _nested_model(argument)
        if found is not None:
            return found
    return None

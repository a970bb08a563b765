"""Checking data against an option model: every problem at once, each with its place and, where one is near, a guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from langstream.configuration.complaints import complaints
from langstream.configuration.names import did_you_mean, near
from langstream.errors import Position, Problem

__all__ = ["Locator", "Path", "check", "did_you_mean", "near", "nowhere"]

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
    given = dict(data or {})
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [
            Problem(f"Found error on {subject}. {complaint.message}", locate(complaint.path), complaint.hint)
            for complaint in complaints(model, given, details)
        ]

"""The option `fields` that most sinks have: names and the expressions that give their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from langstream.configuration.model import Configuration, Expression


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("the expression is empty")
    return text


class SinkField(Configuration):
    """One field."""

    name: Annotated[str, Field(min_length=1, description="Name of the field in the store.")]
    expression: Annotated[
        Expression, AfterValidator(_not_blank), Field(description="Value of the field, computed from the record.")
    ]


class KeyField(SinkField):
    """One field, which may belong to the primary key."""

    primary_key: Annotated[bool, Field(description="Whether the field belongs to the primary key.")] = False


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name."""


def all_different(fields: Iterable[Named]) -> None:
    """Raises ValueError where a name stands there twice."""
    names = [field.name for field in fields]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"fields: {', '.join(repeated)} stands there more than once")


def key_names(fields: Sequence[KeyField]) -> tuple[str, ...]:
    """The fields that are marked as primary key, or else the one of the name `id`. Raises ValueError without any."""
    marked = tuple(field.name for field in fields if field.primary_key)
    found = marked or tuple(field.name for field in fields if field.name == "id")
    if not found:
        raise ValueError("fields: one needs primary-key: true, or the name id")
    return found

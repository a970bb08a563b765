"""What the hand-written contestants have in common: their arguments, and the three steps in plain Python."""

from __future__ import annotations

import sys
from typing import NamedTuple

import orjson


class Task(NamedTuple):
    """What to do, from the command line."""

    bootstrap: str
    source: str
    target: str
    group: str
    work: str
    """`pass` or `transform`."""
    guarantee: str
    """`least`, `exact` or `none`."""


def task() -> Task:
    """The arguments."""
    return Task(*sys.argv[1:7])


def transform(text: bytes) -> bytes:
    """As the pipeline: compute where it is warm, drop two fields, compute once more."""
    value = orjson.loads(text)
    if value["celsius"] > 10:
        value["fahrenheit"] = value["celsius"] * 2 + 32
    value.pop("raw", None)
    value.pop("note", None)
    value["label"] = value["station"].upper()
    return orjson.dumps(value)

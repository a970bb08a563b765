"""Sizes in options: a number of bytes, or a number with K, M or G."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from langstream.configuration.model import Text

_UNITS: Final = {"K": 1024, "M": 1024**2, "G": 1024**3}


def _checked(text: str) -> str:
    if not re.fullmatch(r"\d+[KMG]?", text):
        raise ValueError(f"{text!r} is not a size: expected a number of bytes, such as 500000, 512K, 100M or 2G")
    return text


Size = Annotated[Text, AfterValidator(_checked)]
"""A size in an option."""


def bytes_of(size: str) -> int:
    """The number of bytes of a size."""
    return int(size.rstrip("KMG")) * _UNITS.get(size[-1], 1)

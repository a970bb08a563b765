"""Squeezing blanks and empty lines, and turning text into lower case."""

from __future__ import annotations

import re
from typing import Final

SQUEEZES: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\t+", " "),
        (r" +", " "),
        (r"\n\n\n", "\n\n"),
        (r"(?: \n\n)+", " \n\n"),
        (r"(?: \n)+", "\n"),
        (r"\n ", "\n"),
    )
)
"""Applied in this order, each in one pass: four newlines become three, as they always did."""

ASCII_BLANKS: Final = "".join(map(chr, range(33)))
"""What is trimmed at both ends: everything up to the blank, but no other Unicode spaces."""


def normalised(text: str, trim: bool, lower: bool) -> str:
    """The text squeezed, then in lower case, as far as it is asked for."""
    if trim:
        text = squeezed(text)
    return text.lower() if lower else text


def squeezed(text: str) -> str:
    """The text with its blanks, tabs and newlines squeezed and both ends trimmed."""
    for pattern, replacement in SQUEEZES:
        text = pattern.sub(replacement, text)
    return text.strip(ASCII_BLANKS)

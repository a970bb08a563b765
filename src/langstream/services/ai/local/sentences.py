"""Splitting text into sentences, for quoting. Nothing is lost: the sentences in a row are the text."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 600
"""Characters of a sentence; longer ones (tables, lists without punctuation) are cut at a blank."""

_END: Final = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])|\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)")
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|dr|mr|mrs|ms|prof|sr|jr|st|inc|ltd|corp|z\.b|d\.h|bzw|ca|nr|p|pp|vol)"
    r"|\b[A-Z]|^\s*\d+)\.\s+$",
    re.IGNORECASE | re.MULTILINE,
)


def sentences(text: str) -> list[str]:
    """The sentences in order, blank ones left out, blanks at their ends removed and runs of blanks made one."""
    found = []
    for part in _parts(text):
        tidy = " ".join(part.split())
        if tidy:
            found.extend(_cut(tidy))
    return found


def _parts(text: str) -> list[str]:
    parts = []
    start = 0
    for match in _END.finditer(text):
        candidate = text[start : match.end()]
        if _ABBREVIATION.search(candidate) and not candidate.rstrip().endswith("\n") and "\n" not in match.group():
            continue
        parts.append(candidate)
        start = match.end()
    parts.append(text[start:])
    return parts


def _cut(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > LONGEST:
        blank = sentence.rfind(" ", LONGEST // 2, LONGEST)
        end = blank if blank > 0 else LONGEST
        pieces.append(sentence[:end].rstrip())
        sentence = sentence[end:].lstrip()
    return [*pieces, sentence] if sentence else pieces

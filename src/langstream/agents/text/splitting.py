"""Splitting text into chunks: coarse separators first, finer ones where a piece is still too long.

The rules are those of the recursive character splitter. A text is cut at the first separator that occurs in it; pieces
shorter than a chunk are collected and joined again up to its size; longer ones are cut at the following separators.
Consecutive chunks overlap by whole pieces. Lengths are sums over pieces and separators, each counted once.

A separator is a regular expression. What joins two pieces is the text that stood between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from langstream.agents.text.token_counts import Length
from langstream.errors import RecordError

MATCH_SECONDS = 10.0
"""How long one search of a separator may take: an unlucky expression can take forever on some texts."""

Piece = tuple[str, str, int, int]
"""The text before the piece (a separator, or nothing), the piece, and the lengths of both."""


class Separator:
    """One separator, compiled."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._literal = _literal(pattern)
        self._compiled: Any = regex.compile(pattern)

    def occurs_in(self, text: str) -> bool:
        """Whether the separator is in the text; the empty one is in every text."""
        if self._literal is not None:
            return self._literal in text
        return _bounded(lambda: self._compiled.search(text, timeout=MATCH_SECONDS), self.pattern) is not None

    def cut(self, text: str) -> Iterator[tuple[str, str]]:
        """(separator before it, piece) for every piece, empty ones included."""
        if self._literal == "":
            for character in text:
                yield "", character
        elif self._literal is not None:
            before = ""
            for piece in text.split(self._literal):
                yield before, piece
                before = self._literal
        else:
            yield from self._cut_at_matches(text)

    def _cut_at_matches(self, text: str) -> Iterator[tuple[str, str]]:
        matches = _bounded(lambda: list(self._compiled.finditer(text, timeout=MATCH_SECONDS)), self.pattern)
        before, end = "", 0
        for match in matches:
            yield before, text[end : match.start()]
            before, end = match.group(), match.end()
        yield before, text[end:]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk and its length by the length function."""

    text: str
    length: int


class Splitter:
    """Splits texts. Safe to use from several threads if the length function is."""

    def __init__(
        self,
        separators: Sequence[str],
        *,
        chunk_size: int,
        chunk_overlap: int,
        keep_separator: bool,
        length: Length,
    ) -> None:
        self._separators = tuple(Separator(pattern) for pattern in separators)
        self._size = chunk_size
        self._overlap = chunk_overlap
        self._keep = keep_separator
        self._length = length

    def split(self, text: str) -> list[Chunk]:
        """The chunks in order; none for blank text."""
        chunks: list[str] = []
        self._split(text, self._separators, chunks)
        return [Chunk(chunk, self._length(chunk)) for chunk in chunks if not chunk.isspace()]

    def _split(self, text: str, separators: tuple[Separator, ...], chunks: list[str]) -> None:
        separator, finer = _choose(text, separators)
        collected: list[Piece] = []
        for piece in self._pieces(separator, text):
            if piece[3] < self._size:
                collected.append(piece)
                continue
            self._merge(collected, chunks)
            collected = []
            if finer:
                self._split(piece[1], finer, chunks)
            else:
                chunks.append(piece[1])
        self._merge(collected, chunks)

    def _pieces(self, separator: Separator, text: str) -> Iterator[Piece]:
        length, keep = self._length, self._keep
        known: dict[str, int] = {"": 0}
        for before, piece in separator.cut(text):
            if keep:
                before, piece = "", before + piece
            if not piece:
                continue
            if before not in known:
                known[before] = length(before)
            yield before, piece, known[before], length(piece)

    def _merge(self, pieces: Sequence[Piece], chunks: list[str]) -> None:
        size, overlap = self._size, self._overlap
        current: deque[Piece] = deque()
        total = 0
        for piece in pieces:
            gap = piece[2]
            needed = piece[3] + gap
            if current and total + needed > size:
                _emit(current, chunks)
                while current and (total > overlap or (total > 0 and total + needed > size)):
                    first = current.popleft()
                    total -= first[3] + (current[0][2] if current else 0)
            total += piece[3] + (gap if current else 0)
            current.append(piece)
        _emit(current, chunks)


def _choose(text: str, separators: tuple[Separator, ...]) -> tuple[Separator, tuple[Separator, ...]]:
    """The first separator that occurs in the text, else the last; and the finer ones after it."""
    for index, separator in enumerate(separators):
        if separator.pattern == "":
            return separator, ()
        if separator.occurs_in(text):
            return separator, separators[index + 1 :]
    return separators[-1], ()


def _emit(current: Sequence[Piece], chunks: list[str]) -> None:
    if not current:
        return
    parts = [current[0][1]]
    for before, piece, _, _ in list(current)[1:]:
        parts += (before, piece)
    chunk = "".join(parts).strip()
    if chunk:
        chunks.append(chunk)


def _literal(pattern: str) -> str | None:
    r"""The only text the expression matches, or None: `\.` is a point, `\n` written with two characters a newline."""
    text, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
            escaped = pattern[position : position + 1]
            if escaped in _ESCAPES:
                character = _ESCAPES[escaped]
            elif escaped and not escaped.isalnum():
                character = escaped
            else:
                return None
        elif character in ".^$*+?{}[]|()":
            return None
        text.append(character)
        position += 1
    return "".join(text)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


def _bounded(search: Callable[[], Any], pattern: str) -> Any:
    try:
        return search()
    except TimeoutError:
        raise RecordError(
            f"the separator {pattern!r} takes longer than {MATCH_SECONDS:g} s on this text. Simplify the expression"
        ) from None

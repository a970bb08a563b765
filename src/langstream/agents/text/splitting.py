"""Splitting text into chunks: coarse separators first, finer ones where a piece is still too long.

The rules are those of the recursive character splitter. A text is cut at the first separator that occurs in it; pieces
shorter than a chunk are collected and joined again up to its size; longer ones are cut at the following separators.
Consecutive chunks overlap by whole pieces. Lengths are sums over pieces and separators, each counted once.

A separator is a regular expression. What joins two pieces is the text that stood between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from struct import Struct
from typing import Any

import regex

from langstream.agents.text.token_counts import Length
from langstream.agents.text.token_counts import length_function as named_length
from langstream.errors import RecordError

_COUNT = Struct(">Q")
_PACKED = Struct(">QQ")

MATCH_SECONDS = 10.0
"""How long one search of a separator may take: an unlucky expression can take forever on some texts."""


class Separator:
    """One separator, compiled."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._literal = _literal(pattern)
        self._compiled: Any = regex.compile(pattern)
        self.plain = self._literal is not None

    def occurs_in(self, text: str) -> bool:
        """Whether the separator is in the text; the empty one is in every text."""
        if self._literal is not None:
            return self._literal in text
        return _bounded(lambda: self._compiled.search(text, timeout=MATCH_SECONDS), self.pattern) is not None

    def cut(self, text: str) -> tuple[list[str], list[str]]:
        """The pieces, empty ones included, and for each the separator before it."""
        if self._literal is None:
            return self._cut_at_matches(text)
        if not self._literal:
            return list(text), [""] * len(text)
        pieces = text.split(self._literal)
        return pieces, ["", *repeat(self._literal, len(pieces) - 1)]

    def _cut_at_matches(self, text: str) -> tuple[list[str], list[str]]:
        pieces: list[str] = []
        befores, end = [""], 0
        for match in _bounded(lambda: list(self._compiled.finditer(text, timeout=MATCH_SECONDS)), self.pattern):
            pieces.append(text[end : match.start()])
            befores.append(match.group())
            end = match.end()
        pieces.append(text[end:])
        return pieces, befores


@dataclass(slots=True)
class _Pieces:
    """Pieces in a row: texts, the separators before them, and the lengths of both."""

    texts: list[str]
    befores: list[str]
    lengths: list[int]
    gaps: list[int]

    def joined(self, start: int, end: int) -> str:
        """The text of some of them, trimmed."""
        parts = [part for pair in zip(self.befores[start:end], self.texts[start:end], strict=True) for part in pair]
        return "".join(parts[1:]).strip()


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
        self.plain = all(separator.plain for separator in self._separators)
        """Whether no separator is an expression that could take long."""

    def split(self, text: str) -> list[Chunk]:
        """The chunks in order; none for blank text."""
        chunks: list[str] = []
        self._split(text, self._separators, chunks)
        return [Chunk(chunk, self._length(chunk)) for chunk in chunks if chunk and not chunk.isspace()]

    def _split(self, text: str, separators: tuple[Separator, ...], chunks: list[str]) -> None:
        separator, finer = _choose(text, separators)
        pieces = self._pieces(separator, text)
        begin = 0
        for index, length in enumerate(pieces.lengths):
            if length < self._size:
                continue
            self._merge(pieces, begin, index, chunks)
            begin = index + 1
            if finer:
                self._split(pieces.texts[index], finer, chunks)
            else:
                chunks.append(pieces.texts[index])
        self._merge(pieces, begin, len(pieces.texts), chunks)

    def _pieces(self, separator: Separator, text: str) -> _Pieces:
        texts, befores = separator.cut(text)
        if self._keep:
            texts = [before + piece for before, piece in zip(befores, texts, strict=True)]
            befores = [""] * len(texts)
        if not all(texts):
            befores = [before for before, piece in zip(befores, texts, strict=True) if piece]
            texts = [piece for piece in texts if piece]
        length = self._length
        known = {before: length(before) if before else 0 for before in set(befores)}
        return _Pieces(texts, befores, list(map(length, texts)), [known[before] for before in befores])

    def _merge(self, pieces: _Pieces, begin: int, end: int, chunks: list[str]) -> None:
        """Join the pieces from `begin` up to `end`; `start` is where the chunk being filled begins."""
        size, overlap, lengths, gaps = self._size, self._overlap, pieces.lengths, pieces.gaps
        start, total = begin, 0
        for index in range(begin, end):
            needed = lengths[index] + gaps[index]
            if start < index and total + needed > size:
                chunks.append(pieces.joined(start, index))
                while start < index and (total > overlap or (total > 0 and total + needed > size)):
                    start += 1
                    total -= lengths[start - 1] + (gaps[start] if start < index else 0)
            total += needed if start < index else lengths[index]
        if start < end:
            chunks.append(pieces.joined(start, end))


def splitter_of(
    separators: Sequence[str], chunk_size: int, chunk_overlap: int, keep_separator: bool, length_function: str
) -> Splitter:
    """A splitter that counts by the length function of that name. Loads its vocabulary: call it in a thread."""
    return Splitter(
        separators,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        keep_separator=keep_separator,
        length=named_length(length_function),
    )


def packed(chunks: Sequence[Chunk]) -> bytes:
    """Chunks as bytes, for another process."""
    parts = [_COUNT.pack(len(chunks))]
    for chunk in chunks:
        text = chunk.text.encode("utf-8", "surrogatepass")
        parts += (_PACKED.pack(len(text), chunk.length), text)
    return b"".join(parts)


def unpacked(content: bytes) -> tuple[int, Iterator[Chunk]]:
    """How many chunks were packed, and they themselves, one after the other."""
    (count,) = _COUNT.unpack_from(content)
    return count, _unpacked(content)


def _unpacked(content: bytes) -> Iterator[Chunk]:
    position = _COUNT.size
    while position < len(content):
        size, length = _PACKED.unpack_from(content, position)
        position += _PACKED.size
        yield Chunk(content[position : position + size].decode("utf-8", "surrogatepass"), length)
        position += size


def _choose(text: str, separators: tuple[Separator, ...]) -> tuple[Separator, tuple[Separator, ...]]:
    """The first separator that occurs in the text, else the last; and the finer ones after it."""
    for index, separator in enumerate(separators):
        if separator.pattern == "":
            return separator, ()
        if separator.occurs_in(text):
            return separator, separators[index + 1 :]
    return separators[-1], ()


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

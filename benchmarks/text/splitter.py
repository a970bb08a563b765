"""Splitting text into chunks of tokens: `text-splitter` against the recursive splitter of LangChain.

    python benchmarks/text/splitter.py [--seconds 2]

Both split the same text by the same rules and count with the same tokenizer. The peer is `langchain_text_splitters`
where it is installed, else its algorithm written out plainly (every piece counted whenever it is looked at).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from langstream.agents.text.splitting import Splitter
from langstream.agents.text.token_counts import length_function

SEPARATORS = ("\n\n", "\n", " ", "")
SIZE, OVERLAP = 200, 100
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "was",
    "on",
    "as",
    "are",
    "with",
    "his",
    "they",
    "at",
    "be",
    "this",
    "from",
    "have",
    "or",
    "by",
    "one",
    "had",
    "not",
    "but",
    "what",
    "all",
    "were",
    "when",
    "we",
    "there",
    "can",
    "an",
    "your",
    "which",
    "their",
    "said",
    "if",
    "do",
    "will",
    "each",
    "about",
    "how",
    "up",
    "out",
    "them",
    "then",
    "she",
    "many",
    "some",
    "so",
    "these",
    "would",
    "other",
    "into",
    "has",
    "more",
    "her",
    "two",
    "like",
    "him",
    "see",
    "time",
    "could",
    "no",
    "make",
    "than",
    "first",
    "been",
    "its",
    "who",
    "now",
    "people",
    "my",
    "made",
    "over",
    "record",
    "topic",
    "broker",
    "partition",
    "offset",
    "retrieval",
    "embedding",
    "transformer",
    "acknowledgement",
    "idempotent",
    "throughput",
]


def main() -> None:
    """Measure both and print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seconds", type=float, default=2.0)
    seconds = arguments.parse_args().seconds
    text = prose(random.Random(7), characters=200_000)
    ours = Splitter(
        SEPARATORS, chunk_size=SIZE, chunk_overlap=OVERLAP, keep_separator=False, length=length_function("cl100k_base")
    )
    name, theirs = peer()
    mine = [chunk.text for chunk in ours.split(text)]
    if mine != theirs(text):
        print("note: the chunks differ")
    fast, slow = rate(lambda: ours.split(text), seconds, len(text)), rate(lambda: theirs(text), seconds, len(text))
    print(f"{'text-splitter':32} {fast / 1e6:8.2f} MB/s   {len(mine)} chunks")
    print(f"{name:32} {slow / 1e6:8.2f} MB/s")
    print(f"ratio {fast / slow:.1f}")


def peer() -> tuple[str, Callable[[str], Sequence[str]]]:
    """The splitter to compare with, counting with the same tokenizer but remembering nothing."""
    from rs_bpe.bpe import openai

    count: Callable[[str], int] = openai.cl100k_base().count
    try:
        import langchain_text_splitters
    except ImportError:
        return "the algorithm written out", lambda text: plain(text, SEPARATORS, count)
    splitter: Any = langchain_text_splitters.RecursiveCharacterTextSplitter(
        separators=list(SEPARATORS),
        chunk_size=SIZE,
        chunk_overlap=OVERLAP,
        keep_separator=False,
        length_function=count,
    )
    return "langchain_text_splitters", splitter.split_text


def plain(text: str, separators: Sequence[str], count: Callable[[str], int]) -> list[str]:
    """The rules, piece by piece."""
    index = next((i for i, item in enumerate(separators) if item == "" or item in text), len(separators) - 1)
    separator, finer = separators[index], separators[index + 1 :]
    chunks: list[str] = []
    good: list[str] = []
    for piece in filter(None, text.split(separator) if separator else list(text)):
        if count(piece) < SIZE:
            good.append(piece)
            continue
        chunks += merged(good, separator, count)
        good = []
        chunks += plain(piece, finer, count) if finer else [piece]
    return chunks + merged(good, separator, count)


def merged(pieces: Sequence[str], separator: str, count: Callable[[str], int]) -> list[str]:
    """Pieces joined up to the size of a chunk, with overlap."""
    chunks: list[str] = []
    current: list[str] = []
    gap, total = count(separator), 0
    for piece in pieces:
        length = count(piece)
        if current and total + length + gap > SIZE:
            chunks.append(separator.join(current).strip())
            while current and (total > OVERLAP or (total > 0 and total + length + gap > SIZE)):
                total -= count(current.pop(0)) + (gap if current else 0)
        total += length + (gap if current else 0)
        current.append(piece)
    if current:
        chunks.append(separator.join(current).strip())
    return [chunk for chunk in chunks if chunk]


def prose(source: random.Random, *, characters: int) -> str:
    """Paragraphs of sentences of words."""
    parts: list[str] = []
    size = 0
    while size < characters:
        sentence = " ".join(source.choices(WORDS, k=source.randint(5, 20))).capitalize() + "."
        parts += [sentence, source.choice((" ", " ", " ", "\n", "\n\n"))]
        size += len(sentence) + 1
    return "".join(parts)


def rate(work: Callable[[], object], seconds: float, size: int) -> float:
    """Characters per second; the best of the runs that fit into the time."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        work()
        best = max(best, size / (time.perf_counter() - begun))
    return best


if __name__ == "__main__":
    main()

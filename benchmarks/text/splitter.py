"""Splitting text into chunks of tokens: `text-splitter` against libraries that do the same.

    python benchmarks/text/splitter.py [--seconds 2]

All count tokens of `cl100k_base`. `langchain_text_splitters` splits by the same rules, with the same tokenizer; where
it is not installed, its algorithm written out plainly (every piece counted whenever it is looked at).
`semantic-text-splitter`, compiled from Rust, cuts at sentences and words by rules of its own, and has the tokenizer
built in. The runs alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from measuring import measured

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


Split = Callable[[str], Sequence[str]]


def main() -> None:
    """Measure all and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seconds", type=float, default=2.0)
    seconds = arguments.parse_args().seconds
    text = prose(random.Random(7), characters=200_000)
    splitters = {"text-splitter": ours(), **peers()}
    chunks = {name: list(split(text)) for name, split in splitters.items()}
    best = measured({name: partial(split, text) for name, split in splitters.items()}, seconds)
    fastest = len(text) / best["text-splitter"]
    for name, took in best.items():
        rate = len(text) / took
        same = "the same chunks" if chunks[name] == chunks["text-splitter"] else f"{len(chunks[name])} chunks"
        print(f"{name:28} {rate / 1e6:8.2f} MB/s   text-splitter is {fastest / rate:5.2f} times as fast   {same}")


def ours() -> Split:
    """The splitter of the agent."""
    splitter = Splitter(
        SEPARATORS, chunk_size=SIZE, chunk_overlap=OVERLAP, keep_separator=False, length=length_function("cl100k_base")
    )
    return lambda text: [chunk.text for chunk in splitter.split(text)]


def peers() -> dict[str, Split]:
    """The splitters to compare with, counting with the same tokenizer but remembering nothing."""
    from rs_bpe.bpe import openai

    count: Callable[[str], int] = openai.cl100k_base().count
    found: dict[str, Split] = {}
    try:
        import langchain_text_splitters
    except ImportError:
        found["the algorithm written out"] = lambda text: plain(text, SEPARATORS, count)
    else:
        splitter: Any = langchain_text_splitters.RecursiveCharacterTextSplitter(
            separators=list(SEPARATORS),
            chunk_size=SIZE,
            chunk_overlap=OVERLAP,
            keep_separator=False,
            length_function=count,
        )
        found["langchain-text-splitters"] = splitter.split_text
    try:
        import semantic_text_splitter
    except ImportError:
        return found
    semantic: Any = semantic_text_splitter.TextSplitter.from_tiktoken_model("gpt-4", SIZE, overlap=OVERLAP)
    return {**found, "semantic-text-splitter": semantic.chunks}


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


if __name__ == "__main__":
    main()

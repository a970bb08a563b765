"""The extractive answerer: it quotes the sentences of the prompt's documents that come closest to the question.

It is no language model and says so in every answer. What stands between quotation marks stands in the documents, word
for word, line breaks and runs of blanks made one blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from langstream.services.ai.contract import Message
from langstream.services.ai.local.engine import Engine
from langstream.services.ai.local.prompt import Inquiry, Passage, inquiry
from langstream.services.ai.local.ranking import Scored, bm25, ranked, words
from langstream.services.ai.local.sentences import sentences

QUOTED: Final = "Quoted from the documents (no language model is running):"
NOTHING_CLOSE: Final = (
    "No language model is running, and no passage of the documents is close enough to the question to be quoted."
)
NO_DOCUMENTS: Final = "No language model is running, and the prompt holds no documents to quote from."
NO_QUESTION: Final = "No language model is running, and the prompt holds no question."

SHORT: Final = 60
"""A quote shorter than this takes the following sentences along, for context."""

MOST_COMPARED: Final = 400
"""Sentences compared with the question by meaning; of a longer prompt those that share most words with it."""

RELATIVE: Final = 0.6
"""Further quotes must score at least this share of the best one."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the passage it stands in."""

    text: str
    passage: int


class ExtractiveAnswerer:
    """`quotes` is the most that an answer quotes, `minimum_similarity` what a sentence needs to be quoted."""

    def __init__(self, engine: Engine, quotes: int, minimum_similarity: float) -> None:
        self._engine = engine
        self._quotes = quotes
        self._minimum = minimum_similarity

    async def answer(self, messages: Sequence[Message]) -> str:
        """The answer to a conversation."""
        found = inquiry(messages)
        if not found.question:
            return NO_QUESTION
        parts = _sentences(found.passages)
        if not parts:
            return NO_DOCUMENTS
        chosen = self._chosen(await self._ranked(found, parts), parts)
        if not chosen:
            return NOTHING_CLOSE
        return "\n\n".join([QUOTED, *(_quote(parts, position, found.passages) for position in chosen)])

    async def _ranked(self, found: Inquiry, parts: Sequence[Sentence]) -> list[Scored]:
        positions = _compared(found.question, parts)
        texts = [parts[position].text for position in positions]
        vectors, _ = await self._engine.encode([found.question, *texts])
        order = ranked(found.question, texts, vectors[0], vectors[1:])
        return [replace(item, position=positions[item.position]) for item in order]

    def _chosen(self, order: Sequence[Scored], parts: Sequence[Sentence]) -> list[int]:
        """The sentences to quote, best first; none twice, nor one that an earlier quote takes along."""
        chosen: list[int] = []
        covered: set[str] = set()
        best = order[0].score
        for item in order:
            if len(chosen) == self._quotes or item.score < best * RELATIVE:
                break
            text = parts[item.position].text
            if item.similarity < self._minimum or text in covered:
                continue
            chosen.append(item.position)
            covered.update(parts[position].text for position in _span(parts, item.position))
        return chosen


def tokens(answer: str) -> list[str]:
    """The answer in the pieces in which it is streamed: words, each with the blanks before it."""
    return re.findall(r"\s*\S+", answer)


def _sentences(passages: Sequence[Passage]) -> list[Sentence]:
    return [Sentence(text, number) for number, passage in enumerate(passages) for text in sentences(passage.text)]


def _compared(question: str, parts: Sequence[Sentence]) -> list[int]:
    """The positions of the sentences worth comparing, in order."""
    positions = list(range(len(parts)))
    if len(parts) > MOST_COMPARED:
        scores = bm25(words(question), [words(part.text) for part in parts])
        positions = sorted(sorted(positions, key=lambda position: -scores[position])[:MOST_COMPARED])
    return positions


def _span(parts: Sequence[Sentence], position: int) -> range:
    """The sentence and those that follow it in its passage, until there is enough of it to be understood."""
    end, length = position + 1, len(parts[position].text)
    while length < SHORT and end < len(parts) and parts[end].passage == parts[position].passage:
        length += len(parts[end].text)
        end += 1
    return range(position, end)


def _quote(parts: Sequence[Sentence], position: int, passages: Sequence[Passage]) -> str:
    text = " ".join(parts[index].text for index in _span(parts, position))
    source = passages[parts[position].passage].source
    return f"“{text}” [{source}]" if source else f"“{text}”"

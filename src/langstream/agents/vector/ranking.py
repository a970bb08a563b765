"""Maximal marginal relevance: documents that answer the query (BM25) and differ from those already chosen (cosine)."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from langstream.errors import RecordError


@dataclass(frozen=True, slots=True)
class Parameters:
    """`balance` is lambda: the weight of relevance against diversity; `k1` and `b` belong to BM25."""

    limit: int = 100
    balance: float = 0.5
    k1: float = 1.5
    b: float = 0.75


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document: its place in the list, the tokens of its text and its unit vector (empty: a zero vector)."""

    place: int
    tokens: Counter[str]
    length: int
    vector: Sequence[float]


def tokens_of(text: str) -> list[str]:
    """Words between white space; letter case counts."""
    return text.split()


def candidate(place: int, text: str, vector: Sequence[float]) -> Candidate:
    """A document to be ranked."""
    words = tokens_of(text)
    return Candidate(place, Counter(words), len(words), _unit(vector))


def choose(query: str, candidates: Sequence[Candidate], parameters: Parameters) -> list[int]:
    """The places of the chosen documents, best first.

    Each round scores the remaining ones by ``lambda · BM25 − (1 − lambda) · D``, D being the mean cosine similarity to
    those chosen before; BM25 counts over the remaining ones. Raises RecordError for vectors of different lengths.
    """
    _check_dimensions(candidates)
    remaining = list(candidates)
    likeness = [0.0] * len(candidates)  # sums of cosines with the chosen ones, by position in `candidates`
    position = {document.place: index for index, document in enumerate(candidates)}
    chosen: list[int] = []
    terms = tokens_of(query)
    while remaining and len(chosen) < parameters.limit:
        relevance = _bm25(terms, remaining, parameters)
        divisor = len(chosen) or 1
        scores = [
            parameters.balance * relevance[index]
            - (1 - parameters.balance) * likeness[position[document.place]] / divisor
            for index, document in enumerate(remaining)
        ]
        best = remaining.pop(max(range(len(scores)), key=lambda index: (scores[index], -index)))
        chosen.append(best.place)
        for document in remaining:
            likeness[position[document.place]] += sum(map(mul, best.vector, document.vector))
    return chosen


def _bm25(terms: Sequence[str], documents: Sequence[Candidate], parameters: Parameters) -> list[float]:
    count = len(documents)
    average = sum(document.length for document in documents) / count or 1.0
    scores = [0.0] * count
    for term in terms:
        containing = sum(term in document.tokens for document in documents)
        idf = math.log((count - containing + 0.5) / (containing + 0.5) + 1)
        for index, document in enumerate(documents):
            frequency = document.tokens.get(term, 0)
            if frequency:
                norm = parameters.k1 * (1 - parameters.b + parameters.b * document.length / average)
                scores[index] += idf * frequency * (parameters.k1 + 1) / (frequency + norm)
    return scores


def _unit(vector: Sequence[float]) -> Sequence[float]:
    values = array("f", vector)
    length = math.sqrt(sum(map(mul, values, values)))
    return array("f", [value / length for value in values]) if length else array("f", [0.0] * len(values))


def _check_dimensions(candidates: Sequence[Candidate]) -> None:
    lengths = {len(document.vector) for document in candidates}
    if len(lengths) > 1:
        raise RecordError(f"the embeddings of the documents have different lengths: {sorted(lengths)}")

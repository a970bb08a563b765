"""Ranking sentences by how well they answer: meaning (cosine of the vectors) and words (BM25) together."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1: Final = 1.2
B: Final = 0.75
WORDS_WEIGHT: Final = 0.3
"""The share of the words in the score: they decide between passages of similar meaning (names, numbers)."""

_WORD: Final = re.compile(r"\w+")
_COMMON: Final = frozenset(
    _WORD.findall(
        "a an and are as at be by can do does for from has have how i if in is it its me my not of on or our say so "
        "tell than that the their them there they this to was we were what when where which who why will with would "
        "you your der die das den dem ein eine ist sind und oder von zu im in mit wie was wer wo wann warum für auf"
    )
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence's place in the list, its similarity to the question and its score with the words counted in."""

    position: int
    similarity: float
    score: float


def words(text: str) -> list[str]:
    """The words that tell something, in small letters, cut to their stem by a rule of thumb."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _COMMON]


def ranked(
    question: str, texts: Sequence[str], question_vector: NDArray[np.float32], vectors: NDArray[np.float32]
) -> list[Scored]:
    """Every text, best first."""
    similarities = (vectors @ question_vector).tolist()
    by_words = bm25(words(question), [words(text) for text in texts])
    most = max(by_words, default=0.0) or 1.0
    scored = [
        Scored(position, similarity, (1 - WORDS_WEIGHT) * similarity + WORDS_WEIGHT * count / most)
        for position, (similarity, count) in enumerate(zip(similarities, by_words, strict=True))
    ]
    return sorted(scored, key=lambda item: (-item.score, item.position))


def bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    """The score of each document for the words of the query."""
    if not documents:
        return []
    average = sum(map(len, documents)) / len(documents) or 1.0
    counts = [Counter(document) for document in documents]
    scores = [0.0] * len(documents)
    for word in set(query):
        holding = sum(1 for count in counts if word in count)
        rarity = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for position, count in enumerate(counts):
            if word in count:
                length = K1 * (1 - B + B * len(documents[position]) / average)
                scores[position] += rarity * count[word] * (K1 + 1) / (count[word] + length)
    return scores


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word

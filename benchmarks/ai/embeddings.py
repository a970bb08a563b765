"""Sentences per second of the local encoder, against the arithmetic alone.

The peer is the time that the matrix products of the network alone take in numpy on as many threads, for the same number
of tokens and without any padding. Both are measured in turns, the best of three rounds counts.

    python benchmarks/ai/embeddings.py [--texts 512] [--threads 2]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time

WORDS = (
    *("a", "stream", "of", "events", "flows", "from", "many", "sources", "through", "topics", "where", "agents"),
    *("read", "transform", "and", "answer", "questions", "about", "documents", "that", "people", "wrote", "over"),
    *("the", "years", "in", "reports", "letters", "notes"),
)
ROUNDS = 3


def made_texts(count: int) -> list[str]:
    """Sentences of 5 to 40 words, the same ones every time."""
    chance = random.Random(7)
    return [" ".join(chance.choices(WORDS, k=chance.randint(5, 40))) for _ in range(count)]


async def measure(texts: list[str], threads: int) -> tuple[float, float, int]:
    """The best time of the encoder, that of the arithmetic, and the tokens of the texts."""
    from langstream.services.ai.local.engine import Engine

    engine = Engine(threads, None)
    _, tokens = await engine.encode(texts)
    encoder, arithmetic = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await engine.encode(texts)
        encoder.append(time.perf_counter() - start)
        arithmetic.append(arithmetic_seconds(tokens))
    engine.close()
    return min(encoder), min(arithmetic), tokens


def arithmetic_seconds(tokens: int) -> float:
    """Time for the matrix products of six layers on that many tokens."""
    import numpy as np

    rows = 512
    generator = np.random.default_rng(7)
    hidden = generator.standard_normal((rows, 384), np.float32)
    square, up = generator.standard_normal((384, 384), np.float32), generator.standard_normal((384, 1536), np.float32)
    down = generator.standard_normal((1536, 384), np.float32)
    passes = max(1, tokens // rows)
    start = time.perf_counter()
    for _ in range(passes * 6):
        for _ in range(4):
            hidden @ square
        (hidden @ up) @ down
    return (time.perf_counter() - start) * tokens / (passes * rows)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before numpy loads
    texts = made_texts(options.texts)
    seconds, arithmetic, tokens = asyncio.run(measure(texts, options.threads))
    print(f"texts            {len(texts)} of {tokens / len(texts):.1f} tokens on average, {options.threads} threads")
    print(f"local encoder    {len(texts) / seconds:8.0f} texts/s")
    print(f"arithmetic only  {len(texts) / arithmetic:8.0f} texts/s")
    print(f"ratio            {arithmetic / seconds:8.2f} of the speed of the arithmetic")


if __name__ == "__main__":
    main()

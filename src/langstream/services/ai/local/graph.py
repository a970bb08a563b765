"""The network of a BERT sentence encoder as an ONNX graph, built from its weights.

Inputs are `ids` and `mask` (batch × length, int64); the output `vectors` is the mean of the last layer over the real
tokens, scaled to length one. Weights keep their values; only matrices are transposed once, to what MatMul multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OPSET: Final = 20
IR_VERSION: Final = 10
VERSION: Final = 1
"""Changes when the graph changes, so that graphs kept on disk are built anew."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of the network, from its `config.json`."""

    layers: int
    heads: int
    size: int
    epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """The measures in a parsed `config.json`. Raises ValueError for another kind of network."""
        kind = (config.get("model_type"), config.get("hidden_act"), config.get("position_embedding_type", "absolute"))
        if kind != ("bert", "gelu", "absolute"):
            raise ValueError(f"expected a BERT encoder with gelu and absolute positions, found {kind}")
        return cls(
            config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"], config["layer_norm_eps"]
        )


def build_graph(shape: Shape, weights: Mapping[str, Any]) -> bytes:
    """The serialised model. `weights` has numpy arrays under the names of the transformers library."""
    return _Builder(shape, weights).build()


class _Builder:
    def __init__(self, shape: Shape, weights: Mapping[str, Any]) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self._shape = shape
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def build(self) -> bytes:
        from onnx import TensorProto

        hidden = self._embedded()
        bias = self._attention_bias()
        for layer in range(self._shape.layers):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, bias)
        self._pooled(hidden)
        value_info = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "sentence-encoder",
            [value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ("ids", "mask")],
            [value_info("vectors", TensorProto.FLOAT, ["batch", self._shape.size])],
            list(self._constants.values()),
        )
        opset = self._helper.make_opsetid("", OPSET)
        model = self._helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        content: bytes = model.SerializeToString()
        return content

    def _node(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        name = output or f"n{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _constant(self, name: str, array: Any) -> str:
        if name not in self._constants:
            import numpy as np

            self._constants[name] = self._numpy.from_array(np.ascontiguousarray(array), name)
        return name

    def _integers(self, *values: int) -> str:
        import numpy as np

        return self._constant("i" + "_".join(map(str, values)), np.array(values, np.int64))

    def _number(self, value: float) -> str:
        import numpy as np

        return self._constant(f"f{value!r}", np.array(value, np.float32))

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _normalised(self, name: str, value: str) -> str:
        inputs = [value, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return self._node("LayerNormalization", inputs, axis=-1, epsilon=self._shape.epsilon)

    def _linear(self, name: str, value: str) -> str:
        matrix = self._constant(f"{name}.weight.T", self._weights[f"{name}.weight"].T)
        return self._node("Add", [self._node("MatMul", [value, matrix]), self._weight(f"{name}.bias")])

    def _embedded(self) -> str:
        """Words, positions and the type of a single text, normalised."""
        words = self._node("Gather", [self._weight("embeddings.word_embeddings.weight"), "ids"])
        length = self._node("Shape", ["ids"], start=1, end=2)
        positions = self._node(
            "Slice",
            [self._weight("embeddings.position_embeddings.weight"), self._integers(0), length, self._integers(0)],
        )
        types = self._constant("type_0", self._weights["embeddings.token_type_embeddings.weight"][0])
        added = self._node("Add", [self._node("Add", [words, types]), positions])
        return self._normalised("embeddings.LayerNorm", added)

    def _attention_bias(self) -> str:
        """0 for real tokens, a large negative number for padding: (batch, 1, 1, length)."""
        real = self._node("Cast", ["mask"], "real", to=1)
        absent = self._node("Sub", [self._number(1.0), real])
        spread = self._node("Unsqueeze", [absent, self._integers(1, 2)])
        return self._node("Mul", [spread, self._number(-1e9)])

    def _layer(self, name: str, hidden: str, bias: str) -> str:
        attended = self._linear(
            f"{name}.attention.output.dense", self._attention(f"{name}.attention.self", hidden, bias)
        )
        hidden = self._normalised(f"{name}.attention.output.LayerNorm", self._node("Add", [attended, hidden]))
        inner = self._node("Gelu", [self._linear(f"{name}.intermediate.dense", hidden)])
        return self._normalised(
            f"{name}.output.LayerNorm", self._node("Add", [self._linear(f"{name}.output.dense", inner), hidden])
        )

    def _attention(self, name: str, hidden: str, bias: str) -> str:
        size = self._shape.size // self._shape.heads
        query = self._heads(self._linear(f"{name}.query", hidden), [0, 2, 1, 3])
        key = self._heads(self._linear(f"{name}.key", hidden), [0, 2, 3, 1])
        value = self._heads(self._linear(f"{name}.value", hidden), [0, 2, 1, 3])
        scores = self._node("Mul", [self._node("MatMul", [query, key]), self._number(1 / math.sqrt(size))])
        weights = self._node("Softmax", [self._node("Add", [scores, bias])], axis=-1)
        mixed = self._node("Transpose", [self._node("MatMul", [weights, value])], perm=[0, 2, 1, 3])
        return self._node("Reshape", [mixed, self._integers(0, 0, self._shape.size)])

    def _heads(self, value: str, order: list[int]) -> str:
        size = self._shape.size // self._shape.heads
        split = self._node("Reshape", [value, self._integers(0, 0, self._shape.heads, size)])
        return self._node("Transpose", [split], perm=order)

    def _pooled(self, hidden: str) -> None:
        weight = self._node("Unsqueeze", ["real", self._integers(2)])
        total = self._node("ReduceSum", [self._node("Mul", [hidden, weight]), self._integers(1)], keepdims=0)
        # The mean differs from the sum by a factor, which scaling to length one takes away.
        length = self._node("ReduceL2", [total, self._integers(1)], keepdims=1)
        self._node("Div", [total, self._node("Max", [length, self._number(1e-12)])], "vectors")

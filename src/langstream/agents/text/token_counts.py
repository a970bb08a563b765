"""Counting the length of text: in characters, or in the tokens of a language model. Works offline.

`length` counts UTF-16 units, so that emoji count two, as in the original. `cl100k_base` and `o200k_base` come with
rs-bpe; older vocabularies are taken from tiktoken where it is installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from langstream.errors import AgentFailed

Length: TypeAlias = Callable[[str], int]
LengthFunction: TypeAlias = Literal["cl100k_base", "o200k_base", "r50k_base", "p50k_base", "p50k_edit", "length"]

LENGTH_FUNCTIONS: tuple[str, ...] = get_args(LengthFunction)
BUNDLED = ("cl100k_base", "o200k_base", "length")

MAX_CACHED_WORDS = 50_000
MAX_CACHED_CHARACTERS = 32
"""Short pieces of text repeat; their counts are remembered. Both limits bound the memory: about 5 MB."""


def utf16_length(text: str) -> int:
    """Number of UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def available(name: str) -> bool:
    """Whether the length function can work here."""
    return name in BUNDLED or importlib.util.find_spec("tiktoken") is not None


def length_function(name: str) -> Length:
    """The function of that name. Loading a vocabulary takes tens of milliseconds: call it in a thread."""
    if name == "length":
        return utf16_length
    return remembered(_bundled(name) if name in BUNDLED else _tiktoken(name))


def remembered(count: Length) -> Length:
    """A count that remembers short texts."""
    return _Counts(count).__getitem__


class _Counts(dict[str, int]):
    """Text → length. A dict that fills itself: what it knows costs one lookup, without a Python function."""

    def __init__(self, count: Length) -> None:
        super().__init__()
        self._count = count

    def __missing__(self, text: str) -> int:
        length = self._count(text)
        if len(text) <= MAX_CACHED_CHARACTERS:
            if len(self) >= MAX_CACHED_WORDS:
                self.clear()
            self[text] = length
        return length


def _bundled(name: str) -> Length:
    try:
        from rs_bpe.bpe import openai
    except ImportError:
        raise AgentFailed(
            f"the length function {name} needs the package 'rs-bpe'. Install it with: pip install 'langstream[text]'"
        ) from None
    tokenizer: Any = getattr(openai, name)()

    def count(text: str) -> int:
        try:
            return int(tokenizer.count(text))
        except UnicodeEncodeError:  # lone surrogates
            return int(tokenizer.count(text.encode("utf-8", "replace").decode()))

    return count


def _tiktoken(name: str) -> Length:
    try:
        import tiktoken

        encoding = tiktoken.get_encoding(name)
    except ImportError:
        raise AgentFailed(
            f"the length function {name} needs the package 'tiktoken'. Install it, or use one of {', '.join(BUNDLED)}"
        ) from None
    except Exception as error:
        raise AgentFailed(
            f"the vocabulary of {name} cannot be loaded ({type(error).__name__}). tiktoken fetches it once; without a "
            f"network, set TIKTOKEN_CACHE_DIR to a folder that has it, or use one of {', '.join(BUNDLED)}"
        ) from error
    return lambda text: len(encoding.encode_ordinary(text))

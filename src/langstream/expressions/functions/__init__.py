"""The function library: every `fn:` function, and what may be called besides."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from langstream.expressions.functions import dates, documents, numbers, structures, text
from langstream.expressions.functions.signature import VARIES, Function

__all__ = ["HOLDING", "LIBRARY", "VARIES", "Function", "unknown_function"]


def _filter_outside(*_arguments: object) -> object:
    raise AssertionError("fn:filter is compiled with the expression that contains it")


LIBRARY: Final[Mapping[str, Function]] = {
    function.name: function
    for function in (
        *text.FUNCTIONS,
        *structures.FUNCTIONS,
        Function("fn:filter(list, condition)", _filter_outside, 2, 2),
        *numbers.FUNCTIONS,
        *dates.FUNCTIONS,
        *documents.FUNCTIONS,
        *numbers.STATIC,
    )
}
"""Function by name, without `fn:`."""

HOLDING: Final = frozenset(function.name for function in structures.FUNCTIONS) - {"coalesce"} | {"filter"}
"""Functions whose results may hold their arguments."""


def unknown_function(name: str) -> str:
    """What to tell somebody who calls a function that does not exist."""
    if "." in name:
        return (
            f"{name} is not available; {_ALTERNATIVES.get(name.partition('.')[0], 'only functions, fn:name(…), are')}"
        )
    names = [known for known in LIBRARY if "." not in known]
    by_lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), by_lower, 1)
    if near:
        return f"there is no function fn:{name}: did you mean {LIBRARY[by_lower[near[0]]].signature}?"
    return f"there is no function fn:{name}: there are {', '.join(sorted(names))}"


_ALTERNATIVES: Final = {
    "Math": "of Math there are abs, max, min, round, floor, ceil, sqrt and pow",
    "Integer": "use fn:toInt(x)",
    "Long": "use fn:toLong(x)",
    "Double": "use fn:toDouble(x)",
    "String": "use fn:str(x), or fn:concat(a, b, …)",
}

"""Text → syntax tree → Python function.

`compile_expression` and `compile_condition` are what the rest of LangStream calls, once per configured text. What
they return takes a scope and keeps nothing between calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from langstream.expressions.calls import Condition, Evaluate
from langstream.expressions.closures import compile_whole, compile_whole_condition
from langstream.expressions.errors import ExpressionError, ExpressionSyntaxError
from langstream.expressions.frames import Frame
from langstream.expressions.generation import Failed
from langstream.expressions.parser import parse, underlined
from langstream.expressions.scope import Scope
from langstream.expressions.syntax import Assign, Lambda, Node
from langstream.expressions.tree import descendants

_log: Final = logging.getLogger(__name__)
_SHOWN: Final = 200


def compile_expression(text: str) -> Callable[[Scope], Any]:
    """The expression as a function of a scope.

    Raises ExpressionSyntaxError for a text that is not an expression; the function raises ExpressionError.
    """

    def failed(error: Exception) -> Any:
        raise _explained(error, text) from None

    return _compiled(compile_whole, text, failed)


def compile_condition(text: str) -> Callable[[Scope], bool]:
    """The expression as a condition (`when`).

    A name or member that does not exist makes it false; null is an error of kind `null-boolean`; text is true only
    if it is `true`, in any case of letters; numbers, lists and maps are errors.
    """

    def failed(error: Exception) -> bool:
        if isinstance(error, ExpressionError) and error.kind == "property-not-found":
            _log.debug("condition %r is false: %s", text, error)
            return False
        raise _explained(error, text) from None

    return _compiled(compile_whole_condition, text, failed)


def _compiled(compile_tree: Callable[[Node, Condition, Failed], Evaluate], text: str, failed: Failed) -> Evaluate:
    node = parse(text)
    try:
        evaluate = compile_tree(node, compile_condition, failed)
    except ExpressionSyntaxError as error:
        raise underlined(error, text) from None
    if any(isinstance(part, Assign | Lambda) for part in descendants(node)):
        return lambda scope: evaluate(Frame(scope))
    return evaluate


def _explained(error: Exception, text: str) -> ExpressionError:
    """The error with the expression and the place in it."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    if isinstance(error, ExpressionError):
        place = f", column {error.column}" if error.column else ""
        return ExpressionError(error.kind, f"{error} (expression {shown!r}{place})", column=error.column)
    if isinstance(error, RecursionError):
        return ExpressionError("stack-overflow", f"the values nest too deeply (expression {shown!r})")
    return ExpressionError("bad-argument", f"a number is too large or too small: {error} (expression {shown!r})")

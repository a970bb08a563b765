"""Syntax tree → Python closures.

`compile_expression` and `compile_condition` are what the rest of LangStream calls, once per configured text. What
they return takes a scope and keeps nothing between calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from langstream.expressions.calls import Evaluate
from langstream.expressions.closures import compile_node
from langstream.expressions.errors import ExpressionError, ExpressionSyntaxError
from langstream.expressions.frames import Frame
from langstream.expressions.parser import parse, underlined
from langstream.expressions.paths import compile_path
from langstream.expressions.scope import Scope
from langstream.expressions.syntax import Assign, Lambda, Node
from langstream.expressions.tree import descendants
from langstream.expressions.types import to_boolean

_log: Final = logging.getLogger(__name__)
_SHOWN: Final = 200


def compile_expression(text: str) -> Callable[[Scope], Any]:
    """The expression as a function of a scope.

    Raises ExpressionSyntaxError for a text that is not an expression; the function raises ExpressionError.
    """
    node = parse(text)
    path = compile_path(node, lambda error: _explained(error, text))
    if path is not None:
        return path
    evaluate = _compiled(node, text)

    def expression(scope: Scope) -> Any:
        try:
            return evaluate(scope)
        except (ExpressionError, RecursionError, ArithmeticError, ValueError) as error:
            raise _explained(error, text) from None

    return expression


def compile_condition(text: str) -> Callable[[Scope], bool]:
    """The expression as a condition (`when`).

    A name or member that does not exist makes it false; null is an error of kind `null-boolean`; text is true only
    if it is `true`, in any case of letters; numbers, lists and maps are errors.
    """
    evaluate = _compiled(parse(text), text)

    def condition(scope: Scope) -> bool:
        try:
            outcome = evaluate(scope)
            return outcome if outcome is True or outcome is False else to_boolean(outcome)
        except ExpressionError as error:
            if error.kind == "property-not-found":
                _log.debug("condition %r is false: %s", text, error)
                return False
            raise _explained(error, text) from None
        except (RecursionError, ArithmeticError, ValueError) as error:
            raise _explained(error, text) from None

    return condition


def _compiled(node: Node, text: str) -> Evaluate:
    try:
        evaluate = compile_node(node, compile_condition)
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

"""Calls: functions of the library, and `fn:filter`, whose condition is an expression of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from langstream.expressions.errors import ExpressionError, ExpressionSyntaxError
from langstream.expressions.frames import ItemScope
from langstream.expressions.functions import LIBRARY, VARIES, Function, unknown_function
from langstream.expressions.functions.structures import list_of
from langstream.expressions.syntax import Call, Literal, Node
from langstream.expressions.text import text_form

Evaluate: TypeAlias = Callable[[Any], Any]
"""A compiled node: the result for a scope."""

Compile: TypeAlias = Callable[[Node], Evaluate]
Condition: TypeAlias = Callable[[str], Callable[[Any], bool]]
"""Compiles the text of a condition."""

Failure: TypeAlias = Callable[[ExpressionError], ExpressionError]
"""Names the function in an error of its own."""

FILTER: Final = "filter"
_REMEMBERED_CONDITIONS: Final = 64


def located(error: ExpressionError, column: int) -> ExpressionError:
    """The error, placed there unless it has a place already."""
    error.column = error.column or column
    return error


def library_call(node: Call) -> tuple[Callable[..., Any], Failure]:
    """What to call with the arguments, and what its errors become.

    Raises ExpressionSyntaxError for what is wrong with the call itself.
    """
    function = _function(node)
    return _bound(function, node), _failure_of(function, node.column)


def compile_filter(node: Call, compile_node: Compile, condition: Condition) -> Evaluate:
    """The closure of a call of `fn:filter`."""
    _function(node)
    return _filter(node, compile_node, condition)


def _function(node: Call) -> Function:
    function = LIBRARY.get(node.function)
    if function is None:
        raise ExpressionSyntaxError(unknown_function(node.function), column=node.column)
    given = len(node.arguments)
    if not function.accepts(given):
        message = f"{function.signature} takes {_count(function)}, but {given} {'is' if given == 1 else 'are'} given"
        raise ExpressionSyntaxError(message, column=node.column)
    return function


def _count(function: Function) -> str:
    if function.most is None:
        return f"{function.least} or more arguments"
    return f"{function.most or 'no'} argument{'' if function.most == 1 else 's'}"


def _bound(function: Function, node: Call) -> Callable[..., Any]:
    """The function, with its literal arguments checked and prepared."""
    if function.bind is None:
        return function.call
    literals = tuple(part.value if isinstance(part, Literal) else VARIES for part in node.arguments)
    try:
        return function.bind(literals)
    except ExpressionError as error:
        raise ExpressionSyntaxError(str(error), column=node.column) from None


def _failure_of(function: Function, column: int) -> Failure:
    """Adds the function's name and place to an error of the function."""
    name = function.name if "." in function.name else f"fn:{function.name}"

    def failed(error: ExpressionError) -> ExpressionError:
        if error.column:
            return error
        message = str(error) if name in str(error) else f"{name}: {error}"
        return ExpressionError(error.kind, message, column=column)

    return failed


# --- fn:filter


def _filter(node: Call, compile_node: Compile, condition: Condition) -> Evaluate:
    items, text, column = compile_node(node.arguments[0]), node.arguments[1], node.column
    if isinstance(text, Literal) and isinstance(text.value, str):
        try:
            holds = condition(text.value)
        except ExpressionSyntaxError as error:
            raise ExpressionSyntaxError(f"the condition of fn:filter: {error}", column=text.column) from None
        return lambda scope: _filtered(items(scope), lambda: holds, scope, column)
    compiled = _condition_of(compile_node(text), condition, column)
    return lambda scope: _filtered(items(scope), lambda: compiled(scope), scope, column)


def _condition_of(text: Evaluate, condition: Condition, column: int) -> Callable[[Any], Callable[[Any], bool]]:
    """The condition whose text is only known at evaluation; recent ones are remembered."""
    remembered = functools.lru_cache(maxsize=_REMEMBERED_CONDITIONS)(condition)

    def compiled(scope: Any) -> Callable[[Any], bool]:
        wanted = text(scope)
        if wanted is None:
            raise ExpressionError("null-boolean", "the condition of fn:filter is null", column=column)
        try:
            return remembered(text_form(wanted))
        except ExpressionSyntaxError as error:
            raise ExpressionError("parse", f"the condition of fn:filter: {error}", column=column) from None

    return compiled


def _filtered(items: Any, condition: Callable[[], Callable[[Any], bool]], scope: Any, column: int) -> Any:
    if items is None:
        return None
    try:
        candidates = items if isinstance(items, list | tuple) else list_of(items, "filter")
    except ExpressionError as error:
        raise located(error, column) from None
    holds = condition()
    item_scope = ItemScope(scope)
    kept: list[Any] = []
    for item in candidates:
        if item is not None:
            item_scope.record = item
            if holds(item_scope):
                kept.append(item)
    return kept

"""Closures for what expressions do most: reading a root, following names, comparing the result with a literal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any, Final, TypeAlias

from langstream.expressions.errors import ExpressionError
from langstream.expressions.navigation import member
from langstream.expressions.operators import BINARY
from langstream.expressions.syntax import Binary, Literal, Member, Name, Node

Evaluate: TypeAlias = Callable[[Any], Any]
Compare: TypeAlias = Callable[[Any, Any], bool]
Explain: TypeAlias = Callable[[ExpressionError], ExpressionError]

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "value": "value",
    "properties": "properties",
    "topicName": "topic_name",
    "eventTime": "event_time",
    "messageKey": "message_key",
    "destinationTopic": "destination_topic",
    "record": "record",
}
_COMPARISONS: Final[Mapping[str, Compare]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compile_root(name: str) -> Evaluate | None:
    """The closure of a root name, or None for another name."""
    if name == "key":
        return _key
    attribute = _ATTRIBUTES.get(name)
    if attribute is None:
        return None
    read = attrgetter(attribute)

    def root(scope: Any) -> Any:
        try:
            return read(scope)
        except AttributeError:
            return None

    return root


def _key(scope: Any) -> Any:
    key = getattr(scope, "key", None)
    return getattr(scope, "message_key", None) if key is None else key


def compile_path(node: Node, explain: Explain | None = None) -> Evaluate | None:
    """The closure of a root followed by one or more literal names, or None for another node.

    `explain` gets to see what the closure raises.
    """
    names: list[tuple[str, int]] = []
    base = node
    while isinstance(base, Member):
        if not isinstance(base.index, Literal) or not isinstance(base.index.value, str):
            return None
        names.append((base.index.value, base.column))
        base = base.base
    if not names or not isinstance(base, Name) or base.name not in (*_ATTRIBUTES, "key"):
        return None
    names.reverse()
    start = _member_of_root(base.name, *names[0], explain)
    return start if len(names) == 1 else _members(start, names[1:], explain)


def _member_of_root(root: str, name: str, column: int, explain: Explain | None) -> Evaluate:
    read = _key if root == "key" else attrgetter(_ATTRIBUTES[root])

    def path(scope: Any) -> Any:
        try:
            base = read(scope)
        except AttributeError:
            return None
        return base.get(name) if type(base) is dict else _slow(base, name, column, explain)

    def value_path(scope: Any) -> Any:
        try:
            base = scope.value
        except AttributeError:
            return None
        return base.get(name) if type(base) is dict else _slow(base, name, column, explain)

    return value_path if root == "value" else path


def _members(start: Evaluate, names: list[tuple[str, int]], explain: Explain | None) -> Evaluate:
    if len(names) == 1:
        ((name, column),) = names

        def member_of_member(scope: Any) -> Any:
            base = start(scope)
            return base.get(name) if type(base) is dict else _slow(base, name, column, explain)

        return member_of_member

    def path(scope: Any) -> Any:
        base = start(scope)
        for name, column in names:
            base = base.get(name) if type(base) is dict else _slow(base, name, column, explain)
        return base

    return path


def _slow(base: Any, name: str, column: int, explain: Explain | None = None) -> Any:
    if base is None:
        return None
    try:
        return member(base, name)
    except ExpressionError as error:
        error.column = column
        raise error if explain is None else explain(error) from None


def compile_comparison(node: Binary) -> Evaluate | None:
    """The closure of a comparison between a path and a literal text or number, or None for another node."""
    operator, path, literal = node.operator, node.left, node.right
    if operator not in _COMPARISONS:
        return None
    if isinstance(path, Literal):
        operator, path, literal = _MIRRORED[operator], literal, path
    if not isinstance(literal, Literal) or type(literal.value) not in (str, int, float):
        return None
    slow = _carefully(BINARY[operator], literal.value, node.column)
    compare, constant = _COMPARISONS[operator], literal.value
    if isinstance(path, Member) and isinstance(path.base, Name) and path.base.name in _ATTRIBUTES:
        name = path.index.value if isinstance(path.index, Literal) else None
        if isinstance(name, str):
            return _member_against(attrgetter(_ATTRIBUTES[path.base.name]), name, path.column, compare, constant, slow)
    read = compile_root(path.name) if isinstance(path, Name) else compile_path(path)
    return None if read is None else _against(read, compare, constant, slow)


def _carefully(operate: Callable[[Any, Any], Any], constant: str | float, column: int) -> Evaluate:
    """The comparison with all its rules, for values of another type than the literal's."""

    def compare(found: Any) -> Any:
        try:
            return operate(found, constant)
        except ExpressionError as error:
            error.column = error.column or column
            raise

    return compare


def _against(read: Evaluate, compare: Compare, constant: str | float, slow: Evaluate) -> Evaluate:
    same, alike = _types_like(constant)

    def comparison(scope: Any) -> Any:
        found = read(scope)
        if type(found) is same or type(found) is alike:
            return compare(found, constant)
        return slow(found)

    return comparison


def _member_against(
    read: Evaluate, name: str, column: int, compare: Compare, constant: str | float, slow: Evaluate
) -> Evaluate:
    """`value.name == literal` and its like, the most frequent of all conditions: one call."""
    same, alike = _types_like(constant)

    def comparison(scope: Any) -> Any:
        try:
            base = read(scope)
        except AttributeError:
            base = None
        found = base.get(name) if type(base) is dict else _slow(base, name, column)
        if type(found) is same or type(found) is alike:
            return compare(found, constant)
        return slow(found)

    return comparison


def _types_like(constant: str | float) -> tuple[type, type]:
    """Types that can be compared with the literal as they are."""
    same = type(constant)
    return same, {int: float, float: int}.get(same, same)

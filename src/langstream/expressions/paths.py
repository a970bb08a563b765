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

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "value": "value",
    "properties": "properties",
    "topicName": "topic_name",
    "eventTime": "event_time",
    "messageKey": "message_key",
    "destinationTopic": "destination_topic",
    "record": "record",
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
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


def compile_path(node: Member) -> Evaluate | None:
    """The closure of a root followed by one or more literal names, or None for another node."""
    names: list[tuple[str, int]] = []
    base: Node = node
    while isinstance(base, Member):
        if not isinstance(base.index, Literal) or not isinstance(base.index.value, str):
            return None
        names.append((base.index.value, base.column))
        base = base.base
    root = compile_root(base.name) if isinstance(base, Name) else None
    if root is None or not isinstance(base, Name):
        return None
    names.reverse()
    if len(names) == 1:
        return _path_of_one(base.name, root, *names[0])
    return _path_of_many(base.name, root, names)


def _path_of_one(root_name: str, root: Evaluate, name: str, column: int) -> Evaluate:
    if root_name == "value":

        def value_path(scope: Any) -> Any:
            try:
                base = scope.value
            except AttributeError:
                return None
            if type(base) is dict:
                return base.get(name)
            return _slow(base, name, column)

        return value_path

    def path(scope: Any) -> Any:
        base = root(scope)
        if type(base) is dict:
            return base.get(name)
        return _slow(base, name, column)

    return path


def _path_of_many(root_name: str, root: Evaluate, names: list[tuple[str, int]]) -> Evaluate:
    (first, first_column), rest = names[0], names[1:]
    start = _path_of_one(root_name, root, first, first_column)
    if len(rest) == 1:
        ((name, column),) = rest

        def path_of_two(scope: Any) -> Any:
            base = start(scope)
            if type(base) is dict:
                return base.get(name)
            return _slow(base, name, column)

        return path_of_two

    def path(scope: Any) -> Any:
        base = start(scope)
        for name, column in rest:
            base = base.get(name) if type(base) is dict else _slow(base, name, column)
        return base

    return path


def _slow(base: Any, name: str, column: int) -> Any:
    if base is None:
        return None
    try:
        return member(base, name)
    except ExpressionError as error:
        error.column = column
        raise


def compile_comparison(node: Binary) -> Evaluate | None:
    """The closure of a comparison between a path and a literal text or number, or None for another node."""
    compare = _COMPARISONS.get(node.operator)
    if compare is None:
        return None
    operator, path, literal = node.operator, node.left, node.right
    if isinstance(path, Literal):
        operator, path, literal = _MIRRORED[operator], literal, path
    if not isinstance(literal, Literal) or not isinstance(path, Member | Name):
        return None
    read = compile_path(path) if isinstance(path, Member) else compile_root(path.name)
    if read is None or type(literal.value) not in (str, int, float):
        return None
    return _against(read, _COMPARISONS[operator], BINARY[operator], literal.value, node.column)


def _against(
    read: Evaluate,
    compare: Callable[[Any, Any], bool],
    otherwise: Callable[[Any, Any], Any],
    constant: str | int | float,
    column: int,
) -> Evaluate:
    fast = str if type(constant) is str else type(constant)

    def comparison(scope: Any) -> Any:
        found = read(scope)
        if type(found) is fast:
            return compare(found, constant)
        try:
            return otherwise(found, constant)
        except ExpressionError as error:
            if not error.column:
                error.column = column
            raise

    return comparison

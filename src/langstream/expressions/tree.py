"""Walking syntax trees."""

from __future__ import annotations

from collections.abc import Iterator

from langstream.expressions.syntax import (
    Assign,
    Binary,
    Call,
    Choice,
    Invoke,
    Lambda,
    ListLiteral,
    Logic,
    MapLiteral,
    Member,
    Node,
    Sequence,
    Unary,
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Member():
            return (node.base, node.index)
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Logic():
            return node.operands
        case Choice():
            return (node.condition, node.then, node.otherwise)
        case ListLiteral():
            return node.items
        case MapLiteral():
            return tuple(part for entry in node.entries for part in entry)
        case Call():
            return node.arguments
        case Invoke():
            return (node.callee, *node.arguments)
        case Lambda():
            return (node.body,)
        case Assign():
            return (node.value,)
        case Sequence():
            return (node.first, node.second)
    return ()


def descendants(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(children(current))


def levels(node: Node) -> Iterator[list[Node]]:
    """The nodes level by level, from the root."""
    level = [node]
    while level:
        yield level
        level = [child for parent in level for child in children(parent)]

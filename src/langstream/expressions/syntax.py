"""The syntax tree of expressions. Every node knows the column it is reported under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, truth value or null."""

    value: Any
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A root name, a variable, or a name nobody knows."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name` or `base[index]`; `dotted` tells which."""

    base: Node
    index: Node
    dotted: bool
    column: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `!x`, `empty x`."""

    operator: str
    operand: Node
    column: int


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands; not `&&` and `||`."""

    operator: str
    left: Node
    right: Node
    column: int


@dataclass(frozen=True, slots=True)
class Logic:
    """`a && b && …` or `a || b || …`."""

    operator: str
    operands: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: Node
    then: Node
    otherwise: Node
    column: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`, or the set `{a, b}`."""

    items: tuple[Node, ...]
    distinct: bool
    column: int


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{k: v, …}`."""

    entries: tuple[tuple[Node, Node], ...]
    column: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the library: `fn:name(…)` or a whitelisted `Math.name(…)`."""

    function: str
    arguments: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """A lambda, or a variable that holds one, called with arguments."""

    callee: Node
    arguments: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Lambda:
    """`x -> body` or `(x, y) -> body`."""

    parameters: tuple[str, ...]
    body: Node
    column: int


@dataclass(frozen=True, slots=True)
class Assign:
    """`x = value`: a variable of this evaluation."""

    name: str
    value: Node
    column: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """`first; second`: the value of the second."""

    first: Node
    second: Node
    column: int


Node: TypeAlias = (
    Literal
    | Name
    | Member
    | Unary
    | Binary
    | Logic
    | Choice
    | ListLiteral
    | MapLiteral
    | Call
    | Invoke
    | Lambda
    | Assign
    | Sequence
)

"""Python functions made from syntax trees, for what expressions do most.

Roots, names (`value.a.b`), operators, `&&`, `||`, `? :` and calls of the library become the statements of one function,
so that evaluating `value.a * 2 + 1 > value.b` is one call. The usual types are worked on in place; everything else
(null, text where a number is wanted, decimals, results beyond 64 bits) goes to the functions of `operators` and
`navigation`, which know all the rules. Nodes of other kinds are closures that the function calls.

The source is made of this module's own words: names of attributes and operators from the tables below, and of
variables that are numbered. Nothing a user wrote gets into it; texts and numbers are bound to names (`c1`, `c2`, …).
For `value.a > 10` it is

    def evaluate(scope):
        try:
            t1 = scope.value
        except AttributeError:
            t1 = None
        t2 = t1.get(c1) if type(t1) is dict else c2(t1, c1)
        t3 = t2 > c3 if type(t2) is int or type(t2) is float else c4(t2, c3)
        return t3
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from langstream.expressions.calls import FILTER, Evaluate, library_call, located
from langstream.expressions.errors import ExpressionError
from langstream.expressions.navigation import member
from langstream.expressions.numbers import INT64_MAX, INT64_MIN
from langstream.expressions.operators import BINARY, UNARY
from langstream.expressions.syntax import Binary, Call, Choice, Literal, Logic, Member, Name, Node, Unary
from langstream.expressions.types import to_boolean

Failed: TypeAlias = Callable[[Exception], Any]
"""What to do about an error: raise another one, or give a result."""

FAILURES: Final = (ExpressionError, RecursionError, ArithmeticError, ValueError)
"""Errors of evaluations."""

ROOTS: Final[Mapping[str, str]] = {
    "value": "value",
    "properties": "properties",
    "topicName": "topic_name",
    "eventTime": "event_time",
    "messageKey": "message_key",
    "destinationTopic": "destination_topic",
    "record": "record",
}
"""Root names and the attributes of the scope they stand for; `key` is special."""

_NONE: Final[Mapping[str, str]] = {}
_COMPARISONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))
_ARITHMETIC: Final = frozenset(("+", "-", "*"))
_METHODS: Final[Mapping[str, str]] = {"uppercase": "upper", "lowercase": "lower"}
"""Functions that are for texts what a method of theirs is."""

FITS: Final = f"{INT64_MIN} <= {{0}} <= {INT64_MAX}"
_NAMES: Final[Mapping[str, Any]] = {
    "__builtins__": {},
    "AttributeError": AttributeError,
    "ExpressionError": ExpressionError,
    "FAILURES": FAILURES,
    "dict": dict,
    "float": float,
    "int": int,
    "str": str,
    "to_boolean": to_boolean,
    "type": type,
}
"""All that the functions see, beside what is bound for each."""


def generated(node: Node, other: Callable[[Node], Evaluate]) -> Evaluate:
    """The function of a node; `other` compiles what is not a matter of this module."""
    source = Source(other)
    result = source.write(node, 1)
    source.line(1, f"return {result}")
    return source.function()


def generated_expression(node: Node, other: Callable[[Node], Evaluate], failed: Failed) -> Evaluate:
    """The function of a whole expression, which hands its errors to `failed`."""
    source = Source(other)
    source.line(1, "try:")
    result = source.write(node, 2)
    source.line(2, f"return {result}")
    source.finish_with(failed)
    return source.function()


def generated_condition(node: Node, other: Callable[[Node], Evaluate], failed: Failed) -> Callable[[Any], bool]:
    """The same for a condition: what it finds is made a boolean."""
    source = Source(other)
    source.line(1, "try:")
    result = source.write(node, 2)
    source.line(2, f"return {result} if {is_boolean(result)} else to_boolean({result})")
    source.finish_with(failed)
    return source.function()


class Source:
    """Statements of a function, and what its names are bound to.

    `other` gives the closures of nodes that are not written as statements. `variables` are roots that are variables
    of the function already.
    """

    def __init__(
        self, other: Callable[[Node], Evaluate], head: str = "evaluate(scope)", variables: Mapping[str, str] = _NONE
    ) -> None:
        self._other = other
        self._head = head
        self._known = variables
        self._lines: list[str] = []
        self._names = dict(_NAMES)
        self._variables = 0

    def line(self, depth: int, text: str) -> None:
        """Add a statement."""
        self._lines.append("    " * depth + text)

    def finish_with(self, failed: Failed) -> None:
        self.line(1, "except FAILURES as error:")
        self.line(2, f"return {self.bound(failed)}(error)")

    def function(self) -> Callable[..., Any]:
        """The function, made of the statements."""
        code = compile(self.text(), "<expression>", "exec")
        exec(code, self._names)  # noqa: S102 - see the module
        return self._names[self._head.partition("(")[0]]  # type: ignore[no-any-return]

    def text(self) -> str:
        """The source."""
        return "\n".join((f"def {self._head}:", *self._lines))

    def write(self, node: Node, depth: int) -> str:
        """Add the statements of a node. The name of its result."""
        match node:
            case Literal():
                return self.bound(node.value)
            case Name() if node.name in self._known:
                return self._known[node.name]
            case Name() if node.name in ROOTS:
                return self._root(ROOTS[node.name], depth)
            case Member():
                return self._member(node, depth)
            case Unary():
                return self._unary(node, depth)
            case Binary():
                return self._binary(node, depth)
            case Logic():
                return self._logic(node, depth)
            case Choice():
                return self._choice(node, depth)
            case Call() if node.function != FILTER:
                return self._call(node, depth)
        return self._set(depth, f"{self.bound(self._other(node))}(scope)")

    def bound(self, content: Any) -> str:
        """A name for something of any kind."""
        name = f"c{len(self._names)}"
        self._names[name] = content
        return name

    def variable(self) -> str:
        """A new name."""
        self._variables += 1
        return f"t{self._variables}"

    def _set(self, depth: int, expression: str) -> str:
        name = self.variable()
        self.line(depth, f"{name} = {expression}")
        return name

    # --- names

    def _root(self, attribute: str, depth: int) -> str:
        name = self.variable()
        self.line(depth, "try:")
        self.line(depth + 1, f"{name} = scope.{attribute}")
        self.line(depth, "except AttributeError:")
        self.line(depth + 1, f"{name} = None")
        return name

    def _member(self, node: Member, depth: int) -> str:
        base, index = self.write(node.base, depth), self.write(node.index, depth)
        slow = f"{self.bound(_located(member, node.column))}({base}, {index})"
        if isinstance(node.index, Literal) and type(node.index.value) is str:
            return self._set(depth, f"{base}.get({index}) if type({base}) is dict else {slow}")
        return self._set(depth, slow)

    # --- operators

    def _unary(self, node: Unary, depth: int) -> str:
        operate = _located(UNARY[node.operator], node.column)
        if isinstance(node.operand, Literal) and (constant := _folded(operate, node.operand)) is not None:
            return self.bound(constant)
        operand = self.write(node.operand, depth)
        slow = f"{self.bound(operate)}({operand})"
        if node.operator == "!":
            return self._set(depth, f"not {operand} if {is_boolean(operand)} else {slow}")
        return self._set(depth, slow)

    def _binary(self, node: Binary, depth: int) -> str:
        operate = _located(BINARY[node.operator], node.column)
        if isinstance(node.left, Literal) and isinstance(node.right, Literal):
            constant = _folded(operate, node.left, node.right)
            if constant is not None:
                return self.bound(constant)
        left, right = self.write(node.left, depth), self.write(node.right, depth)
        slow = f"{self.bound(operate)}({left}, {right})"
        if node.operator in _COMPARISONS:
            alike = _alike(node, left, right)
            quick = f"{left} {node.operator} {right}"
            return self._set(depth, f"{quick} if {alike} else {slow}" if alike else slow)
        if node.operator in _ARITHMETIC:
            return self._calculation(node, left, right, slow, depth)
        return self._set(depth, slow)

    def _calculation(self, node: Binary, left: str, right: str, slow: str, depth: int) -> str:
        """Integers whose result has 64 bits, and floats; a literal integer is a float beside a float."""
        result, quick = self.variable(), f"{left} {node.operator} {right}"
        integers, floats = _both(node, "int", left, right), _both(node, "float", left, right)
        keyword = "if"
        if integers:
            self.line(depth, f"if {integers}:")
            self.line(depth + 1, f"{result} = {quick}")
            self.line(depth + 1, f"if not {FITS.format(result)}:")
            self.line(depth + 2, f"{result} = {slow}")
            keyword = "elif"
        if floats:
            self.line(depth, f"{keyword} {floats}:")
            self.line(depth + 1, f"{result} = {quick}")
            keyword = "elif"
        self.line(depth, "else:" if keyword == "elif" else "if True:")
        self.line(depth + 1, f"{result} = {slow}")
        return result

    # --- decisions

    def _logic(self, node: Logic, depth: int) -> str:
        """`&&` and `||`: left-associative, and the right side only if it matters."""
        decided = "True" if node.operator == "||" else "False"
        left, *others = node.operands
        result = self._set(depth, self.write(left, depth))
        boolean = self.bound(_located(to_boolean, left.column))
        for operand in others:
            self.line(depth, f"if not ({is_boolean(result)}):")
            self.line(depth + 1, f"{result} = {boolean}({result})")
            self.line(depth, f"if {result} is not {decided}:")
            right = self.write(operand, depth + 1)
            convert = self.bound(_located(to_boolean, operand.column))
            known = f"{is_boolean(right)} or {right} is None"
            self.line(depth + 1, f"{result} = {right} if {known} else {convert}({right})")
        return result

    def _choice(self, node: Choice, depth: int) -> str:
        condition = self._set(depth, self.write(node.condition, depth))
        convert, result = self.bound(_located(to_boolean, node.condition.column)), self.variable()
        self.line(depth, f"if not ({is_boolean(condition)}):")
        self.line(depth + 1, f"{condition} = {convert}({condition})")
        self.line(depth, f"if {condition}:")
        self.line(depth + 1, f"{result} = {self.write(node.then, depth + 1)}")
        self.line(depth, "else:")
        self.line(depth + 1, f"{result} = {self.write(node.otherwise, depth + 1)}")
        return result

    # --- calls

    def _call(self, node: Call, depth: int) -> str:
        call, failed = library_call(node)
        arguments = [self.write(argument, depth) for argument in node.arguments]
        result, inner = self.variable(), depth
        method = _METHODS.get(node.function)
        if method is not None:
            self.line(depth, f"if type({arguments[0]}) is str:")
            self.line(depth + 1, f"{result} = {arguments[0]}.{method}()")
            self.line(depth, "else:")
            inner += 1
        self.line(inner, "try:")
        self.line(inner + 1, f"{result} = {self.bound(call)}({', '.join(arguments)})")
        self.line(inner, "except ExpressionError as error:")
        self.line(inner + 1, f"raise {self.bound(failed)}(error) from None")
        return result


# --- pieces of source


def is_boolean(name: str) -> str:
    """The question whether it is a boolean."""
    return f"{name} is True or {name} is False"


def _both(node: Binary, kind: str, left: str, right: str) -> str | None:
    """The question whether both sides can be calculated with as `kind`; None if a literal says no."""
    questions = []
    for side, name, other in ((node.left, left, node.right), (node.right, right, node.left)):
        if isinstance(side, Literal):
            if not (_is_short(side) or (kind == "float" and _is_float(side))):
                return None
        elif _is_float(other):  # integers become floats
            questions.append(f"(type({name}) is {kind} or type({name}) is int and {FITS.format(name)})")
        else:
            questions.append(f"type({name}) is {kind}")
    return " and ".join(questions) or None


def _is_short(literal: Literal) -> bool:
    return type(literal.value) is int and abs(literal.value) <= INT64_MAX


def _is_float(node: Node) -> bool:
    return isinstance(node, Literal) and type(node.value) is float


def _alike(node: Binary, left: str, right: str) -> str | None:
    """The question whether the sides can be compared as they are, if one of them is a literal; else None."""
    for side, literal in ((left, node.right), (right, node.left)):
        if isinstance(literal, Literal):
            if type(literal.value) is str:
                return f"type({side}) is str"
            if type(literal.value) in (int, float):
                return f"type({side}) is int or type({side}) is float"
    return None


# --- bound functions


def _located(operate: Callable[..., Any], column: int) -> Callable[..., Any]:
    """The function, its errors placed at the column."""

    def careful(*operands: Any) -> Any:
        try:
            return operate(*operands)
        except ExpressionError as error:
            raise located(error, column) from None

    return careful


def _folded(operate: Callable[..., Any], *operands: Literal) -> Any:
    """What literals give, or None if something is wrong with them."""
    try:
        return operate(*[operand.value for operand in operands])
    except (ExpressionError, ArithmeticError, ValueError):
        return None

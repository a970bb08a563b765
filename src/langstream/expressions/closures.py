"""One closure per node of the syntax tree, specialised where expressions spend their time.

Roots, paths of names (`value.a.b`), and comparisons of these with literals are closures of their own, without calls
in between. What does not depend on the record is computed once.
"""

from __future__ import annotations

from typing import Any

from langstream.expressions.calls import Condition, Evaluate, compile_call, located
from langstream.expressions.errors import ExpressionError
from langstream.expressions.frames import MISSING, Frame
from langstream.expressions.navigation import member
from langstream.expressions.operators import BINARY, UNARY, equal
from langstream.expressions.paths import compile_comparison, compile_path, compile_root
from langstream.expressions.syntax import (
    Assign,
    Binary,
    Call,
    Choice,
    Invoke,
    Lambda,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Member,
    Name,
    Node,
    Sequence,
    Unary,
)
from langstream.expressions.types import to_boolean
from langstream.expressions.wording import described


def compile_node(node: Node, condition: Condition) -> Evaluate:
    """The closure of a tree. `condition` compiles the text inside `fn:filter`."""
    return _Compiler(condition).compile(node)


class _Compiler:
    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def compile(self, node: Node) -> Evaluate:
        match node:
            case Literal():
                return _constant(node.value)
            case Name():
                return compile_root(node.name) or _variable(node)
            case Member():
                return compile_path(node) or self.member(node)
            case Unary():
                return self.unary(node)
            case Binary():
                return compile_comparison(node) or self.binary(node)
            case Logic():
                return self.logic(node)
            case Choice():
                return self.choice(node)
            case ListLiteral():
                return self.list_literal(node)
            case MapLiteral():
                return self.map_literal(node)
            case Call():
                return compile_call(node, self.compile, self.condition)
            case Invoke():
                return self.invoke(node)
            case Lambda():
                return self.lambda_(node)
            case Assign():
                return self.assign(node)
            case Sequence():
                return self.sequence(node)

    def member(self, node: Member) -> Evaluate:
        base, index, column = self.compile(node.base), self.compile(node.index), node.column

        def evaluate(scope: Any) -> Any:
            try:
                return member(base(scope), index(scope))
            except ExpressionError as error:
                raise located(error, column) from None

        return evaluate

    def unary(self, node: Unary) -> Evaluate:
        operand, operate, column = self.compile(node.operand), UNARY[node.operator], node.column

        def evaluate(scope: Any) -> Any:
            try:
                return operate(operand(scope))
            except ExpressionError as error:
                raise located(error, column) from None

        return _folded(evaluate, (node.operand,))

    def binary(self, node: Binary) -> Evaluate:
        left, right = self.compile(node.left), self.compile(node.right)
        operate, column = BINARY[node.operator], node.column

        def evaluate(scope: Any) -> Any:
            try:
                return operate(left(scope), right(scope))
            except ExpressionError as error:
                raise located(error, column) from None

        return _folded(evaluate, (node.left, node.right))

    def logic(self, node: Logic) -> Evaluate:
        operands = [self.compile(operand) for operand in node.operands]
        columns = [operand.column for operand in node.operands]
        decides = node.operator == "||"
        if len(operands) == 2:
            return _logic_of_two(operands[0], operands[1], decides, columns[0], columns[1])
        # left-associative: the result so far is the left operand of the next sign
        combined = operands[0]
        for position in range(1, len(operands)):
            combined = _logic_of_two(combined, operands[position], decides, columns[0], columns[position])
        return combined

    def choice(self, node: Choice) -> Evaluate:
        condition, then, otherwise = self.compile(node.condition), self.compile(node.then), self.compile(node.otherwise)
        column = node.condition.column

        def evaluate(scope: Any) -> Any:
            chosen = condition(scope)
            if chosen is not True and chosen is not False:
                try:
                    chosen = to_boolean(chosen)
                except ExpressionError as error:
                    raise located(error, column) from None
            return then(scope) if chosen else otherwise(scope)

        return evaluate

    def list_literal(self, node: ListLiteral) -> Evaluate:
        items = [self.compile(item) for item in node.items]
        if node.distinct:
            return lambda scope: _distinct([item(scope) for item in items])
        return lambda scope: [item(scope) for item in items]

    def map_literal(self, node: MapLiteral) -> Evaluate:
        entries = [(self.compile(key), self.compile(item)) for key, item in node.entries]
        column = node.column

        def evaluate(scope: Any) -> Any:
            try:
                return {key(scope): item(scope) for key, item in entries}
            except TypeError:
                raise ExpressionError("bad-argument", "a list or a map cannot be a key", column=column) from None

        return evaluate

    # --- variables and lambdas

    def assign(self, node: Assign) -> Evaluate:
        value, name = self.compile(node.value), node.name

        def evaluate(scope: Any) -> Any:
            result = value(scope)
            scope.assign(name, result)
            return result

        return evaluate

    def sequence(self, node: Sequence) -> Evaluate:
        first, second = self.compile(node.first), self.compile(node.second)

        def evaluate(scope: Any) -> Any:
            first(scope)
            return second(scope)

        return evaluate

    def lambda_(self, node: Lambda) -> Evaluate:
        body, parameters, column = self.compile(node.body), node.parameters, node.column

        def evaluate(scope: Any) -> Any:
            def function(*arguments: Any) -> Any:
                if len(arguments) < len(parameters):
                    message = f"the lambda takes {len(parameters)} arguments, but {len(arguments)} are given"
                    raise ExpressionError("arity", message, column=column)
                return body(Frame(scope, dict(zip(parameters, arguments, strict=False))))

            return function

        return evaluate

    def invoke(self, node: Invoke) -> Evaluate:
        callee, column = self.compile(node.callee), node.column
        arguments = [self.compile(argument) for argument in node.arguments]

        def evaluate(scope: Any) -> Any:
            function = callee(scope)
            if not callable(function):
                raise ExpressionError("cannot-convert", f"{described(function)} cannot be called", column=column)
            return function(*[argument(scope) for argument in arguments])

        return evaluate


# --- pieces


def _constant(value: Any) -> Evaluate:
    return lambda _scope: value


def _folded(evaluate: Evaluate, operands: tuple[Node, ...]) -> Evaluate:
    """A constant, if all operands are literals and nothing is wrong with them."""
    if not all(isinstance(operand, Literal) for operand in operands):
        return evaluate
    try:
        return _constant(evaluate(None))
    except (ExpressionError, ArithmeticError, ValueError):
        return evaluate


def _variable(node: Name) -> Evaluate:
    name, column = node.name, node.column

    def evaluate(scope: Any) -> Any:
        found = scope.find(name) if isinstance(scope, Frame) else MISSING
        if found is MISSING:
            raise ExpressionError("property-not-found", f"there is no {name} (text is written '{name}')", column=column)
        return found

    return evaluate


def _logic_of_two(left: Evaluate, right: Evaluate, decides: bool, left_column: int, right_column: int) -> Evaluate:
    """`&&` or `||`: `decides` is the left result that makes the right side superfluous."""

    def condition(value: Any, column: int) -> bool:
        try:
            return to_boolean(value)
        except ExpressionError as error:
            raise located(error, column) from None

    def evaluate(scope: Any) -> Any:
        first = left(scope)
        if first is not True and first is not False:
            first = condition(first, left_column)
        if first is decides:
            return first
        second = right(scope)
        if second is True or second is False or second is None:
            return second
        return condition(second, right_column)

    return evaluate


def _distinct(items: list[Any]) -> tuple[Any, ...]:
    """A set keeps the order of its items and is immutable."""
    kept: list[Any] = []
    for item in items:
        if not any(type(item) is type(other) and equal(item, other) for other in kept):
            kept.append(item)
    return tuple(kept)

"""One closure per node of the syntax tree, or a generated function (see `generation`) for what expressions do most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langstream.expressions.calls import FILTER, Condition, Evaluate, compile_filter
from langstream.expressions.errors import ExpressionError
from langstream.expressions.frames import MISSING, Frame
from langstream.expressions.generation import ROOTS, Failed, generated, generated_condition, generated_expression
from langstream.expressions.operators import equal
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
from langstream.expressions.wording import described


def compile_whole(node: Node, condition: Condition, failed: Failed) -> Evaluate:
    """The function of an expression; `condition` compiles the text inside `fn:filter`, `failed` gets the errors."""
    return generated_expression(node, _Compiler(condition).compile, failed)


def compile_whole_condition(node: Node, condition: Condition, failed: Failed) -> Callable[[Any], bool]:
    """The same, giving a boolean."""
    return generated_condition(node, _Compiler(condition).compile, failed)


class _Compiler:
    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def compile(self, node: Node) -> Evaluate:
        match node:
            case Literal():
                return _constant(node.value)
            case Name():
                return self.name(node)
            case Call() if node.function == FILTER:
                return compile_filter(node, self.compile, self.condition)
            case Member() | Unary() | Binary() | Logic() | Choice() | Call():
                return generated(node, self.compile)
            case ListLiteral():
                return self.list_literal(node)
            case MapLiteral():
                return self.map_literal(node)
            case Invoke():
                return self.invoke(node)
            case Lambda():
                return self.lambda_(node)
            case Assign():
                return self.assign(node)
            case Sequence():
                return self.sequence(node)

    def name(self, node: Name) -> Evaluate:
        if node.name in ROOTS:
            return generated(node, self.compile)
        return _key if node.name == "key" else _variable(node)

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


def _key(scope: Any) -> Any:
    key = getattr(scope, "key", None)
    return getattr(scope, "message_key", None) if key is None else key


def _variable(node: Name) -> Evaluate:
    name, column = node.name, node.column

    def evaluate(scope: Any) -> Any:
        found = scope.find(name) if isinstance(scope, Frame) else MISSING
        if found is MISSING:
            raise ExpressionError("property-not-found", f"there is no {name} (text is written '{name}')", column=column)
        return found

    return evaluate


def _distinct(items: list[Any]) -> tuple[Any, ...]:
    """A set keeps the order of its items and is immutable."""
    kept: list[Any] = []
    for item in items:
        if not any(type(item) is type(other) and equal(item, other) for other in kept):
            kept.append(item)
    return tuple(kept)

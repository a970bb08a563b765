"""Tokens → syntax tree: a precedence parser with messages for people.

Nesting is limited, so that neither reading nor evaluating an expression can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from langstream.expressions.errors import ExpressionSyntaxError
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
from langstream.expressions.tokens import END, LITERAL_WORDS, NAME, NUMBER, SIGN, WORD, Token, tokenize
from langstream.expressions.tree import levels

MAX_DEPTH: Final = 60
"""How deep brackets, signs and choices may nest."""

MAX_CHAIN: Final = 100
"""How many operators may follow one another (`&&` and `||` are not counted)."""

ROOTS: Final = (
    "value",
    "key",
    "properties",
    "topicName",
    "eventTime",
    "messageKey",
    "destinationTopic",
    "record",
)
"""The names every expression knows."""

_BINDING: Final = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    ">": 4,
    "<=": 4,
    ">=": 4,
    "+=": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%": 7,
}
_UNARY: Final = frozenset({"-", "!", "empty"})
_STATIC_CLASSES: Final = frozenset({"Math", "Integer", "Long", "Double", "String"})


def parse(text: str) -> Node:
    """The syntax tree of an expression. Raises ExpressionSyntaxError with the place underlined."""
    if not text.strip():
        raise ExpressionSyntaxError("the expression is empty", column=1)
    try:
        return _Parser(tokenize(text)).expression()
    except ExpressionSyntaxError as error:
        raise underlined(error, text) from None
    except RecursionError:
        raise ExpressionSyntaxError(_TOO_DEEP, column=1) from None


def underlined(error: ExpressionSyntaxError, text: str) -> ExpressionSyntaxError:
    """The error, with its line of the expression and a caret below the column."""
    column = max(error.column, 1)
    before = text[: column - 1]
    start = before.rfind("\n") + 1
    line = text[start:].partition("\n")[0]
    offset = column - 1 - start
    if offset > 60:
        line, offset = "…" + line[offset - 40 :], 41
    shown = line[:100].replace("\t", " ")
    message = f"{error} (column {column})\n  {shown}\n  {' ' * offset}^"
    return ExpressionSyntaxError(message, column=column)


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.variables: list[str] = []

    # --- reading tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def at(self, *signs: str) -> bool:
        token = self.token
        return token.kind == SIGN and token.text in signs

    def accept(self, sign: str) -> Token | None:
        return self.take() if self.at(sign) else None

    def expect(self, sign: str, why: str) -> Token:
        if not self.at(sign):
            raise self.refused(f"expected {sign} {why}")
        return self.take()

    def refused(self, expectation: str) -> ExpressionSyntaxError:
        token = self.token
        found = "the expression ends" if token.kind == END else f"found {_shown(token)}"
        return ExpressionSyntaxError(f"{expectation}, but {found}", column=token.column)

    def deeper(self, parse: Callable[[], Node]) -> Node:
        if self.depth >= MAX_DEPTH:
            raise ExpressionSyntaxError(_TOO_DEEP, column=self.token.column)
        self.depth += 1
        try:
            return parse()
        finally:
            self.depth -= 1

    # --- levels, loosest first

    def expression(self) -> Node:
        node = self.sequence()
        if self.token.kind == NUMBER and self.token.text.startswith("."):
            digits = self.token.text[1:]
            message = f"a name cannot begin with a digit: write [{digits}] or ['{digits}'] in place of .{digits}"
            raise ExpressionSyntaxError(message, column=self.token.column)
        if self.token.kind != END:
            raise self.refused(_EXPECTED_OPERATOR)
        _check_depth(node)
        return node

    def sequence(self) -> Node:
        node = self.assignment()
        while sign := self.accept(";"):
            node = Sequence(node, self.assignment(), sign.column)
        return node

    def assignment(self) -> Node:
        if self.lambda_ahead():
            return self.deeper(self.lambda_)
        node = self.deeper(self.choice)
        sign = self.accept("=")
        if sign is None:
            return node
        if not isinstance(node, Name) or node.name in ROOTS:
            raise ExpressionSyntaxError(
                "an expression cannot change the record: = only sets variables (compare with ==, store results with "
                "the agent compute)",
                column=sign.column,
            )
        value = self.deeper(self.assignment)
        self.variables.append(node.name)
        return Assign(node.name, value, node.column)

    def lambda_ahead(self) -> bool:
        tokens, position = self.tokens, self.position
        if tokens[position].kind == NAME:
            return tokens[position + 1].text == "->"
        if tokens[position].text != "(" or tokens[position].kind != SIGN:
            return False
        position += 1
        while tokens[position].kind == NAME or (tokens[position].kind, tokens[position].text) == (SIGN, ","):
            position += 1
        return tokens[position].text == ")" and tokens[position + 1].text == "->"

    def lambda_(self) -> Node:
        parameters: list[str] = []
        if self.accept("("):
            while not self.at(")"):
                parameters.append(self.parameter())
                if not self.accept(","):
                    break
            self.expect(")", "after the parameters")
        else:
            parameters.append(self.parameter())
        arrow = self.expect("->", "after the parameters")
        known = len(self.variables)
        self.variables.extend(parameters)
        body = self.assignment()
        del self.variables[known:]
        return Lambda(tuple(parameters), body, arrow.column)

    def parameter(self) -> str:
        token = self.token
        if token.kind != NAME:
            raise self.refused("expected the name of a parameter")
        if token.text in ROOTS:
            raise ExpressionSyntaxError(f"a parameter cannot be called {token.text}", column=token.column)
        return self.take().text

    def choice(self) -> Node:
        condition = self.binary(1)
        sign = self.accept("?")
        if sign is None:
            return condition
        then = self.assignment()
        self.expect(":", "and the other result of the choice")
        return Choice(condition, then, self.assignment(), sign.column)

    def binary(self, tightness: int) -> Node:
        left = self.unary()
        while self.token.kind == SIGN and (binding := _BINDING.get(self.token.text, 0)) >= tightness:
            sign = self.take()
            right = self.binary(binding + 1)
            left = _joined(sign, left, right)
        return left

    def unary(self) -> Node:
        if self.token.kind == SIGN and self.token.text in _UNARY:
            sign = self.take()
            return Unary(sign.text, self.deeper(self.unary), sign.column)
        return self.postfix(self.primary())

    def postfix(self, node: Node) -> Node:
        while True:
            if sign := self.accept("."):
                node = self.dotted(node, sign)
            elif sign := self.accept("["):
                index = self.assignment()
                self.expect("]", "after the index")
                node = Member(node, index, False, sign.column)
            elif self.at("(") and isinstance(node, Lambda | Invoke):
                column = self.token.column
                node = Invoke(node, self.arguments(), column)
            else:
                return node

    def dotted(self, base: Node, dot: Token) -> Node:
        token = self.token
        if token.kind != NAME:
            raise self.not_a_member(token)
        self.take()
        if isinstance(base, Name) and base.name in _STATIC_CLASSES and base.name not in self.variables:
            arguments = self.arguments() if self.at("(") else ()
            return Call(f"{base.name}.{token.text}", arguments, base.column)
        if self.at("("):
            raise ExpressionSyntaxError(
                f"methods cannot be called: .{token.text}() is not available; use functions, such as fn:uppercase(x) "
                "or fn:length(x)",
                column=token.column,
            )
        return Member(base, Literal(token.text, token.column), True, token.column)

    def not_a_member(self, token: Token) -> ExpressionSyntaxError:
        word = token.value if token.kind == SIGN and token.value else token.text
        if token.kind == WORD or (token.kind == SIGN and token.value):
            message = f"{word} is a reserved word: write ['{word}'] in place of .{word}"
            return ExpressionSyntaxError(message, column=token.column)
        return self.refused("expected a name after the dot (other members are written ['like this'])")

    def primary(self) -> Node:
        token = self.token
        if token.kind in ("number", "string"):
            self.take()
            return Literal(token.value, token.column)
        if token.kind == WORD:
            return self.word()
        if token.kind == NAME:
            return self.named()
        if self.at("("):
            return self.group()
        if self.at("["):
            self.take()
            return ListLiteral(self.items("]"), False, token.column)
        if self.at("{"):
            return self.braces()
        raise self.refused("expected a value")

    def word(self) -> Node:
        token = self.take()
        if token.text in LITERAL_WORDS:
            return Literal(token.value, token.column)
        raise ExpressionSyntaxError(f"{token.text} is a reserved word and cannot be a name", column=token.column)

    def named(self) -> Node:
        token = self.take()
        follows = self.tokens[self.position + 1] if self.token.kind != END else self.token
        if token.text == "fn" and self.at(":") and follows.kind in (NAME, WORD):
            self.take()
            name = self.take().text
            if not self.at("("):
                raise self.refused(f"expected ( after fn:{name}")
            return Call(name, self.arguments(), token.column)
        if self.at("("):
            if token.text in self.variables:
                column = self.token.column
                return Invoke(Name(token.text, token.column), self.arguments(), column)
            raise ExpressionSyntaxError(
                f"there is no function {token.text}(): functions are called as fn:name(…)", column=token.column
            )
        return Name(token.text, token.column)

    def group(self) -> Node:
        self.take()
        node = self.sequence()
        self.expect(")", "to close the bracket")
        return node

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(", "before the arguments")
        return self.items(")")

    def items(self, closing: str) -> tuple[Node, ...]:
        if self.accept(closing):
            return ()
        items = [self.assignment()]
        while self.accept(","):
            items.append(self.assignment())
        self.expect(closing, "or a comma")
        return tuple(items)

    def braces(self) -> Node:
        start = self.take()
        if self.accept("}"):
            return ListLiteral((), True, start.column)
        first = self.assignment()
        if self.at(":"):
            return MapLiteral(self.entries(first), start.column)
        items = [first]
        while self.accept(","):
            items.append(self.assignment())
        self.expect("}", "or a comma")
        return ListLiteral(tuple(items), True, start.column)

    def entries(self, key: Node) -> tuple[tuple[Node, Node], ...]:
        self.expect(":", "after the key")
        entries = [(key, self.assignment())]
        while self.accept(","):
            key = self.assignment()
            self.expect(":", "after the key")
            entries.append((key, self.assignment()))
        self.expect("}", "or a comma")
        return tuple(entries)


_TOO_DEEP: Final = f"the expression nests deeper than {MAX_DEPTH} levels: split it into several computed fields"
_EXPECTED_OPERATOR: Final = "expected an operator or the end"


def _joined(sign: Token, left: Node, right: Node) -> Node:
    if sign.text not in ("&&", "||"):
        return Binary(sign.text, left, right, sign.column)
    if isinstance(left, Logic) and left.operator == sign.text:
        return Logic(sign.text, (*left.operands, right), left.column)
    return Logic(sign.text, (left, right), sign.column)


def _shown(token: Token) -> str:
    if token.kind == SIGN and token.value:
        return str(token.value)
    return token.text if len(token.text) <= 30 else token.text[:30] + "…"


def _check_depth(node: Node) -> None:
    """Chains such as `a + b + c + …` nest to the left without brackets; they count as well."""
    for depth, level in enumerate(levels(node)):
        if depth >= MAX_CHAIN:
            raise ExpressionSyntaxError(
                f"the expression chains more than {MAX_CHAIN} operators: split it into several computed fields",
                column=level[0].column,
            )

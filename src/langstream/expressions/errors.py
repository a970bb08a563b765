"""What can be wrong with an expression: its text, or what it finds when it is evaluated."""

from __future__ import annotations

from langstream.errors import LangStreamError, RecordError


class ExpressionSyntaxError(LangStreamError):
    """The text is not an expression. `column` counts from 1."""

    retryable = False

    def __init__(self, message: str, *, column: int = 0) -> None:
        super().__init__(message)
        self.column = column


class ExpressionError(RecordError):
    """The expression cannot be evaluated for this record. `kind` names the rule that was broken.

    Kinds: `property-not-found`, `null-boolean`, `not-a-number`, `cannot-convert`, `not-comparable`, `div-by-zero`,
    `null-argument`, `bad-argument`, `bad-date`, `bad-bytes`, `json-read`, `json-write`, `arity`, `stack-overflow`.
    `column` is the place in the expression, counted from 1; 0 if unknown.
    """

    retryable = False

    def __init__(self, kind: str, message: str, *, column: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.column = column

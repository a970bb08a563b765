"""The expression language: text → syntax tree → Python functions.

>>> from langstream.expressions import compile_expression
>>> from types import SimpleNamespace
>>> double = compile_expression("value.n * 2")
>>> double(SimpleNamespace(value={"n": 21}))
42
"""

from __future__ import annotations

from langstream.expressions.compiler import compile_condition, compile_expression
from langstream.expressions.documents import json_form
from langstream.expressions.errors import ExpressionError, ExpressionSyntaxError
from langstream.expressions.scope import Scope
from langstream.expressions.text import text_form
from langstream.expressions.types import SchemaType, coerce

__all__ = [
    "ExpressionError",
    "ExpressionSyntaxError",
    "SchemaType",
    "Scope",
    "coerce",
    "compile_condition",
    "compile_expression",
    "json_form",
    "text_form",
]

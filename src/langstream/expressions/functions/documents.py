"""Functions that read and write JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from langstream.expressions.documents import json_text
from langstream.expressions.errors import ExpressionError
from langstream.expressions.functions.signature import Function
from langstream.expressions.text import text_form
from langstream.expressions.wording import described
from langstream.records import parse_json


def _to_json(value: Any) -> str:
    try:
        return json_text(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ExpressionError("json-write", f"fn:toJson cannot write {described(value)}: {error}") from None


def _from_json(value: Any) -> Any:
    text = "" if value is None else text_form(value)
    if not text:
        return None
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        return _first_value(text, value)


def _first_value(text: str, value: Any) -> Any:
    """As in the original, what follows the first JSON value is ignored."""
    try:
        return json.JSONDecoder(parse_constant=_refuse).raw_decode(text.lstrip(" \t\r\n"))[0]
    except (ValueError, RecursionError) as error:
        hint = "" if isinstance(value, str | bytes) else " (it is structured already)"
        message = f"fn:fromJson cannot read {described(value)}{hint}: {str(error) or 'it nests too deeply'}"
        raise ExpressionError("json-read", message) from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


FUNCTIONS: Final = (
    Function("fn:toJson(x)", _to_json, 1, 1),
    Function("fn:fromJson(text)", _from_json, 1, 1),
)

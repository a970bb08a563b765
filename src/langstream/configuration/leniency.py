"""What is done for the writer of options before they are validated.

An explicit null counts as absent, so defaults apply and required options are reported. One item in place of a list is
a list of one. Booleans are taken as text where text is asked for (pydantic does so for numbers).
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from langstream.configuration.kinds import option_names

_LISTS: Final = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)


def eased(model: type[BaseModel], data: Any) -> Any:
    """The data with the liberties above taken; anything that is not a mapping stays as it is."""
    if not isinstance(data, Mapping):
        return data
    shapes = _shapes(model)
    result = {}
    for key, value in data.items():
        shape = shapes.get(key)
        if shape is None:
            result[key] = value
        elif value is not None:
            result[key] = _shaped(value, *shape)
    return result


def _shaped(value: Any, is_list: bool, is_text: bool) -> Any:
    if is_list and not isinstance(value, list | tuple | set | frozenset):
        value = [value]
    if is_text and is_list:
        return [_as_text(item) for item in value]
    return _as_text(value) if is_text else value


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


@lru_cache(maxsize=1024)
def _shapes(model: type[BaseModel]) -> dict[str, tuple[bool, bool]]:
    """Option name → (takes only lists, takes only text)."""
    shapes = {}
    for attribute, info in model.model_fields.items():
        alternatives = _alternatives(info.annotation)
        is_list = bool(alternatives) and all(_is_list(item) for item in alternatives)
        items = [inner for item in alternatives for inner in _items(item)] if is_list else alternatives
        is_text = bool(items) and all(item is str for item in items)
        for name in option_names(attribute, info):
            shapes[name] = (is_list, is_text)
    return shapes


def _alternatives(annotation: Any) -> list[Any]:
    """The types a value may have, None left out and annotations taken off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return [item for argument in get_args(annotation) for item in _alternatives(argument)]
    return [] if annotation is type(None) else [annotation]


def _items(annotation: Any) -> list[Any]:
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return [item for argument in arguments for item in _alternatives(argument)]


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    if origin is Literal or (isinstance(origin, type) and issubclass(origin, str | bytes | Enum)):
        return False
    return origin in _LISTS

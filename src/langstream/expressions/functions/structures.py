"""Functions on lists and maps. None changes its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from langstream.expressions.errors import ExpressionError
from langstream.expressions.functions.signature import Function
from langstream.expressions.functions.text import text_or_empty
from langstream.expressions.text import text_form
from langstream.expressions.wording import described
from langstream.records import AvroValue


def _map(value: Any, function: str) -> Mapping[str, Any]:
    content = value.value if isinstance(value, AvroValue) else value
    if isinstance(content, Mapping):
        return content
    raise ExpressionError("bad-argument", f"fn:{function} expects a map, not {described(value)}")


def list_of(value: Any, function: str) -> list[Any]:
    """The list a function was given. Raises ExpressionError for anything else."""
    content = value.value if isinstance(value, AvroValue) else value
    if isinstance(content, list):
        return content
    raise ExpressionError("bad-argument", f"fn:{function} expects a list, not {described(value)}")


def _unpack(value: Any, names: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        raise ExpressionError("bad-argument", f"fn:unpack expects text or a list, not {described(value)}")
    items = value if isinstance(value, list | tuple) else _pieces(text_form(value))
    wanted = text_or_empty(names).split(",")
    return {name: items[index] if index < len(items) else None for index, name in enumerate(wanted)}


def _pieces(text: str) -> list[str]:
    return text.split(",") if text else []


def _map_of(*entries: Any) -> dict[str, Any]:
    names = entries[::2]
    if any(name is None for name in names):
        raise ExpressionError("null-argument", "a key given to fn:mapOf is null")
    return dict(zip(map(text_form, names), entries[1::2], strict=True))


def _bind_map_of(arguments: tuple[Any, ...]) -> Callable[..., Any]:
    if len(arguments) % 2:
        raise ExpressionError("bad-argument", "fn:mapOf takes pairs of key and value: the last key has no value")
    return _map_of


def _map_put(value: Any, name: Any, item: Any) -> dict[str, Any]:
    content = {} if value is None else _map(value, "mapPut")
    return {**content, _key(name, "mapPut"): item}


def _map_remove(value: Any, name: Any) -> dict[str, Any]:
    content = {} if value is None else _map(value, "mapRemove")
    removed = _key(name, "mapRemove")
    return {key: item for key, item in content.items() if key != removed}


def _key(name: Any, function: str) -> str:
    if name is None or name == "":
        raise ExpressionError(
            "bad-argument", f"the key given to fn:{function} is {'null' if name is None else 'empty'}"
        )
    return text_form(name)


def _map_to_list_of_structs(value: Any, names: Any) -> list[dict[str, Any]]:
    content = _map(value, "mapToListOfStructs")
    if names is None:
        raise ExpressionError("null-argument", "the names given to fn:mapToListOfStructs are null")
    return [{name: content.get(name) for name in text_form(names).split(",")}]


def _list_to_list_of_structs(value: Any, name: Any) -> list[dict[str, Any]]:
    wanted = text_form(name)
    return [{wanted: item} for item in list_of(value, "listToListOfStructs")]


def _list_add(value: Any, item: Any) -> list[Any]:
    return [*list_of(value, "listAdd"), item]


def _add_all(first: Any, second: Any) -> list[Any]:
    return [
        *([] if first is None else list_of(first, "addAll")),
        *([] if second is None else list_of(second, "addAll")),
    ]


def _coalesce(first: Any, second: Any) -> Any:
    return second if first is None else first


FUNCTIONS: Final = (
    Function("fn:coalesce(a, b)", _coalesce, 2, 2),
    Function("fn:emptyList()", list, 0, 0),
    Function("fn:emptyMap()", dict, 0, 0),
    Function("fn:listOf(a, b, …)", lambda *items: list(items), 0, None),
    Function("fn:mapOf(key, value, …)", _map_of, 0, None, _bind_map_of),
    Function("fn:unpack(x, names)", _unpack, 2, 2),
    Function("fn:mapPut(map, key, value)", _map_put, 3, 3),
    Function("fn:mapRemove(map, key)", _map_remove, 2, 2),
    Function("fn:mapToListOfStructs(map, names)", _map_to_list_of_structs, 2, 2),
    Function("fn:listToListOfStructs(list, name)", _list_to_list_of_structs, 2, 2),
    Function("fn:listAdd(list, item)", _list_add, 2, 2),
    Function("fn:addAll(list, list)", _add_all, 2, 2),
)

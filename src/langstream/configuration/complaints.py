"""What pydantic found wrong with options, in words for the people who wrote them.

Paths are those of the written data: what pydantic adds for the branches of unions is taken out, and the branches'
errors about one place become one complaint. Values are not shown, for they may be secrets; names that are not among
the known ones of an enumeration are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from langstream.configuration.kinds import nested_models, option_names
from langstream.configuration.names import did_you_mean

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong: where in the data, what, and what to do."""

    path: Path
    message: str
    hint: str | None = None


_EXPECTED: Final[Mapping[str, str]] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "bytes_type": "text",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "list_type": "a list",
    "mapping_type": "a mapping",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "nothing",
    "set_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
}
_NAME: Final = re.compile(r"'([^']*)'")


def complaints(model: type[BaseModel], data: Any, details: Iterable[Any]) -> list[Complaint]:
    """Every complaint, in the order in which the model declares the options."""
    places: dict[Path, list[Any]] = {}
    for detail in details:
        places.setdefault(_path(detail, data), []).append(detail)
    return [
        complaint
        for path, found in places.items()
        if not _explained_inside(path, found, places)
        for complaint in _complaints_at(path, found, model, data)
    ]


def dotted(path: Path) -> str:
    """`fields[0].expression`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _path(detail: Any, data: Any) -> Path:
    path: list[str | int] = []
    location = detail["loc"]
    for index, part in enumerate(location):
        if _has(data, part):
            data = data[part]
        elif not (detail["type"] == "missing" and index == len(location) - 1):
            continue  # a branch of a union, or the only item of a list written without the list
        path.append(part)
    return tuple(path)


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list | tuple):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, Mapping) and part in data


def _explained_inside(path: Path, found: Sequence[Any], places: Mapping[Path, Any]) -> bool:
    """Whether the value failed as one branch of a union, while another branch tells what is wrong inside of it."""
    return all(detail["type"] in _EXPECTED for detail in found) and any(
        len(other) > len(path) and other[: len(path)] == path for other in places
    )


def _complaints_at(path: Path, found: Sequence[Any], model: type[BaseModel], data: Any) -> list[Complaint]:
    expected = list(dict.fromkeys(_EXPECTED[detail["type"]] for detail in found if detail["type"] in _EXPECTED))
    others = [detail for detail in found if detail["type"] not in _EXPECTED]
    result = [_complaint(path, detail, model, data) for detail in others]
    if expected and not any(detail["type"] == "value_error" for detail in others):
        told = f"expected {' or '.join(expected)}, not {_kind(_at(data, path))}"
        result.append(Complaint(path, f"Property '{dotted(path)}' has a wrong value: {told}"))
    return result


def _complaint(path: Path, detail: Any, model: type[BaseModel], data: Any) -> Complaint:
    name, type = dotted(path), detail["type"]
    if type == "extra_forbidden":
        known = _known_names(model, path[:-1])
        return Complaint(path, f"Property '{name}' is unknown", _known_hint(str(path[-1]), known))
    if type == "missing":
        return Complaint(path, f"Property '{name}' is required")
    if type in ("literal_error", "enum"):
        return _choice_complaint(path, detail, data)
    if type in ("value_error", "assertion_error"):
        reason = str(detail["ctx"]["error"])
        return Complaint(path, f"Property '{name}': {reason}" if name else reason)
    return Complaint(path, f"Property '{name}' has a wrong value: {_lowered(detail['msg'])}")


def _choice_complaint(path: Path, detail: Any, data: Any) -> Complaint:
    choices = detail["ctx"]["expected"]
    value = _at(data, path)
    shown = f"'{value}'" if isinstance(value, str | int | float) and len(str(value)) <= 60 else _kind(value)
    hint = did_you_mean(str(value), _NAME.findall(choices)) if isinstance(value, str) else None
    return Complaint(path, f"Property '{dotted(path)}' has a wrong value: expected {choices}, not {shown}", hint)


def _known_hint(name: str, known: Sequence[str]) -> str | None:
    if not known:
        return None
    return did_you_mean(name, known) or f"Known properties: {', '.join(known)}."


def _lowered(text: str) -> str:
    for prefix in ("Input should be ", "Input should ", "Value should "):
        if text.startswith(prefix):
            return f"expected {text.removeprefix(prefix)}"
    return text[:1].lower() + text[1:]


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    return "nothing" if value is None else "text"


def _known_names(model: type[BaseModel], path: Path) -> list[str]:
    current: list[type[BaseModel]] = [model]
    for part in path:
        if not isinstance(part, int):
            current = [
                nested
                for owner in current
                for attribute, info in owner.model_fields.items()
                if part in option_names(attribute, info)
                for nested in nested_models(info.annotation)
            ]
    return sorted(
        {option_names(attribute, info)[0] for owner in current for attribute, info in owner.model_fields.items()}
    )

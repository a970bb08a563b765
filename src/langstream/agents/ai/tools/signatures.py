"""What a function says about itself: the JSON Schema of its arguments, from annotations, defaults and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from langstream.agents.ai.tools.toolbox import ToolFailed

RECORD: Final = "record"
"""A parameter of this name gets the record that is being answered; the model does not see it."""

_SECTION: Final = re.compile(
    r"^\s*(?:args|arguments|parameters|params|returns?|raises|yields?|examples?|notes?)\s*:?\s*$", re.IGNORECASE
)
_ARGUMENTS: Final = re.compile(r"^\s*(?:args|arguments|parameters|params)\s*:?\s*$", re.IGNORECASE)
_ITEM: Final = re.compile(r"^(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_FIELD_LIST: Final = re.compile(r"^\s*:param\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)$")
_NUMPY_ITEM: Final = re.compile(r"^(\w+)\s*:\s*\S.*$|^(\w+)\s*$")


class UnfitSignature(Exception):
    """No schema can be made of a function's parameters. The message says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function. `takes_record`: it wants the record too."""

    schema: Mapping[str, Any]
    model: type[BaseModel]
    names: Mapping[str, str]
    takes_record: bool

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function's annotations want them. Raises ToolFailed."""
        try:
            checked = self.model.model_validate(dict(arguments))
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            told = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in details[:10]
            )
            raise ToolFailed(f"the arguments do not fit: {told}") from None
        return {self.names[name]: getattr(checked, name) for name in checked.model_fields_set}


def signature_of(function: Callable[..., Any], name: str) -> Signature:
    """The parameters of a function or bound method. Raises UnfitSignature."""
    parameters = _parameters(function)
    takes_record = parameters.pop(RECORD, None) is not None
    hints = _hints(function)
    told = documented_parameters(inspect.getdoc(function) or "")
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for index, (parameter_name, parameter) in enumerate(parameters.items()):
        default = ... if parameter.default is parameter.empty else parameter.default
        words: dict[str, Any] = {"description": told[parameter_name]} if parameter_name in told else {}
        field = Field(default, alias=parameter_name, **words)
        fields[f"p{index}"] = (hints.get(parameter_name, Any), field)  # its own name might mean something to pydantic
        names[f"p{index}"] = parameter_name
    try:
        model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema = model.model_json_schema(by_alias=True)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UnfitSignature(f"no JSON Schema can be made of its annotations ({reason}); give `parameters`") from None
    return Signature(_without_titles(schema), model, names, takes_record)


def wants_record(function: Callable[..., Any]) -> bool:
    """Whether the function has a parameter for the record."""
    return RECORD in inspect.signature(function).parameters


def description_of(function: Any) -> str:
    """The docstring up to its first section."""
    lines = []
    for line in (inspect.getdoc(function) or "").splitlines():
        if _SECTION.match(line) or _FIELD_LIST.match(line) or line.lstrip().startswith((":return", ":raise")):
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def documented_parameters(docstring: str) -> dict[str, str]:
    """What a docstring says about parameters, written in the manner of Google, NumPy or Sphinx."""
    found: dict[str, str] = {}
    inside, indent, current = False, 0, ""
    for line in docstring.splitlines():
        if match := _FIELD_LIST.match(line):
            current = match.group(1)
            found[current] = match.group(2).strip()
            inside = False
            continue
        if _ARGUMENTS.match(line):
            inside, indent, current = True, -1, ""
            continue
        if not inside or not line.strip():
            continue
        if set(line.strip()) == {"-"}:
            continue
        if _SECTION.match(line):
            inside = False
            continue
        depth = len(line) - len(line.lstrip())
        indent = depth if indent < 0 else indent
        if depth > indent and current:
            found[current] = f"{found[current]} {line.strip()}".strip()
        elif depth < indent:
            inside = False
        else:
            current = _begun(line.strip(), found, numpy=indent == 0)
    return {name: text for name, text in found.items() if text}


def _begun(line: str, found: dict[str, str], *, numpy: bool) -> str:
    """The parameter that a line introduces, noted with what the line says of it."""
    match = _NUMPY_ITEM.match(line) if numpy else _ITEM.match(line)
    if match is None:
        return ""
    name = match.group(1) or (match.group(2) if numpy else "")
    found[name] = "" if numpy else match.group(2).strip()
    return name


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        parameters = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError) as error:
        raise UnfitSignature(f"its parameters cannot be read ({error}); give `parameters`") from None
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UnfitSignature(f"its parameter '{name}' has no name that a model could give; give `parameters`")
    return parameters


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are code of the user's
        raise UnfitSignature(f"its annotations cannot be read ({error}); give `parameters`") from None


def _without_titles(schema: Any) -> Any:
    """The schema without the titles that pydantic makes of names; models pay for every word."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _without_titles(item) for key, item in value.items()}
        if name in ("properties", "$defs") and isinstance(value, dict)
        else _without_titles(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }

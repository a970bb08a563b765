"""What the text of an option means: an expression, a topic, a resource, a secret; and where such options are.

A `Kind` stands in the annotation of a field. The planner follows it to check references, the schema of a model shows
it to editors, and whoever prints options hides secrets by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Kind:
    """Marks what a text option means, for the planner, editors and the reference.

    `name` is `expression`, `template`, `topic`, `resource`, `secret` or `statement`. For `resource`, `of` has the
    accepted resource types.
    """

    name: str
    of: tuple[str, ...] = ()

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core_schema)
        schema["x-kind"] = self.name
        if self.of:
            schema["x-resource-types"] = list(self.of)
        return schema


def option_names(attribute: str, info: FieldInfo) -> tuple[str, ...]:
    """The names under which an option may be written; the first is the one to show."""
    choices = info.validation_alias
    if isinstance(choices, AliasChoices):
        return tuple(choice for choice in choices.choices if isinstance(choice, str))
    return (choices,) if isinstance(choices, str) else (info.alias or attribute,)


def field_kinds(model: type[BaseModel]) -> Iterator[tuple[str, str, Kind]]:
    """(attribute, YAML name, kind) of every option that carries a `Kind`, in lists and optionals too.

    Options of nested models have dotted names: `routes.destination`.
    """
    yield from _field_kinds(model, "", "", ())


def _field_kinds(
    model: type[BaseModel], attributes: str, names: str, above: tuple[type[BaseModel], ...]
) -> Iterator[tuple[str, str, Kind]]:
    for attribute, info in model.model_fields.items():
        name = option_names(attribute, info)[0]
        for kind in _kinds(info.annotation, info.metadata):
            yield f"{attributes}{attribute}", f"{names}{name}", kind
        for nested in nested_models(info.annotation):
            if nested not in (*above, model):
                yield from _field_kinds(nested, f"{attributes}{attribute}.", f"{names}{name}.", (*above, model))


def marked_options(configuration: BaseModel) -> Iterator[tuple[tuple[str | int, ...], Kind, str]]:
    """(path, kind, text) of every marked option of a validated configuration, however deep inside."""
    for attribute, info in type(configuration).model_fields.items():
        path = (option_names(attribute, info)[0],)
        kinds = tuple(_kinds(info.annotation, info.metadata))
        yield from _marked(getattr(configuration, attribute), kinds, path)


def _marked(
    value: Any, kinds: tuple[Kind, ...], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Kind, str]]:
    if isinstance(value, str):
        for kind in kinds:
            yield path, kind, value
    elif isinstance(value, BaseModel):
        for inner, kind, text in marked_options(value):
            yield (*path, *inner), kind, text
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _marked(item, kinds, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _marked(item, kinds, (*path, index))


def _kinds(annotation: Any, metadata: list[Any]) -> Iterator[Kind]:
    for item in metadata:
        if isinstance(item, Kind):
            yield item
    if hasattr(annotation, "__metadata__"):
        yield from _kinds(annotation.__origin__, list(annotation.__metadata__))
    for argument in getattr(annotation, "__args__", ()):
        if not isinstance(argument, type) or hasattr(argument, "__args__"):
            yield from _kinds(argument, [])


def nested_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation speaks of, directly or in lists, unions and mappings."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__") and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for argument in (getattr(annotation, "__origin__", None), *getattr(annotation, "__args__", ())):
            if argument is not None and argument is not annotation:
                yield from nested_models(argument)

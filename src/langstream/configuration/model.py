"""The base of every option model, and the kinds of text that options hold.

A model is a pydantic class derived from `Configuration`. Field names are snake_case in Python and kebab-case in YAML,
unless the field says otherwise by an `alias`. Numbers are accepted as text, `"true"`/`"false"` as booleans, scalars
as text, one item as a list of one, null as absent; enumerations are matched exactly; unknown keys are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from langstream.configuration.kinds import Kind, field_kinds, marked_options
from langstream.configuration.leniency import eased

__all__ = [
    "Configuration",
    "Expression",
    "Kind",
    "OpenConfiguration",
    "Secret",
    "Template",
    "Text",
    "TopicName",
    "field_kinds",
    "kebab",
    "marked_options",
    "scalar_as_text",
]


def kebab(name: str) -> str:
    """`max_tokens` → `max-tokens`; a trailing underscore (of Python keywords) is dropped."""
    return name.rstrip("_").replace("_", "-")


class Configuration(BaseModel):
    """Base of option models: immutable, strict about names, lenient about scalars."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=kebab,
        validate_by_name=False,
        validate_by_alias=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,  # options hold secrets
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _ease(cls, data: Any) -> Any:
        return eased(cls, data)


class OpenConfiguration(Configuration):
    """An option model that accepts further keys (custom agents, JDBC); they are in `model_extra`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")


def _compiles_as_expression(text: str) -> str:
    from langstream.expressions import ExpressionSyntaxError, compile_expression

    try:
        compile_expression(text)
    except ExpressionSyntaxError as error:
        raise ValueError(f"not a valid expression: {error}") from None
    return text


def _compiles_as_template(text: str) -> str:
    from langstream.templates import TemplateSyntaxError, compile_template

    try:
        compile_template(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"not a valid template: {error}") from None
    return text


def scalar_as_text(value: Any) -> Any:
    """Truth values as YAML writes them; anything else as it is."""
    return str(value).lower() if isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(scalar_as_text)]
"""Text; YAML numbers and booleans are taken as their text."""

Expression = Annotated[
    str, BeforeValidator(scalar_as_text), AfterValidator(_compiles_as_expression), Kind("expression")
]
"""An expression, compiled (and so checked) when the application is planned."""

Template = Annotated[str, BeforeValidator(scalar_as_text), AfterValidator(_compiles_as_template), Kind("template")]
"""A mustache template, checked when the application is planned."""

TopicName = Annotated[str, Kind("topic")]
"""A topic declared in the agent's module."""

Secret = Annotated[str, Kind("secret")]
"""A credential: never shown."""

"""The options of custom agents, and the dict that `init` receives."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import Field, field_validator

from langstream.agents.custom.inspection import class_problem
from langstream.agents.declaration import Finding, PlanContext
from langstream.configuration.model import Configuration, OpenConfiguration, Text
from langstream.sdk.contract import AgentContext

DEFAULT_CALLS: Final = 64
MOST_CALLS: Final = 10_000


class EnvironmentVariable(Configuration):
    """One variable of the process environment."""

    key: Text = Field(min_length=1, description="Name of the variable.")
    value: Text = Field(description="Its value.", repr=False)


class PythonAgentConfiguration(OpenConfiguration):
    """Options of every custom agent. Whatever else is written there belongs to the agent itself."""

    class_name: Text = Field(
        alias="className",
        description="Module and class of the agent, such as `shop.pricing.Discount`, below the folder `python`.",
    )
    environment: tuple[EnvironmentVariable, ...] = Field(
        default=(),
        description="Environment variables, set before the module is imported. They hold for the whole process.",
    )

    @field_validator("class_name")
    @classmethod
    def _names_a_class(cls, name: str) -> str:
        parts = name.split(".")
        if len(parts) < 2 or not all(parts):
            raise ValueError(f"{name!r} does not name a class: expected MODULE.CLASS, such as feed.Feed")
        return name

    def __repr__(self) -> str:  # the agent's own options may hold credentials
        return f"{type(self).__name__}(className={self.class_name!r})"

    __str__ = __repr__


class PythonCallsConfiguration(PythonAgentConfiguration):
    """Options of custom agents that are called for every record."""

    concurrency: Any = Field(
        DEFAULT_CALLS,
        description="Calls under way at one time, where the method is `async` or returns futures: a whole number from "
        "1 to 10000. Plain methods are called one at a time. The class finds it in its configuration as well, as it is "
        "written; what is no such number is the class's own business.",
    )

    @property
    def calls(self) -> int:
        """`concurrency`, or the default where the class means something else by that name."""
        given = self.concurrency
        number = int(given) if isinstance(given, str) and re.fullmatch("[0-9]{1,5}", given) else given
        return number if type(number) is int and 1 <= number <= MOST_CALLS else DEFAULT_CALLS


def user_configuration(configuration: PythonAgentConfiguration, context: AgentContext) -> dict[str, Any]:
    """What `init` receives: the options as written, plus `resources` and `globals`. A copy the agent may change."""
    options: dict[str, Any] = {"className": configuration.class_name, **(configuration.model_extra or {})}
    if configuration.environment:
        options["environment"] = [{"key": entry.key, "value": entry.value} for entry in configuration.environment]
    for name, field in type(configuration).model_fields.items():
        if name not in PythonAgentConfiguration.model_fields and name in configuration.model_fields_set:
            options[field.alias or name] = getattr(configuration, name)
    options.setdefault("resources", {id: dict(item.configuration) for id, item in context.resources.items()})
    options.setdefault("globals", dict(context.globals))
    return copy.deepcopy(options)


def check(configuration: PythonAgentConfiguration, context: PlanContext) -> Iterable[Finding]:
    """The class must be where `className` says, as far as can be told without running the code."""
    if context.directory is None:
        return
    problem = class_problem(configuration.class_name, context.directory)
    if problem:
        yield Finding(problem.message, ("className",), problem.hint)

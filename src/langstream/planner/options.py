"""Checking the options of one agent against what its type declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langstream.agents.declaration import AgentType, Composable, PlanContext
from langstream.configuration.model import Configuration, OpenConfiguration
from langstream.configuration.validation import check
from langstream.errors import Problem
from langstream.planner.references import Resources, check_references


def check_options(
    agent_type: AgentType, context: PlanContext, resources: Resources
) -> tuple[Configuration | None, list[Problem]]:
    """The validated options of an agent, or None and every problem."""
    agent = context.agent
    subject = f"agent configuration (agent: '{agent.name or agent.id}', type: '{agent.type}')"
    given, problems = _without_composable(agent_type, agent.configuration, subject, context)
    try:
        model = _model(agent_type, given, context)
    except (LookupError, ValueError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        return None, [*problems, Problem(f"Found error on {subject}. {reason}", agent.locate(()) or agent.position)]
    configuration, found = check(model, given, subject=subject, locate=agent.locate)
    problems.extend(found)
    if configuration is None:
        return None, problems
    owner = f"agent '{agent.name or agent.id}'"
    problems.extend(check_references(configuration, owner, agent.locate, context.module, resources))
    problems.extend(_own_findings(agent_type, configuration, context, subject, problems, resources))
    return configuration, problems


def _without_composable(
    agent_type: AgentType, given: Mapping[str, Any], subject: str, context: PlanContext
) -> tuple[dict[str, Any], list[Problem]]:
    """The options without `composable`, which is the planner's, where the agent type has it.

    Options of custom agents are their own: the planner looks at it, and leaves it there.
    """
    options = dict(given)
    declared = agent_type.configuration
    is_open = isinstance(declared, type) and issubclass(declared, OpenConfiguration)
    if agent_type.composable is not Composable.OPTIONAL or "composable" not in options or is_open:
        return options, []
    value = options.pop("composable")
    if value is None or str(value).strip().lower() in ("true", "false"):
        return options, []
    position = context.agent.locate(("composable",))
    return options, [Problem(f"Found error on {subject}. Property 'composable' must be true or false", position)]


def _model(agent_type: AgentType, given: Mapping[str, Any], context: PlanContext) -> type[Configuration]:
    declared = agent_type.configuration
    if isinstance(declared, type):
        return declared
    return declared(given, context)


def _own_findings(
    agent_type: AgentType,
    configuration: Configuration,
    context: PlanContext,
    subject: str,
    told: list[Problem],
    resources: Resources,
) -> list[Problem]:
    if agent_type.check is None or not resources.complete:
        return []
    messages = tuple(problem.message for problem in told)
    problems = []
    for finding in agent_type.check(configuration, context):
        if messages and finding.message.startswith(messages):
            continue  # about a resource, told at the resource already
        prefix = "" if finding.message.startswith("Found error on ") else f"Found error on {subject}. "
        position = context.agent.locate(finding.path) or context.agent.position
        problems.append(Problem(f"{prefix}{finding.message}", position, finding.hint))
    return problems

"""Linking the agents of one pipeline: which topic each reads and writes.

An agent without input reads what its predecessor writes: the predecessor's output topic or, where it has none, an
implicit topic that joins the two (and goes again when they are fused).
"""

from __future__ import annotations

from dataclasses import dataclass

from langstream.agents.declaration import AgentType, ComponentType
from langstream.application.model import Agent, Pipeline
from langstream.errors import Problem


@dataclass(slots=True)
class Step:
    """An agent with its links. `type` is None for an unknown agent type; `joined` says the input is implicit."""

    agent: Agent
    type: AgentType | None
    input: str | None
    output: str | None
    joined: bool = False

    @property
    def role(self) -> ComponentType | None:
        """The component type, where the agent type is known."""
        return self.type.component_type if self.type else None

    @property
    def keeps_state(self) -> bool:
        """Whether the agent has a state directory: its disk is enabled, or its type always needs one."""
        return self.agent.resources.disk.enabled or (self.type is not None and self.type.keeps_state)


def implicit_topic(agent_id: str) -> str:
    """The name of the topic that joins an agent to its predecessor."""
    return f"agent-{agent_id}-input"


def link(pipeline: Pipeline, types: dict[str, AgentType | None], problems: list[Problem]) -> list[Step]:
    """The steps of a pipeline in order. `types` maps names of agent types to their declarations."""
    steps: list[Step] = []
    for agent in pipeline.agents:
        step = Step(agent, types.get(agent.type), agent.input, agent.output)
        previous = steps[-1] if steps else None
        if _refused(step, pipeline, problems):
            step.input = step.output = None
        elif previous is not None:
            _join(previous, step, problems)
        steps.append(step)
    return steps


def _refused(step: Step, pipeline: Pipeline, problems: list[Problem]) -> bool:
    """Whether the agent has links, or neighbours, that its role does not allow."""
    before = len(problems)
    agent = step.agent
    if step.role is ComponentType.SERVICE:
        if agent.input or agent.output:
            problems.append(_problem(agent, "is a service: it cannot have an input or output topic"))
        if agent.errors.retries:
            problems.append(_problem(agent, "is a service: it cannot have retries"))
        if len(pipeline.agents) > 1:
            problems.append(_problem(agent, "is a service: it must be the only agent of its pipeline file"))
    elif step.role is ComponentType.SOURCE and agent.input:
        problems.append(_problem(agent, f"is a source: it cannot have the input topic '{agent.input}'"))
    elif step.role is ComponentType.SINK and agent.output:
        problems.append(_problem(agent, f"is a sink: it cannot have the output topic '{agent.output}'"))
    return len(problems) > before


def _join(previous: Step, step: Step, problems: list[Problem]) -> None:
    if previous.role is ComponentType.SERVICE:
        return  # told where the service stands
    if step.role is ComponentType.SOURCE or step.agent.input is not None:
        if previous.output is None and previous.role is not ComponentType.SINK:
            problems.append(_unread(previous, step))
    elif previous.role is ComponentType.SINK:
        message = f"follows the sink '{previous.agent.id}', which has no output"
        problems.append(_problem(step.agent, message, "Give it an input topic, or put it before the sink."))
    elif previous.output is not None:
        step.input = previous.output
    else:
        step.input = previous.output = implicit_topic(step.agent.id)
        step.joined = True


def _unread(previous: Step, step: Step) -> Problem:
    reads = "is a source" if step.role is ComponentType.SOURCE else f"reads topic '{step.agent.input}'"
    return _problem(
        previous.agent,
        f"has no output topic, and the next agent '{step.agent.id}' {reads}: its results would be lost",
        "Give it an output topic, or make it the last agent of a pipeline file.",
    )


def _problem(agent: Agent, message: str, hint: str | None = None) -> Problem:
    return Problem(f"Agent '{agent.id}' (type: '{agent.type}') {message}", agent.position, hint)

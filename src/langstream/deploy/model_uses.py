"""Which models the agents of a plan ask for, and of which AI resource."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from langstream.application.model import Agent
from langstream.errors import Position
from langstream.planner.plan import ExecutionPlan, PlannedAgent
from langstream.services.ai.contract import ModelUse, Task
from langstream.services.ai.selection import AI_PROVIDERS, preferred

_EMBEDDING: Final = "compute-ai-embeddings"


@dataclass(frozen=True, slots=True)
class Asked:
    """An agent's use of a model. `position` is where the model is named, or the agent."""

    agent: str
    resource: str
    use: ModelUse
    position: Position | None = None


def models_asked(plan: ExecutionPlan) -> list[Asked]:
    """Every use, those of services to fall back on included."""
    declared = {
        agent.id: agent
        for module in plan.application.modules.values()
        for pipeline in module.pipelines.values()
        for agent in pipeline.agents
    }
    planned = [agent for node in plan.nodes for agent in node.agents]
    return [asked for agent in planned for asked in _uses(agent, declared.get(agent.id), plan)]


def _uses(agent: PlannedAgent, declared: Agent | None, plan: ExecutionPlan) -> Iterator[Asked]:
    options: Any = agent.configuration
    if not hasattr(options, "ai_service") or not hasattr(options, "model"):
        return
    task: Task = "embeddings" if agent.type.name == _EMBEDDING else "completions"
    places: list[tuple[str | None, str | None, tuple[str | int, ...]]] = [(options.ai_service, options.model, ())]
    for number, service in enumerate(getattr(options, "fallback", ())):
        path: tuple[str | int, ...] = ("fallback", number) if service.model else ()
        places.append((service.ai_service, service.model or options.model, path))
    for ai_service, model, path in places:
        resource = _resource(ai_service, task, plan)
        name = model or (resource and AI_PROVIDERS.load(resource[1]).embeddings_model)
        if resource and name:
            position = (declared.locate((*path, "model")) or declared.position) if declared else None
            yield Asked(agent.id, resource[0], ModelUse(name, task), position)


def _resource(ai_service: str | None, task: Task, plan: ExecutionPlan) -> tuple[str, str] | None:
    """Id and type of the resource."""
    resources = plan.application.resources
    found = resources.get(ai_service) if ai_service else preferred(resources, task)
    return (found.id, found.type) if found is not None and found.type in AI_PROVIDERS else None

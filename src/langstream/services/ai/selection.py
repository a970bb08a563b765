"""Which of an application's resources is the AI service of an agent.

The one that `ai-service` names; without it the first type present, in the order of `AI_RESOURCE_TYPES`, of which this
installation has the provider and which can do what the agent wants; of several resources of that type the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from langstream.configuration.validation import check
from langstream.errors import AgentFailed
from langstream.registry import AI, Registry
from langstream.services.ai.contract import AI_RESOURCE_TYPES, AIProvider, AIService, Task
from langstream.services.ai.prices import Price

AI_PROVIDERS: Final = Registry(AI)


class ConfiguredResource(Protocol):
    """A resource of the application, at deployment or at run time."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def configuration(self) -> Mapping[str, Any]:
        """Its options, placeholders resolved."""


Found = TypeVar("Found", bound=ConfiguredResource)


@dataclass(frozen=True, slots=True)
class Connected:
    """A service with what it was made from. `others` names the AI resources that were passed over."""

    service: AIService = field(repr=False)
    provider: AIProvider
    resource_id: str
    others: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)


def ai_resource_types() -> tuple[str, ...]:
    """Every type of AI resource there is: those of the platform in order of preference, then those of third parties."""
    return AI_RESOURCE_TYPES + tuple(name for name in AI_PROVIDERS.names() if name not in AI_RESOURCE_TYPES)


def supported_types() -> tuple[str, ...]:
    """Those of which this installation has the provider."""
    return tuple(name for name in ai_resource_types() if name in AI_PROVIDERS)


def can(resource_type: str, task: Task | None) -> bool:
    """Whether services of the type do that. A provider that cannot be imported is not ruled out here."""
    if task is None:
        return True
    try:
        provider: AIProvider = AI_PROVIDERS.load(resource_type)
    except (ImportError, AttributeError):
        return True
    return task in provider.tasks


def preferred(resources: Mapping[str, Found], task: Task | None = None) -> Found | None:
    """The resource used by agents that name none, or None."""
    for resource_type in supported_types():
        candidates = [resource for resource in resources.values() if resource.type == resource_type]
        if candidates and can(resource_type, task):
            return candidates[-1]
    return None


def chosen(resources: Mapping[str, Found], ai_service: str | None, task: Task | None = None) -> Found:
    """The resource of the agent. Raises AgentFailed where there is none that can be used."""
    resource = resources.get(ai_service) if ai_service else preferred(resources, task)
    if resource is None:
        types = [name for name in supported_types() if can(name, task)]
        wanted = f"resource '{ai_service}'" if ai_service else f"resource of a type among {', '.join(types)}"
        raise AgentFailed(f"the application has no {wanted}")
    if resource.type not in AI_PROVIDERS:
        raise AgentFailed(f"resource '{resource.id}' of type '{resource.type}' is no AI service of this installation")
    if not can(resource.type, task):
        raise AgentFailed(f"resource '{resource.id}' of type '{resource.type}' has no {task}")
    return resource


def connect(resources: Mapping[str, Found], ai_service: str | None, task: Task | None = None) -> Connected:
    """The agent's AI service, not yet started. Raises AgentFailed."""
    resource = chosen(resources, ai_service, task)
    provider: AIProvider = AI_PROVIDERS.load(resource.type)
    configuration, problems = check(
        provider.configuration, resource.configuration, subject=f"resource '{resource.id}' (type: '{resource.type}')"
    )
    if configuration is None:
        raise AgentFailed("; ".join(str(problem) for problem in problems))
    able = [name for name in ai_resource_types() if name not in AI_PROVIDERS or can(name, task)]
    others = tuple(other.id for other in resources.values() if other.type in able and other is not resource)
    prices: Mapping[str, Price] = getattr(configuration, "prices", {})
    return Connected(provider.connect(configuration), provider, resource.id, () if ai_service else others, prices)

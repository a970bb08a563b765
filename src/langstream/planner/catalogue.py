"""What an installation has to plan with: agent types, AI services, stores, asset types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeVar

from langstream.agents.declaration import AGENT_TYPES, AgentType
from langstream.configuration.validation import did_you_mean
from langstream.errors import Position, Problem
from langstream.registry import ASSETS, TOPICS, Registry
from langstream.services.resources import Members, Services
from langstream.services.stores.contract import AssetType

Declaration = TypeVar("Declaration")

_JAVA: Final = {
    "camel-source": "For times use timer-source, for files file-source or the sources of buckets; a python-source or "
    "an HTTP gateway can take in the rest.",
    "source": "Run the connector in a Kafka Connect of its own that writes to the topic, or use a python-source.",
    "sink": "Run the connector in a Kafka Connect of its own that reads the topic, or use a python-sink.",
}
"""What to do instead of the original's agent types that are frames for Java code: Camel, and Kafka Connect."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Registries by what they hold; those of the installation unless others are given."""

    agents: Members = AGENT_TYPES
    services: Services = field(default_factory=Services)
    assets: Members = field(default_factory=lambda: Registry(ASSETS))
    brokers: Members = field(default_factory=lambda: Registry(TOPICS))

    def agent_type(
        self, name: str, subject: str, position: Position | None, problems: list[Problem]
    ) -> AgentType | None:
        """The declaration of an agent type, or None and a problem."""
        if name in _JAVA and name not in self.agents:
            message = f"The {subject} has the agent type '{name}', which runs Java code: there is none here"
            problems.append(Problem(message, position, _JAVA[name]))
            return None
        return _member(self.agents, name, AgentType, "agent type", subject, position, problems)

    def asset_type(
        self, name: str, subject: str, position: Position | None, problems: list[Problem]
    ) -> AssetType | None:
        """The declaration of an asset type, or None and a problem."""
        return _member(self.assets, name, AssetType, "asset type", subject, position, problems)


def _member(
    members: Members,
    name: str,
    kind: type[Declaration],
    what: str,
    subject: str,
    position: Position | None,
    problems: list[Problem],
) -> Declaration | None:
    if name not in members:
        hint = did_you_mean(name, members.names()) or f"Known types: {', '.join(members.names())}."
        problems.append(Problem(f"The {subject} has the unknown {what} '{name}'", position, hint))
        return None
    try:
        member = members.load(name)
    except (ImportError, AttributeError) as error:  # of another distribution, or one whose extra is missing
        problems.append(Problem(f"The {subject} has the {what} '{name}', which cannot be used here: {error}", position))
        return None
    if isinstance(member, kind):
        return member
    problems.append(Problem(f"The {what} '{name}' of {subject} is not declared by a {kind.__name__}", position))
    return None

"""Deployed applications as the gateway sees them. The deployer implements `Directory`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from langstream.application.model import Application, Topic
from langstream.topics.contract import TopicCluster


@dataclass(frozen=True, slots=True)
class Target:
    """One deployed application.

    `topics` names the topics that clients may reach: those declared in its files. `service_address` gives the base
    URL of a service agent that runs now, or None. `cancellations` is the topic on which its nodes are told what nobody
    waits for, if a gateway cancels.
    """

    tenant: str
    application_id: str
    application: Application
    topics: frozenset[str]
    cluster: TopicCluster
    service_address: Callable[[str], str | None]
    cancellations: str | None = None

    def declaration(self, topic: str) -> Topic | None:
        """The declaration of the topic, from whichever module has it."""
        for module in self.application.modules.values():
            if topic in module.topics:
                return module.topics[topic]
        return None

    def topic_options(self, topic: str) -> Mapping[str, Any]:
        """The `producer.*` and `consumer.*` options declared for the topic."""
        declared = self.declaration(topic)
        return declared.options if declared else {}


class Directory(Protocol):
    """Finds deployed applications; asked once per request, so it must be quick."""

    def find(self, tenant: str, application_id: str) -> Target | None:
        """The application as deployed now, or None."""

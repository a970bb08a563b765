"""An agent's connection to its AI service: found when the agent starts, closed with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from langstream.errors import AgentFailed
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import AIProvider, AIService, Task
from langstream.services.ai.prices import Price
from langstream.services.ai.selection import Connected, connect

LOG = logging.getLogger(__name__)


class AIConnection:
    """`ai_service` is the id of a resource, or None for the preferred one of those that can do the task."""

    def __init__(self, ai_service: str | None, task: Task) -> None:
        self._ai_service = ai_service
        self._task = task
        self._connected: Connected | None = None

    @property
    def service(self) -> AIService:
        """The service. Raises AgentFailed before `start` and after `close`."""
        return self._present().service

    @property
    def provider(self) -> AIProvider:
        """Whose service it is."""
        return self._present().provider

    @property
    def resource_id(self) -> str:
        """The id of its resource."""
        return self._present().resource_id

    @property
    def prices(self) -> Mapping[str, Price]:
        """What its models cost, as far as the resource declares it."""
        return self._present().prices

    async def start(self, context: AgentContext) -> None:
        """Connect. Raises AgentFailed where the application has no fitting resource."""
        connected = self._connected = connect(context.resources, self._ai_service, self._task)
        if connected.others:
            LOG.warning(
                "Agent %s uses AI resource %r and none of %s: set `ai-service` to choose",
                context.agent_id,
                connected.resource_id,
                ", ".join(connected.others),
            )
        await connected.service.start()

    async def close(self) -> None:
        """Let go; fine if it never started."""
        if self._connected is not None:
            await self._connected.service.close()
            self._connected = None

    def info(self, model: str | None) -> dict[str, Any]:
        """Facts for the status page."""
        facts = {"model": model} if model else {}
        if self._connected is not None:
            facts["ai-service"] = self._connected.resource_id
            facts["ai-service-type"] = self._connected.provider.resource_type
            facts["ai-service-summary"] = self._connected.provider.summary
        return facts

    def _present(self) -> Connected:
        if self._connected is None:
            raise AgentFailed("the agent is not started")
        return self._connected

"""Runs a plan in this process: every node as supervised tasks on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from langstream.configuration.validation import did_you_mean
from langstream.deploy.assets import create_assets, delete_assets
from langstream.deploy.collector import CalmCollector
from langstream.deploy.topics import create_topics, delete_topics
from langstream.errors import ApplicationRefused, Problem
from langstream.planner.plan import ExecutionPlan, Node
from langstream.runtime.announcements import Announcements
from langstream.runtime.directories import StateDirectories
from langstream.runtime.members import Surroundings
from langstream.runtime.metrics import Meters
from langstream.runtime.policy import Redactor
from langstream.runtime.replica import Limits
from langstream.runtime.supervision import NodeStatus, Supervisor
from langstream.sdk.contract import Resource
from langstream.sdk.tracing import NoTracer, Tracer
from langstream.topics.contract import TopicCluster


class LocalDeployment:
    """`setup`, `start`, `stop`; `cleanup` when the application is deleted for good.

    The cluster is started by the caller, and closed by the caller after `stop`. With `only_agent` just the node that
    contains this agent runs. Raises ApplicationRefused for an agent that does not exist.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        cluster: TopicCluster,
        *,
        data_directory: Path | None,
        registry: CollectorRegistry | None = None,
        only_agent: str | None = None,
        limits: Limits | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.plan = plan
        self.cluster = cluster
        self._nodes = _chosen(plan, only_agent)
        self._limits = limits or Limits()
        self._tracer = tracer or NoTracer()
        self._registry = registry
        self._meters: Meters | None = None
        self._directories = StateDirectories(data_directory, plan.application_id)
        self._supervisors: list[Supervisor] = []
        self._collector = CalmCollector()
        self._running = False
        listens = plan.cancellations is not None and any(node.answers for node in self._nodes)
        self._announcements = Announcements(cluster, plan.cancellations or "") if listens else None

    async def setup(self) -> None:
        """Create topics, then assets, as far as the plan asks for it. Raises what is in the way."""
        await create_topics(self.plan, self.cluster.admin)
        if self.plan.assets:
            await create_assets(self.plan, self._directories.root())

    async def start(self) -> None:
        """Start every node. Returns when they run, or failed and wait for their next start."""
        if self._running:
            raise RuntimeError("the deployment is running already")
        self._running = True
        if self._meters is None:
            self._meters = Meters(self._registry)
        if self._announcements is not None:
            self._announcements.start()
        surroundings = self._surroundings(self._meters)
        self._supervisors = [Supervisor(node, surroundings, self._limits) for node in self._nodes]
        await asyncio.gather(*(supervisor.start() for supervisor in self._supervisors))
        self._collector.enter()

    async def stop(self, deadline_seconds: float = 30.0) -> None:
        """Stop every node cleanly: finish what is in flight within the deadline, commit, close agents.

        `start` may be called again.
        """
        await self._stop_nodes(deadline_seconds)
        if self._meters is not None:
            self._meters.close()
            self._meters = None
        self._collector.leave()
        self._directories.close()

    async def reload(self, changed: Callable[[], None] | None = None) -> None:
        """Stop all nodes and start them again with fresh agents. `changed` is called in between, to forget old code."""
        await self._stop_nodes(30.0)
        if changed is not None:
            changed()
        await self.start()

    async def cleanup(self) -> None:
        """Delete what the plan says is to be deleted with the application: assets, the last first, then topics."""
        if self.plan.assets:
            await delete_assets(self.plan, self._directories.root())
        await delete_topics(self.plan, self.cluster.admin)
        self._directories.close()

    def status(self) -> Sequence[NodeStatus]:
        """Every node, in the order of the plan; after `stop` as it was at the end."""
        return [supervisor.status() for supervisor in self._supervisors]

    def healthy(self) -> bool:
        """No loop is stuck. A node that failed and waits for its restart does not make the deployment unhealthy."""
        return not any(supervisor.stuck() for supervisor in self._supervisors)

    def service_address(self, agent_id: str) -> str | None:
        """Base URL of a service agent, while it runs."""
        for supervisor in self._supervisors:
            if any(member.id == agent_id for member in supervisor.node.agents):
                return supervisor.address()
        return None

    async def _stop_nodes(self, deadline_seconds: float) -> None:
        await asyncio.gather(*(supervisor.stop(deadline_seconds) for supervisor in self._supervisors))
        if self._announcements is not None:
            await self._announcements.close()
        self._running = False

    def _surroundings(self, meters: Meters) -> Surroundings:
        plan, application = self.plan, self.plan.application
        return Surroundings(
            application_id=plan.application_id,
            tenant=plan.tenant,
            cluster=self.cluster,
            meters=meters,
            directories=self._directories,
            resources={
                id: Resource(id, resource.name, resource.type, resource.configuration)
                for id, resource in application.resources.items()
            },
            globals=application.instance.globals,
            code_directory=application.directory,
            topic_options={topic.name: topic.options for topic in plan.topics},
            announcements=self._announcements,
            tracer=self._tracer,
            redact=Redactor.of(application, (agent.configuration for node in plan.nodes for agent in node.agents)),
        )


def _chosen(plan: ExecutionPlan, only_agent: str | None) -> tuple[Node, ...]:
    if only_agent is None:
        return plan.nodes
    nodes = tuple(node for node in plan.nodes if any(member.id == only_agent for member in node.agents))
    if not nodes:
        known = [member.id for node in plan.nodes for member in node.agents]
        hint = did_you_mean(only_agent, known) or f"Known agents: {', '.join(known)}."
        raise ApplicationRefused([Problem(f"The application has no agent '{only_agent}'.", hint=hint)])
    return nodes

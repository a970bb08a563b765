"""One application running in this process: its cluster, its deployment, and a new plan when its files change."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry

from langstream.control.cluster import open_cluster
from langstream.control.files import ApplicationFiles
from langstream.deploy.local import LocalDeployment
from langstream.gateway.server import Target
from langstream.planner.plan import ExecutionPlan
from langstream.runtime.traces import Traces

log = logging.getLogger(__name__)


class RunningApplication:
    """Starts, stops and replaces the deployment of one application. A gateway directory of one entry."""

    def __init__(
        self, files: ApplicationFiles, plan: ExecutionPlan, metrics: CollectorRegistry, traces: Traces | None = None
    ) -> None:
        self.files = files
        self.plan = plan
        self.cluster = open_cluster(plan.application.instance.streaming, files.data_directory)
        self._metrics = metrics
        self._traces = traces or Traces()
        self.deployment = self._deployment(plan)
        self._ready = False

    def _deployment(self, plan: ExecutionPlan) -> LocalDeployment:
        return LocalDeployment(
            plan,
            self.cluster,
            data_directory=self.files.data_directory,
            registry=self._metrics,
            only_agent=self.files.only_agent,
            tracer=self._traces.tracer,
        )

    async def start(self) -> None:
        """Connect, create topics and assets, start every node."""
        await self.cluster.start()
        await self.deployment.setup()
        await self.deployment.start()
        self._ready = True

    async def stop(self, deadline_seconds: float = 30.0) -> None:
        """Finish what is in flight, then let go of everything."""
        self._ready = False
        try:
            await self.deployment.stop(deadline_seconds)
        finally:
            await self.cluster.close()
            await self._traces.close()

    async def reload_code(self) -> None:
        """Start the nodes again with fresh code of the application's own agents."""
        await self.deployment.reload(self._forget_code)

    def _forget_code(self) -> None:
        from langstream.agents.custom.code import forget

        forget(self.files.directory)

    async def replace(self, plan: ExecutionPlan) -> None:
        """Run another plan of the same application on the same cluster; if it cannot be set up, go on with this one."""
        deployment = self._deployment(plan)
        await self.deployment.stop()
        self._forget_code()
        try:
            await deployment.setup()
            await deployment.start()
        except Exception:
            await deployment.stop()
            await self.deployment.start()
            raise
        if plan.application.instance.streaming != self.plan.application.instance.streaming:
            log.warning("the streaming cluster changed in the instance file: stop and run again to move there")
        self.plan, self.deployment = plan, deployment

    def healthy(self) -> bool:
        """Everything was started and no loop is stuck."""
        return self._ready and self.deployment.healthy()

    def find(self, tenant: str, application_id: str) -> Target | None:
        """The application as gateways see it, if it is this one."""
        if (tenant, application_id) != (self.plan.tenant, self.plan.application_id):
            return None
        declared = frozenset(name for module in self.plan.application.modules.values() for name in module.topics)
        return Target(
            tenant=tenant,
            application_id=application_id,
            application=self.plan.application,
            topics=declared,
            cluster=self.cluster,
            service_address=self.deployment.service_address,
            cancellations=self.plan.cancellations,
        )

"""`Application` → `ExecutionPlan`: what has to be created, and which agents run together where.

Nodes, topics and assets come in the order of files and declarations. Consumer groups carry tenant and application,
`langstream-<tenant>-<application>-<agent>`, unless the input topic's option `consumer.group.id` names one, or the
instance's `streamingCluster.consumer-group-naming` is `agent`.
"""

from __future__ import annotations

from dataclasses import dataclass

from langstream.agents.declaration import AgentType, ComponentType, PlanContext
from langstream.application.model import Application, Cluster, GatewayType, GroupNaming, Module, OnFailure, Pipeline
from langstream.application.redaction import Redaction
from langstream.configuration.validation import did_you_mean
from langstream.errors import ApplicationRefused, Problem
from langstream.planner.assets import plan_assets
from langstream.planner.cancellation import cancellation_topic, plan_cancellation
from langstream.planner.catalogue import Catalogue
from langstream.planner.fusion import fuse
from langstream.planner.identifiers import KUBERNETES, check_agent_ids, check_application_id
from langstream.planner.links import Step, link
from langstream.planner.options import check_options
from langstream.planner.plan import ExecutionPlan, Node, PlannedAgent
from langstream.planner.references import Resources
from langstream.planner.topics import DEAD_LETTER_SUFFIX, check_schemas, declared_topics, planned_topics

_COMPUTE_TYPES = ("none", KUBERNETES)


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan as far as it could be made, and everything wrong with it."""

    plan: ExecutionPlan
    problems: tuple[Problem, ...]


def plan(
    application: Application, application_id: str, *, tenant: str = "default", catalogue: Catalogue | None = None
) -> ExecutionPlan:
    """The execution plan of an application. Raises ApplicationRefused with every problem."""
    planned = draft(application, application_id, tenant=tenant, catalogue=catalogue)
    if planned.problems:
        raise ApplicationRefused(planned.problems)
    return planned.plan


def draft(
    application: Application,
    application_id: str,
    *,
    tenant: str = "default",
    catalogue: Catalogue | None = None,
    resources_known: bool = True,
) -> Planned:
    """As much of the plan as can be made, and every problem.

    `resources_known` is false where configuration.yaml could not be read: missing resources are no problem then.
    """
    planner = _Planner(application, application_id, tenant, catalogue or Catalogue(), resources_known)
    result = planner.draft()
    redaction = Redaction(application.secrets)
    return Planned(result, tuple(redaction.problems(planner.problems)))


class _Planner:
    def __init__(
        self, application: Application, application_id: str, tenant: str, catalogue: Catalogue, resources_known: bool
    ) -> None:
        self.application, self.id, self.tenant, self.catalogue = application, application_id, tenant, catalogue
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.resources = Resources(application, catalogue.services, resources_known)
        self.joints: set[str] = set()

    def draft(self) -> ExecutionPlan:
        modules = list(self.application.modules.values())
        self._check_clusters()
        self._check_ids(modules)
        declared = declared_topics(modules, self.problems)
        streaming = self.application.instance.streaming
        check_schemas(modules, streaming.type if streaming else "", self.problems)
        assets = plan_assets(modules, self.catalogue, self.resources, self.problems)
        nodes = [
            node
            for module in modules
            for pipeline in module.pipelines.values()
            for node in self._nodes(module, pipeline)
        ]
        self._check_service_gateways(nodes)
        name = cancellation_topic(self.tenant, self.id)
        gateways = self.application.gateways
        cancellation = plan_cancellation(gateways, nodes, declared, name, self.problems, self.warnings)
        own = () if cancellation.topic is None else (cancellation.topic,)
        return ExecutionPlan(
            application_id=self.id,
            tenant=self.tenant,
            application=self.application,
            topics=(*planned_topics(declared, nodes, self.joints), *own),
            assets=assets,
            nodes=cancellation.nodes,
            warnings=self._all_warnings(),
            cancellations=None if cancellation.topic is None else name,
        )

    def _check_clusters(self) -> None:
        instance = self.application.instance
        if instance.compute.type not in _COMPUTE_TYPES:
            self._unknown_cluster("compute", instance.compute, _COMPUTE_TYPES)
        if instance.streaming is not None and instance.streaming.type not in self.catalogue.brokers:
            self._unknown_cluster("streaming", instance.streaming, self.catalogue.brokers.names())

    def _unknown_cluster(self, kind: str, cluster: Cluster, known: tuple[str, ...]) -> None:
        hint = did_you_mean(cluster.type, known) or f"Known types: {', '.join(known)}."
        self.problems.append(Problem(f"The {kind} cluster type '{cluster.type}' is unknown", cluster.position, hint))

    def _check_ids(self, modules: list[Module]) -> None:
        compute = self.application.instance.compute.type
        agents = [agent for module in modules for pipeline in module.pipelines.values() for agent in pipeline.agents]
        self.problems.extend(check_application_id(self.id, compute))
        self.problems.extend(check_agent_ids(agents, self.id, compute))

    def _nodes(self, module: Module, pipeline: Pipeline) -> list[Node]:
        groups = fuse(link(pipeline, self._types(pipeline), self.problems))
        joints = frozenset(group[0].input or "" for group in groups if group[0].joined)
        self.joints |= joints
        return [self._node(module, pipeline, group, joints) for group in groups]

    def _types(self, pipeline: Pipeline) -> dict[str, AgentType | None]:
        types: dict[str, AgentType | None] = {}
        for agent in pipeline.agents:
            found = self.catalogue.agent_type(agent.type, f"agent '{agent.id}'", agent.position, self.problems)
            types[agent.type] = found
        return types

    def _node(self, module: Module, pipeline: Pipeline, group: list[Step], joints: frozenset[str]) -> Node:
        first, last = group[0], group[-1]
        agents = tuple(agent for step in group if (agent := self._agent(module, step, joints)) is not None)
        dead_letters = first.agent.errors.on_failure is OnFailure.DEAD_LETTER and first.input is not None
        self._warn_of_idle(first)
        return Node(
            id=first.agent.id,
            module=module.id,
            pipeline=pipeline.id,
            agents=agents,
            input=first.input,
            output=last.output,
            dead_letter=f"{first.input}{DEAD_LETTER_SUFFIX}" if dead_letters else None,
            group=self._group(first, module),
            resources=first.agent.resources,
            errors=first.agent.errors,
            disks=frozenset(step.agent.id for step in group if step.keeps_state),
        )

    def _agent(self, module: Module, step: Step, joints: frozenset[str]) -> PlannedAgent | None:
        if step.type is None:
            return None
        application = self.application
        context = PlanContext(
            step.agent, module, application.resources, joints, application.directory, application.secrets
        )
        configuration, problems = check_options(step.type, context, self.resources)
        self.problems.extend(problems)
        if configuration is None:
            return None
        return PlannedAgent(step.agent.id, step.type, configuration, step.agent.name)

    def _group(self, step: Step, module: Module) -> str:
        topic = module.topics.get(step.input or "")
        named = topic.options.get("consumer.group.id") if topic else None
        if named is not None:
            return str(named)
        if self.application.instance.group_naming is GroupNaming.AGENT:
            return f"langstream-agent-{step.agent.id}"
        return f"langstream-{self.tenant}-{self.id}-{step.agent.id}"

    def _warn_of_idle(self, step: Step) -> None:
        if step.input is None and step.role in (ComponentType.PROCESSOR, ComponentType.SINK):
            message = f"Agent '{step.agent.id}' reads no topic and is no source: it will never get a record"
            self.warnings.append(Problem(message, step.agent.position))

    def _check_service_gateways(self, nodes: list[Node]) -> None:
        services = [node.id for node in nodes if node.agents and node.component_type is ComponentType.SERVICE]
        known = {node.id for node in nodes if not node.agents}  # those refused already
        for gateway in self.application.gateways:
            if gateway.type is not GatewayType.SERVICE or gateway.service is None or not gateway.service.agent_id:
                continue
            agent = gateway.service.agent_id
            if agent not in services and agent not in known:
                hint = did_you_mean(agent, services) or f"Service agents: {', '.join(services) or 'none'}."
                message = f"'agent-id' of gateway '{gateway.id}' names '{agent}', which is no service agent"
                self.problems.append(Problem(message, gateway.position, hint))

    def _all_warnings(self) -> tuple[Problem, ...]:
        unused = self.resources.unused()
        redaction = Redaction(self.application.secrets)
        return tuple(redaction.problems([*self.application.warnings, *self.warnings, *unused]))

"""A plan as a Mermaid flowchart: clients, gateways, topics, pipelines with their agents, resources.

Ids in the text are made of letters, digits and underscores alone, so that no name can break the chart or collide with
another; labels are quoted and escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from langstream.agents.declaration import ComponentType
from langstream.application.model import Application, Gateway, GatewayType
from langstream.configuration.model import marked_options
from langstream.planner.plan import ExecutionPlan, Node, PlannedAgent

INPUT_COLOUR: Final = "#82E0AA"
END_COLOUR: Final = "#F4D03F"
OUTPUT_COLOUR: Final = "#5DADE2"
_CLIENT: Final = "external_client"


def to_mermaid(plan: ExecutionPlan) -> str:
    """The text of the flowchart."""
    return "\n".join(_Chart(plan).lines())


def node_id(kind: str, *names: str) -> str:
    """An id of its own for every kind and names."""
    return "__".join([kind, *(_escaped(name) for name in names)])


def _escaped(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", lambda match: f"_{ord(match[0]):x}_", name)


def label(text: str) -> str:
    """Quoted text that shows as it is."""
    codes = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "\n": " ", "\r": " ", "`": "#96;"}
    return '"' + "".join(codes.get(char, char) for char in text) + '"'


class _Chart:
    def __init__(self, plan: ExecutionPlan) -> None:
        self._plan = plan
        self._application: Application = plan.application
        self._links: list[tuple[str, str | None]] = []

    def lines(self) -> list[str]:
        lines = ["flowchart LR", *self._outside(), *self._resources(), *self._topics(), *self._gateways()]
        lines.extend(self._pipelines())
        for gateway in self._application.gateways:
            self._connect_gateway(gateway)
        for node in self._plan.nodes:
            self._connect_node(node)
        for index, (text, colour) in enumerate(self._links):
            lines.append(text)
            if colour is not None:
                lines.append(f"linkStyle {index} stroke:{colour}")
        return lines

    def _outside(self) -> Iterator[str]:
        if self._application.gateways:
            yield f"{_CLIENT}(({label('client')}))"
        for node in self._plan.nodes:
            if node.component_type is ComponentType.SERVICE:
                continue
            if node.input is None:
                yield f"{node_id('source', node.id)}(({label('external system')}))"
            if node.output is None:
                yield f"{node_id('sink', node.id)}(({label('external system')}))"

    def _resources(self) -> list[str]:
        shown = [
            f"{node_id('resource', resource.id)}({label(resource.name)})"
            for resource in self._application.resources.values()
        ]
        return _subgraph("resources", "Resources", shown)

    def _topics(self) -> list[str]:
        shown = [f"{node_id('topic', topic.name)}({label(topic.name)})" for topic in self._plan.topics]
        return _subgraph("streaming_cluster", "Topics", shown)

    def _gateways(self) -> list[str]:
        shown = [f"{_gateway_id(item)}[/{label(item.id)}\\]" for item in self._application.gateways]
        return _subgraph("gateways", "Gateways", shown)

    def _pipelines(self) -> Iterator[str]:
        members: dict[tuple[str, str], list[str]] = {}
        for node in self._plan.nodes:
            agents = [f"{node_id('agent', agent.id)}({label(agent.name or agent.id)})" for agent in node.agents]
            if len(agents) > 1:
                agents = _subgraph(node_id("node", node.id), node.id, agents)
            members.setdefault((node.module, node.pipeline), []).extend(agents)
        for (module, pipeline), agents in members.items():
            title = pipeline if module == "default" else f"{module}: {pipeline}"
            yield from _subgraph(node_id("pipeline", module, pipeline), title, agents)

    def _link(self, start: str, end: str, colour: str | None = None, *, dotted: bool = False) -> None:
        self._links.append((f"{start} {'-.->' if dotted else '-->'} {end}", colour))

    def _connect_gateway(self, gateway: Gateway) -> None:
        door = _gateway_id(gateway)
        written, read = _gateway_topics(gateway)
        if gateway.type is not GatewayType.CONSUME:
            self._link(_CLIENT, door)
        if written is not None:
            self._link(door, node_id("topic", written))
        if read is not None:
            self._link(node_id("topic", read), door)
        if gateway.type is not GatewayType.PRODUCE:
            self._link(door, _CLIENT)
        if gateway.service is not None and gateway.service.agent_id is not None:
            self._link(door, node_id("agent", gateway.service.agent_id))

    def _connect_node(self, node: Node) -> None:
        first, last = (node_id("agent", agent.id) for agent in (node.agents[0], node.agents[-1]))
        if node.component_type is not ComponentType.SERVICE:
            origin = node_id("topic", node.input) if node.input else node_id("source", node.id)
            self._link(origin, first, INPUT_COLOUR, dotted=True)
        for one, other in zip(node.agents, node.agents[1:], strict=False):
            self._link(node_id("agent", one.id), node_id("agent", other.id), OUTPUT_COLOUR)
        if node.output is not None:
            self._link(last, node_id("topic", node.output), OUTPUT_COLOUR)
        elif node.component_type is not ComponentType.SERVICE:
            self._link(last, node_id("sink", node.id), END_COLOUR)
        if node.dead_letter is not None:
            self._link(first, node_id("topic", node.dead_letter), dotted=True)
        for agent in node.agents:
            for resource in self._used_resources(agent):
                self._link(node_id("agent", agent.id), node_id("resource", resource), dotted=True)

    def _used_resources(self, agent: PlannedAgent) -> list[str]:
        named = {text for _, kind, text in marked_options(agent.configuration) if kind.name == "resource"}
        return sorted(named & self._application.resources.keys())


def _gateway_id(gateway: Gateway) -> str:
    return node_id("gateway", gateway.type.value, gateway.id)


def _gateway_topics(gateway: Gateway) -> tuple[str | None, str | None]:
    """The topics that a gateway writes and reads."""
    if gateway.chat is not None:
        return gateway.chat.questions_topic, gateway.chat.answers_topic
    if gateway.service is not None:
        return gateway.service.input_topic, gateway.service.output_topic
    return (gateway.topic, None) if gateway.type is GatewayType.PRODUCE else (None, gateway.topic)


def _subgraph(id: str, title: str, members: list[str]) -> list[str]:
    return [f"subgraph {id}[{label(title)}]", *(f"  {line}" for line in members), "end"] if members else []

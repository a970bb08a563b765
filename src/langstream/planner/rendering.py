"""A plan to look at: as a document (JSON, YAML) and as a tree. Options, and so secrets, are in neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langstream.application.model import Gateway
from langstream.planner.mermaid import to_mermaid
from langstream.planner.plan import ExecutionPlan, Node, PlannedAsset, PlannedTopic

__all__ = ["to_document", "to_mermaid", "to_tree"]


def to_document(plan: ExecutionPlan) -> dict[str, Any]:
    """The plan as plain data."""
    return {
        "application-id": plan.application_id,
        "tenant": plan.tenant,
        "topics": [_topic_document(topic) for topic in plan.topics],
        "assets": [_asset_document(asset) for asset in plan.assets],
        "agents": [_node_document(node) for node in plan.nodes],
    }


def _topic_document(topic: PlannedTopic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "creation-mode": topic.creation_mode.value,
        "deletion-mode": topic.deletion_mode.value,
        "partitions": topic.partitions,
        "implicit": topic.implicit,
    }


def _asset_document(planned: PlannedAsset) -> dict[str, Any]:
    asset = planned.asset
    return {
        "id": asset.id,
        "name": asset.name,
        "asset-type": asset.asset_type,
        "creation-mode": asset.creation_mode.value,
        "deletion-mode": asset.deletion_mode.value,
        "module": planned.module,
    }


def _node_document(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        "component-type": node.component_type.value,
        "module": node.module,
        "pipeline": node.pipeline,
        "input": None if node.input is None else {"topic": node.input},
        "output": None if node.output is None else {"topic": node.output},
        "dead-letter": None if node.dead_letter is None else {"topic": node.dead_letter},
        "consumer-group": None if node.input is None else node.group,
        "resources": {"parallelism": node.resources.parallelism, "size": node.resources.size},
        "errors": {"on-failure": node.errors.on_failure.value, "retries": node.errors.retries},
        "disks": sorted(node.disks),
        "agents": [
            {"id": agent.id, "type": agent.type.name, "component-type": agent.component_type.value, "name": agent.name}
            for agent in node.agents
        ],
    }


@dataclass(frozen=True, slots=True)
class _Branch:
    """A line of the tree and what hangs below it."""

    text: str
    below: Sequence[_Branch] = field(default_factory=tuple)


def to_tree(plan: ExecutionPlan) -> str:
    """The plan as an indented tree for people."""
    sections = [
        _Branch(f"topics ({len(plan.topics)})", [_Branch(_topic_line(topic)) for topic in plan.topics]),
        _Branch(f"nodes ({len(plan.nodes)})", [_node_branch(node) for node in plan.nodes]),
    ]
    if plan.assets:
        sections.append(_Branch(f"assets ({len(plan.assets)})", [_Branch(_asset_line(asset)) for asset in plan.assets]))
    gateways = plan.application.gateways
    if gateways:
        sections.append(_Branch(f"gateways ({len(gateways)})", [_Branch(_gateway_line(item)) for item in gateways]))
    if plan.warnings:
        sections.append(_Branch(f"warnings ({len(plan.warnings)})", [_Branch(str(item)) for item in plan.warnings]))
    return "\n".join([f"{plan.application_id} (tenant {plan.tenant})", *_lines(sections, "")])


def _lines(branches: Sequence[_Branch], indent: str) -> list[str]:
    lines = []
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        lines.append(f"{indent}{'└── ' if last else '├── '}{branch.text}")
        lines.extend(_lines(branch.below, f"{indent}{'    ' if last else '│   '}"))
    return lines


def _topic_line(topic: PlannedTopic) -> str:
    facts = [
        "implicit" if topic.implicit else "",
        topic.creation_mode.value if topic.creation_mode.value != "none" else "must exist",
        "deleted with the application" if topic.deletion_mode.value == "delete" else "",
        f"{topic.partitions} partitions" if topic.partitions > 1 else "",
    ]
    return f"{topic.name}  [{', '.join(fact for fact in facts if fact)}]"


def _node_branch(node: Node) -> _Branch:
    below = []
    if node.input is not None:
        below.append(_Branch(f"reads {node.input}  (consumer group {node.group})"))
    for agent in node.agents:
        name = f'  "{agent.name}"' if agent.name else ""
        disk = "  (disk)" if agent.id in node.disks else ""
        below.append(_Branch(f"{agent.type.name}  {agent.id}{name}{disk}"))
    if node.output is not None:
        below.append(_Branch(f"writes {node.output}"))
    below.append(_Branch(_policy(node)))
    if node.resources.parallelism > 1 or node.resources.size > 1:
        below.append(_Branch(f"parallelism {node.resources.parallelism}, size {node.resources.size}"))
    return _Branch(f"{node.id}  [{node.component_type.value.lower()}]", below)


def _policy(node: Node) -> str:
    retries = node.errors.retries
    tried = f", after {retries} attempts" if retries > 1 else ""
    target = f" to {node.dead_letter}" if node.dead_letter else ""
    return f"on failure: {node.errors.on_failure.value}{target}{tried}"


def _asset_line(planned: PlannedAsset) -> str:
    asset = planned.asset
    removal = ", deleted with the application" if asset.deletion_mode.value == "delete" else ""
    return f"{asset.name}  [{asset.asset_type}, {asset.creation_mode.value}{removal}]"


def _gateway_line(gateway: Gateway) -> str:
    if gateway.chat is not None:
        target = f"{gateway.chat.questions_topic} → {gateway.chat.answers_topic}"
    elif gateway.service is not None:
        service = gateway.service
        target = f"agent {service.agent_id}" if service.agent_id else f"{service.input_topic} → {service.output_topic}"
    else:
        target = gateway.topic or ""
    locked = f", {gateway.authentication.provider}" if gateway.authentication else ""
    return f"{gateway.id}  [{gateway.type.value}{locked}]  {target}"

"""Fusing neighbours of a pipeline into nodes: records pass between them as objects, without a topic.

Two neighbours are fused when only an implicit topic joins them, both may be, and they have the same parallelism, size
and error policy. Disks do not matter: each member keeps its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from langstream.agents.declaration import ComponentType, Composable
from langstream.planner.links import Step


def fuse(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps grouped into nodes, in order."""
    groups: list[list[Step]] = []
    for step in steps:
        if groups and _together(groups[-1][-1], step):
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _together(previous: Step, step: Step) -> bool:
    first, second = previous.agent, step.agent
    return (
        step.joined
        and _composable(previous)
        and _composable(step)
        and first.resources.parallelism == second.resources.parallelism
        and first.resources.size == second.resources.size
        and first.errors == second.errors
    )


def _composable(step: Step) -> bool:
    if step.type is None or step.type.composable is Composable.NEVER or step.role is ComponentType.SERVICE:
        return False
    return step.type.composable is Composable.ALWAYS or wants_fusion(step.agent.configuration.get("composable", True))


def wants_fusion(composable: object) -> bool:
    """What the option `composable` says: anything but true keeps the agent apart; absent is true."""
    return composable is None or str(composable).strip().lower() == "true"

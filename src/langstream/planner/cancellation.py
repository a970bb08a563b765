"""Cancellation in the plan: the topic over which gateways tell nodes, and which nodes listen.

A node listens for a gateway if what it writes leads to the gateway's answers. Nodes behind the answers do not: what
they do with an answer (keep it, count it) somebody else asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from langstream.application.model import CreationMode, DeletionMode, Gateway
from langstream.configuration.model import marked_options
from langstream.errors import Problem
from langstream.planner.plan import Node, PlannedAgent, PlannedTopic

RETENTION_MS: Final = 60 * 60 * 1000
"""How long announcements are kept: a node that comes back after that asks what nobody waits for."""
LONGEST_NAME: Final = 200
_UNUSABLE: Final = re.compile(r"[^A-Za-z0-9._-]")
_READ: Final = "output-topic"
"""The option that names a topic which an agent reads beside its input: the answers of a tool."""


@dataclass(frozen=True, slots=True)
class PlannedCancellation:
    """The nodes, knowing for whose answers they work; and the topic, where a gateway asks for cancellation."""

    nodes: tuple[Node, ...]
    topic: PlannedTopic | None = None


def plan_cancellation(
    gateways: Iterable[Gateway],
    nodes: Sequence[Node],
    declared: Mapping[str, PlannedTopic],
    name: str,
    problems: list[Problem],
    warnings: list[Problem],
) -> PlannedCancellation:
    """What gateways with `cancel-after-seconds` need. `name` is that of the topic."""
    asking = [gateway for gateway in gateways if gateway.cancel_after_seconds is not None and gateway.answers_topic]
    if not asking:
        return PlannedCancellation(tuple(nodes))
    if name in declared:
        message = f"The topic '{name}' is declared, but the platform needs it for cancellation"
        problems.append(Problem(message, asking[0].position, "Give the declared topic another name."))
    answers = frozenset(gateway.answers_topic or "" for gateway in asking)
    working = tuple(replace(node, answers=_answers(node, nodes, answers)) for node in nodes)
    for gateway in asking:
        if not any(gateway.answers_topic in node.answers for node in working):
            message = (
                f"Gateway '{gateway.id}' cancels what clients that left have asked for, but no agent is known to write "
                f"its answers to '{gateway.answers_topic}': nothing will be cancelled"
            )
            warnings.append(Problem(message, gateway.position))
    topic = PlannedTopic(
        name=name,
        creation_mode=CreationMode.CREATE_IF_NOT_EXISTS,
        deletion_mode=DeletionMode.DELETE,
        partitions=1,
        implicit=True,
        config={"retention.ms": RETENTION_MS},
    )
    return PlannedCancellation(working, topic)


def cancellation_topic(tenant: str, application_id: str) -> str:
    """The name of the application's topic of cancellations, one that every broker takes."""
    name = f"langstream-{tenant}-{application_id}-cancellations"
    usable = _UNUSABLE.sub("_", name)
    if usable == name and len(name) <= LONGEST_NAME:
        return name
    return f"{usable[:LONGEST_NAME]}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def _answers(node: Node, nodes: Sequence[Node], answers: frozenset[str]) -> frozenset[str]:
    """Those of the topics to which the node's results lead, in any number of steps."""
    found: set[str] = set()
    seen: set[str] = set()
    ahead = [node]
    while ahead:
        current = ahead.pop()
        if current.id in seen:
            continue
        seen.add(current.id)
        written = _written(current)
        found |= answers if written is None else written & answers
        ahead += [other for other in nodes if written is None or written & _read(other)]
    return frozenset(found)


def _written(node: Node) -> frozenset[str] | None:
    """The topics that the node may write to; None where records choose them."""
    if any(_chooses(agent) for agent in node.agents):
        return None
    named = {text for path, text in _topics(node) if path[-1] != _READ}
    return frozenset(named | {node.output} if node.output is not None else named)


def _read(node: Node) -> frozenset[str]:
    named = {text for path, text in _topics(node) if path[-1] == _READ}
    return frozenset(named | {node.input} if node.input is not None else named)


def _topics(node: Node) -> list[tuple[tuple[str | int, ...], str]]:
    return [
        (path, text)
        for agent in node.agents
        for path, kind, text in marked_options(agent.configuration)
        if kind.name == "topic"
    ]


def _chooses(agent: PlannedAgent) -> bool:
    """Whether the agent computes where records go."""
    fields = getattr(agent.configuration, "fields", ())
    return any(getattr(field, "name", None) == "destinationTopic" for field in fields)

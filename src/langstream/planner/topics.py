"""The topics of a plan: declared ones of all modules, implicit ones between nodes, and dead-letter topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from langstream.application.model import CreationMode, DeletionMode, Module, Topic
from langstream.errors import Problem
from langstream.planner.plan import Node, PlannedTopic
from langstream.topics.schema_types import schema_types

DEAD_LETTER_SUFFIX = "-deadletter"


def declared_topics(modules: Iterable[Module], problems: list[Problem]) -> dict[str, PlannedTopic]:
    """The topics declared in any module. The same topic in several modules is one, and may not be contradicted."""
    topics: dict[str, PlannedTopic] = {}
    origins: dict[str, Topic] = {}
    for module in modules:
        for topic in module.topics.values():
            planned = _planned(topic)
            if topic.name not in topics:
                topics[topic.name], origins[topic.name] = planned, topic
                continue
            contradiction = _contradiction(topics[topic.name], planned)
            if contradiction is None:
                topics[topic.name] = _merged(topics[topic.name], planned)
            else:
                message = f"Topic '{topic.name}' is declared with other {contradiction} in module '{module.id}'"
                hint = f"It is first declared at {origins[topic.name].position}."
                problems.append(Problem(message, topic.position, hint))
    return topics


def check_schemas(modules: Iterable[Module], broker: str, problems: list[Problem]) -> None:
    """Schemas of types that the broker does not have are told here, before any topic is made."""
    known = schema_types(broker)
    if known is None:
        return
    for module in modules:
        for topic in module.topics.values():
            for place, schema in (("schema", topic.value_schema), ("keySchema", topic.key_schema)):
                if schema is not None and schema.type.lower() not in known:
                    message = f"The {place} of topic '{topic.name}' has the type '{schema.type}', unknown to {broker}"
                    problems.append(Problem(message, topic.position, f"Known types: {', '.join(known)}."))


def implicit_topic_of(name: str, parallelism: int) -> PlannedTopic:
    """The topic that joins two nodes. Several replicas get a partition each; otherwise the broker's default holds."""
    return PlannedTopic(
        name=name,
        creation_mode=CreationMode.CREATE_IF_NOT_EXISTS,
        deletion_mode=DeletionMode.NONE,
        partitions=parallelism if parallelism > 1 else 0,
        implicit=True,
    )


def dead_letter_topic(source: PlannedTopic) -> PlannedTopic:
    """The topic for the records of another that failed for good: created always, kept and divided like the other."""
    return replace(
        source,
        name=f"{source.name}{DEAD_LETTER_SUFFIX}",
        creation_mode=CreationMode.CREATE_IF_NOT_EXISTS,
        options={},
        config={},
    )


def planned_topics(
    declared: Mapping[str, PlannedTopic], nodes: Sequence[Node], joints: set[str]
) -> tuple[PlannedTopic, ...]:
    """Every topic of the plan. `joints` are the names of implicit topics; a declared topic of a name always wins."""
    topics = dict(declared)
    for node in nodes:
        if node.input in joints:
            topics.setdefault(node.input or "", implicit_topic_of(node.input or "", node.resources.parallelism))
        if node.dead_letter is not None and node.input in topics:
            topics.setdefault(node.dead_letter, dead_letter_topic(topics[node.input]))
    return tuple(topics.values())


def _planned(topic: Topic) -> PlannedTopic:
    return PlannedTopic(
        name=topic.name,
        creation_mode=topic.creation_mode,
        deletion_mode=topic.deletion_mode,
        partitions=topic.partitions,
        key_schema=topic.key_schema,
        value_schema=topic.value_schema,
        options=topic.options,
        config=topic.config,
    )


def _contradiction(first: PlannedTopic, second: PlannedTopic) -> str | None:
    """What two declarations say differently; what one of them leaves open is no contradiction."""
    for what, one, other in (
        ("partitions", first.partitions, second.partitions),
        ("schema", first.value_schema, second.value_schema),
        ("keySchema", first.key_schema, second.key_schema),
    ):
        if one and other and one != other:
            return what
    if any(first.config[key] != second.config[key] for key in first.config.keys() & second.config.keys()):
        return "config"
    return None


def _merged(first: PlannedTopic, second: PlannedTopic) -> PlannedTopic:
    created = CreationMode.CREATE_IF_NOT_EXISTS in (first.creation_mode, second.creation_mode)
    deleted = DeletionMode.DELETE in (first.deletion_mode, second.deletion_mode)
    return PlannedTopic(
        name=first.name,
        creation_mode=CreationMode.CREATE_IF_NOT_EXISTS if created else CreationMode.NONE,
        deletion_mode=DeletionMode.DELETE if deleted else DeletionMode.NONE,
        partitions=first.partitions or second.partitions,
        key_schema=first.key_schema or second.key_schema,
        value_schema=first.value_schema or second.value_schema,
        options={**second.options, **first.options},
        config={**second.config, **first.config},
    )

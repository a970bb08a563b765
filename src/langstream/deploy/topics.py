"""The topics of a plan on its cluster: created before the nodes start, deleted with the application if it says so."""

from __future__ import annotations

from langstream.application.model import CreationMode, DeletionMode, SchemaSpec
from langstream.errors import TopicMismatch, TopicNotFound
from langstream.planner.plan import ExecutionPlan, PlannedTopic
from langstream.topics.contract import TopicAdmin, TopicSchema, TopicSpec


async def create_topics(plan: ExecutionPlan, admin: TopicAdmin) -> None:
    """Create the topics that do not exist. Raises TopicNotFound with the names of all that somebody else must create.

    Topics that exist with other settings than declared are refused (TopicMismatch), all of them at once.
    """
    mismatches: list[str] = []
    missing: list[str] = []
    for topic in plan.topics:
        if topic.creation_mode is CreationMode.CREATE_IF_NOT_EXISTS:
            try:
                await admin.create(_spec(topic))
            except TopicMismatch as error:
                mismatches.append(str(error))
        elif await admin.describe(topic.name) is None:
            missing.append(topic.name)
        else:
            await admin.declare(_spec(topic))
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        are = "topic does" if len(missing) == 1 else "topics do"
        raise TopicNotFound(
            f"the {are} not exist: {names}. The creation-mode is none, so somebody else has to create what is missing; "
            "declare `creation-mode: create-if-not-exists` to have it created with the application"
        )
    if mismatches:
        raise TopicMismatch("\n".join(mismatches))


async def delete_topics(plan: ExecutionPlan, admin: TopicAdmin) -> None:
    """Delete those with deletion-mode `delete`."""
    for topic in plan.topics:
        if topic.deletion_mode is DeletionMode.DELETE:
            await admin.delete(topic.name)


def _spec(topic: PlannedTopic) -> TopicSpec:
    return TopicSpec(
        topic.name,
        topic.partitions,
        topic.config,
        topic.options,
        _schema(topic.key_schema),
        _schema(topic.value_schema),
    )


def _schema(declared: SchemaSpec | None) -> TopicSchema | None:
    return None if declared is None else TopicSchema(declared.type, declared.schema, declared.name)

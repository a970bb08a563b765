"""Dead-letter topics, topics of several modules, consumer groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.application.model import CreationMode, DeletionMode, SchemaSpec
from langstream.errors import ApplicationRefused
from langstream.planner.plan import ExecutionPlan

if TYPE_CHECKING:
    from tests.planner.conftest import Plan

TWO_APART = """
    topics: [{name: in}, {name: out}]
    errors: {on-failure: dead-letter}
    pipeline:
    - {type: alone, id: one, input: in}
    - {type: alone, id: two, output: out%s}
    """


def names(plan: ExecutionPlan) -> list[str]:
    return sorted(topic.name for topic in plan.topics)


def test_every_node_that_reads_has_its_dead_letter_topic(plan: Plan) -> None:
    found = plan(TWO_APART % "")
    assert names(found) == ["agent-two-input", "agent-two-input-deadletter", "in", "in-deadletter", "out"]
    assert [node.dead_letter for node in found.nodes] == ["in-deadletter", "agent-two-input-deadletter"]
    assert found.topic("agent-two-input-deadletter").implicit
    assert not found.topic("in-deadletter").implicit


def test_an_agent_that_skips_has_none(plan: Plan) -> None:
    found = plan(TWO_APART % ", errors: {on-failure: skip}")
    assert names(found) == ["agent-two-input", "in", "in-deadletter", "out"]
    assert not found.nodes[1].dead_letters


def test_a_fused_chain_has_that_of_its_input_alone(plan: Plan) -> None:
    found = plan((TWO_APART % "").replace("alone", "step"))
    assert names(found) == ["in", "in-deadletter", "out"]


def test_a_source_has_none(plan: Plan) -> None:
    found = plan("errors: {on-failure: dead-letter}\npipeline: [{type: source}, {type: sink}]")
    assert names(found) == []
    assert found.nodes[0].dead_letter is None


def test_a_dead_letter_topic_is_like_its_topic_but_for_options(plan: Plan) -> None:
    found = plan(
        """
        topics:
        - name: in
          deletion-mode: delete
          partitions: 4
          schema: {type: avro, schema: "x"}
          keySchema: {type: string}
          options: {a: 1}
          config: {b: 2}
        pipeline: [{type: step, input: in, errors: {on-failure: dead-letter}}]
        """
    )
    topic = found.topic("in-deadletter")
    assert (topic.creation_mode, topic.deletion_mode) == (CreationMode.CREATE_IF_NOT_EXISTS, DeletionMode.DELETE)
    assert topic.partitions == 4
    assert (topic.value_schema, topic.key_schema) == (SchemaSpec("avro", "x"), SchemaSpec("string"))
    assert (topic.options, topic.config) == ({}, {})


def test_a_declared_dead_letter_topic_keeps_its_settings(plan: Plan) -> None:
    found = plan(
        """
        topics: [{name: in, partitions: 4}, {name: in-deadletter, partitions: 1}]
        pipeline: [{type: step, input: in, errors: {on-failure: dead-letter}}]
        """
    )
    assert names(found) == ["in", "in-deadletter"]
    assert found.topic("in-deadletter").partitions == 1
    assert found.topic("in-deadletter").creation_mode is CreationMode.NONE


def test_a_topic_of_two_modules_is_one(plan: Plan) -> None:
    found = plan(
        {
            "a.yaml": "module: a\ntopics: [{name: t, creation-mode: create-if-not-exists, partitions: 3}]",
            "b.yaml": "module: b\ntopics: [{name: t, deletion-mode: delete}]\npipeline: [{type: step, input: t}]",
        }
    )
    topic = found.topic("t")
    assert (topic.creation_mode, topic.deletion_mode) == (CreationMode.CREATE_IF_NOT_EXISTS, DeletionMode.DELETE)
    assert topic.partitions == 3


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("partitions: 3", "partitions: 4", "partitions"),
        ("schema: {type: string}", "schema: {type: bytes}", "schema"),
        ("config: {a: 1}", "config: {a: 2}", "config"),
    ],
)
def test_two_modules_may_not_contradict_each_other(plan: Plan, one: str, other: str, what: str) -> None:
    files = {
        "a.yaml": f"module: a\ntopics: [{{name: t, {one}}}]",
        "b.yaml": f"module: b\ntopics: [{{name: t, {other}}}]",
    }
    with pytest.raises(ApplicationRefused, match=f"b.yaml:2:11: Topic 't' is declared with other {what} in module 'b'"):
        plan(files)


ONE = "topics: [{name: in%s}]\npipeline: [{type: step, id: a, input: in}, {type: step}]"


def test_consumer_groups_carry_tenant_and_application(plan: Plan) -> None:
    assert plan(ONE % "", tenant="acme").nodes[0].group == "langstream-acme-app-a"


def test_an_option_of_the_input_topic_names_the_group(plan: Plan) -> None:
    assert plan(ONE % ", options: {consumer.group.id: mine}").nodes[0].group == "mine"


def test_an_instance_may_keep_the_names_of_the_original(plan: Plan) -> None:
    instance = "instance: {streamingCluster: {type: kafka, consumer-group-naming: agent}}"
    assert plan(ONE % "", instance=instance).nodes[0].group == "langstream-agent-a"

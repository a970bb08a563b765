"""How the agents of pipelines become nodes, and which topics join them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.declaration import ComponentType
from langstream.application.model import (
    Agent,
    Application,
    CreationMode,
    DeletionMode,
    ErrorsSpec,
    Module,
    Pipeline,
    ResourcesSpec,
    Topic,
)
from langstream.errors import ApplicationRefused
from langstream.planner.plan import ExecutionPlan
from langstream.planner.planning import plan as plan_application

if TYPE_CHECKING:
    from langstream.planner.catalogue import Catalogue
    from tests.planner.conftest import Plan

TOPICS = "topics: [{name: in}, {name: out}]\n"


def nodes(plan: ExecutionPlan) -> dict[str, list[str]]:
    return {node.id: [agent.id for agent in node.agents] for node in plan.nodes}


def names(plan: ExecutionPlan) -> set[str]:
    return {topic.name for topic in plan.topics}


def pipeline(*agents: str, head: str = TOPICS) -> str:
    return head + "pipeline:\n" + "".join(f"- {{{agent}}}\n" for agent in agents)


def test_neighbours_are_fused_into_the_node_of_the_first(plan: Plan) -> None:
    found = plan(pipeline("type: step, id: a, input: in", "type: step, id: b", "type: step, id: c, output: out"))
    assert nodes(found) == {"a": ["a", "b", "c"]}
    assert names(found) == {"in", "out"}
    (node,) = found.nodes
    assert (node.type, node.component_type) == ("composite-agent", ComponentType.PROCESSOR)
    assert (node.input, node.output, node.dead_letter) == ("in", "out", None)


def test_a_single_agent_keeps_its_type(plan: Plan) -> None:
    (node,) = plan(pipeline("type: step, id: a, input: in, output: out")).nodes
    assert node.type == "step"


@pytest.mark.parametrize(
    "middle",
    [
        "type: alone",
        "type: optional, configuration: {composable: false}",
        "type: code, configuration: {className: x.Y, composable: 'false'}",
        "type: step, resources: {size: 2}",
        "type: step, resources: {parallelism: 2}",
        "type: step, errors: {on-failure: skip}",
        "type: step, errors: {retries: 1}",
    ],
)
def test_what_keeps_an_agent_apart(plan: Plan, middle: str) -> None:
    found = plan(pipeline("type: step, id: a, input: in", f"{middle}, id: b", "type: step, id: c, output: out"))
    assert nodes(found) == {"a": ["a"], "b": ["b"], "c": ["c"]}
    assert names(found) == {"in", "out", "agent-b-input", "agent-c-input"}
    assert [(node.input, node.output) for node in found.nodes] == [
        ("in", "agent-b-input"),
        ("agent-b-input", "agent-c-input"),
        ("agent-c-input", "out"),
    ]


@pytest.mark.parametrize(
    "middle",
    [
        "type: optional",
        "type: optional, configuration: {composable: true}",
        "type: code, configuration: {className: x.Y, composable: 'true'}",
        "type: step, resources: {disk: {enabled: true}}",
    ],
)
def test_what_does_not(plan: Plan, middle: str) -> None:
    found = plan(pipeline("type: step, id: a, input: in", f"{middle}, id: b", "type: step, id: c, output: out"))
    assert nodes(found) == {"a": ["a", "b", "c"]}


def test_fusion_goes_on_after_an_agent_that_stays_apart(plan: Plan) -> None:
    found = plan(
        pipeline(
            "type: step, id: a, input: in",
            "type: step, id: b",
            "type: optional, id: c, configuration: {composable: false}",
            "type: step, id: d, output: out",
        )
    )
    assert nodes(found) == {"a": ["a", "b"], "c": ["c"], "d": ["d"]}
    assert names(found) == {"in", "out", "agent-c-input", "agent-d-input"}


def test_a_source_and_a_sink_join_the_node(plan: Plan) -> None:
    found = plan(pipeline("type: source, id: s", "type: step", "type: step", "type: sink", head=""))
    assert nodes(found) == {"s": ["s", "pipeline-step-1", "pipeline-step-2", "pipeline-sink-3"]}
    assert names(found) == set()
    (node,) = found.nodes
    assert (node.component_type, node.input, node.output) == (ComponentType.SOURCE, None, None)


def test_the_part_after_a_split_may_end_in_a_sink(plan: Plan) -> None:
    found = plan(
        pipeline(
            "type: source, id: s", "type: step", "type: alone, id: bad", "type: step, id: t", "type: sink", head=""
        )
    )
    assert nodes(found) == {"s": ["s", "pipeline-step-1"], "bad": ["bad"], "t": ["t", "pipeline-sink-2"]}
    assert names(found) == {"agent-bad-input", "agent-t-input"}


def test_an_explicit_topic_between_agents_splits_and_is_read_by_the_next(plan: Plan) -> None:
    found = plan(pipeline("type: step, id: a, input: in, output: out", "type: step, id: b"))
    assert [(node.id, node.input, node.output) for node in found.nodes] == [("a", "in", "out"), ("b", "out", None)]


def test_disks_of_members_are_remembered(plan: Plan) -> None:
    found = plan(pipeline("type: step, id: a, input: in", "type: step, id: b, resources: {disk: {enabled: true}}"))
    assert found.nodes[0].disks == {"b"}


def test_implicit_topics_are_created_and_kept(plan: Plan) -> None:
    found = plan(pipeline("type: alone, id: a, input: in", "type: alone, id: b, output: out"))
    topic = found.topic("agent-b-input")
    assert topic.implicit
    assert (topic.creation_mode, topic.deletion_mode) == (CreationMode.CREATE_IF_NOT_EXISTS, DeletionMode.NONE)
    assert topic.partitions == 0


def test_replicas_that_read_an_implicit_topic_get_a_partition_each(plan: Plan) -> None:
    found = plan(pipeline("type: step, input: in", "type: step, id: b, resources: {parallelism: 3}"))
    assert found.topic("agent-b-input").partitions == 3


def test_a_declared_topic_takes_the_place_of_an_implicit_one(plan: Plan) -> None:
    head = "topics: [{name: in}, {name: agent-b-input, partitions: 5, creation-mode: create-if-not-exists}]\n"
    found = plan(pipeline("type: alone, input: in", "type: alone, id: b", head=head))
    assert [(topic.name, topic.partitions) for topic in found.topics] == [("in", 0), ("agent-b-input", 5)]


def test_a_service_is_a_node_without_topics(plan: Plan) -> None:
    (node,) = plan(pipeline("type: service, id: s", head="")).nodes
    assert (node.type, node.input, node.output) == ("service", None, None)


def test_two_chains_in_one_file_are_fine_after_a_sink(plan: Plan) -> None:
    found = plan(pipeline("type: sink, id: a, input: in", "type: step, id: b, input: in, output: out"))
    assert [(node.id, node.input, node.output) for node in found.nodes] == [("a", "in", None), ("b", "in", "out")]


def test_an_agent_that_reads_nothing_is_allowed_with_a_warning(plan: Plan) -> None:
    found = plan(pipeline("type: step, id: idle, output: out"))
    assert "'idle' reads no topic" in str(found.warnings[0])


@pytest.mark.parametrize(
    ("agents", "fragments"),
    [
        (["type: sink, id: drain, input: in", "type: step, output: out"], ["follows the sink 'drain'"]),
        (["type: step, id: a, input: in", "type: step, input: out"], ["'a'", "its results would be lost"]),
        (["type: step, id: a, input: in", "type: source, output: out"], ["'a'", "its results would be lost"]),
        (["type: source, id: s, input: in, output: out"], ["'s'", "is a source", "'in'"]),
        (["type: sink, id: s, input: in, output: out"], ["'s'", "is a sink", "'out'"]),
        (["type: service, id: s, input: in"], ["'s'", "is a service"]),
        (["type: service, id: s, output: out"], ["'s'", "is a service"]),
        (["type: service, id: s, errors: {retries: 1}"], ["'s'", "cannot have retries"]),
        (["type: step, input: in, output: out", "type: service, id: s"], ["'s'", "the only agent"]),
    ],
)
def test_links_that_cannot_be(plan: Plan, agents: list[str], fragments: list[str]) -> None:
    with pytest.raises(ApplicationRefused) as refused:
        plan(pipeline(*agents))
    (problem,) = refused.value.problems
    assert problem.position is not None
    for fragment in fragments:
        assert fragment in str(problem)


_SETTINGS = st.tuples(
    st.sampled_from(["step", "optional", "alone"]),
    st.builds(ResourcesSpec, st.integers(1, 2), st.integers(1, 2)),
    st.builds(ErrorsSpec, retries=st.integers(0, 1)),
)


@given(st.lists(_SETTINGS, min_size=1, max_size=8))
def test_nodes_hold_every_agent_once_in_order_and_are_joined_without_gaps(
    catalogue: Catalogue, settings: list[tuple[str, ResourcesSpec, ErrorsSpec]]
) -> None:
    agents = tuple(
        Agent(f"a{index}", kind, input="in" if index == 0 else None, resources=resources, errors=errors)
        for index, (kind, resources, errors) in enumerate(settings)
    )
    module = Module("default", {"p": Pipeline("p", "default", None, agents)}, {"in": Topic("in")}, ())
    found = plan_application(Application({"default": module}, {}), "app", catalogue=catalogue)
    assert [agent.id for node in found.nodes for agent in node.agents] == [agent.id for agent in agents]
    for node, following in zip(found.nodes, found.nodes[1:], strict=False):
        assert node.output == following.input == f"agent-{following.id}-input"
    assert found.nodes[-1].output is None
    assert {topic.name for topic in found.topics} == {node.input for node in found.nodes}
    own = {agent.id: settings[index] for index, agent in enumerate(agents)}
    for node in found.nodes:
        assert len({(own[agent.id][1], own[agent.id][2]) for agent in node.agents}) == 1
        assert len(node.agents) == 1 or all(own[agent.id][0] != "alone" for agent in node.agents)

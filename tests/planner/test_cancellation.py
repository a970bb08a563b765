"""Cancellation in the plan: its topic, and the nodes that listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.application.model import CreationMode, DeletionMode
from langstream.errors import ApplicationRefused
from langstream.planner.cancellation import cancellation_topic
from langstream.planner.plan import ExecutionPlan
from langstream.topics.contract import TopicSpec
from langstream.topics.settings import check_spec

if TYPE_CHECKING:
    from tests.planner.conftest import Plan

CHAT = """
gateways:
- id: talk
  type: chat
  chat-options:
    questions-topic: questions
    answers-topic: answers
    cancel-after-seconds: 5
    headers: [{key: session, value-from-parameters: session}]
"""
TOPICS = "topics: [{name: questions}, {name: answers}, {name: log}, {name: middle}]\n"


def listening(plan: ExecutionPlan) -> dict[str, set[str]]:
    return {node.id: set(node.answers) for node in plan.nodes if node.answers}


def test_nobody_pays_for_it_where_no_gateway_asks(plan: Plan) -> None:
    files = {
        "pipeline.yaml": TOPICS + "pipeline: [{type: alone, id: one, input: questions, output: answers}]",
        "gateways.yaml": CHAT.replace("    cancel-after-seconds: 5\n", ""),
    }
    found = plan(files)
    assert found.cancellations is None
    assert len(found.topics) == 4
    assert listening(found) == {}


def test_the_topic_is_made_with_the_application_and_goes_with_it(plan: Plan) -> None:
    pipeline = TOPICS + "pipeline: [{type: alone, id: one, input: questions, output: answers}]"
    found = plan({"pipeline.yaml": pipeline, "gateways.yaml": CHAT}, tenant="team")
    assert found.cancellations == "langstream-team-app-cancellations"
    topic = found.topic(found.cancellations)
    assert (topic.creation_mode, topic.deletion_mode) == (CreationMode.CREATE_IF_NOT_EXISTS, DeletionMode.DELETE)
    assert (topic.partitions, topic.implicit, topic.config) == (1, True, {"retention.ms": 3_600_000})
    assert found.warnings == ()


def test_nodes_on_the_way_to_the_answers_listen_and_those_behind_do_not(plan: Plan) -> None:
    files = {
        "pipeline.yaml": TOPICS
        + """
pipeline:
- {type: alone, id: one, input: questions}
- {type: alone, id: two, output: middle}
- {type: alone, id: three, input: middle, output: answers}
- {type: alone, id: history, input: answers, output: log}
- {type: sink, id: kept, input: log}
""",
        "gateways.yaml": CHAT,
    }
    assert listening(plan(files)) == {"one": {"answers"}, "two": {"answers"}, "three": {"answers"}}


def test_topics_named_in_options_lead_on_and_the_log_of_a_streaming_agent_is_left_alone(plan: Plan) -> None:
    files = {
        "pipeline.yaml": TOPICS
        + """
pipeline:
- {type: router, id: route, input: questions, output: log, configuration: {routes: [{destination: middle}]}}
- {type: router, id: stream, input: middle, output: log, configuration: {routes: [{destination: answers}]}}
- {type: sink, id: history, input: log}
""",
        "gateways.yaml": CHAT,
    }
    assert listening(plan(files)) == {"route": {"answers"}, "stream": {"answers"}}


def test_loops_lead_where_they_lead(plan: Plan) -> None:
    files = {
        "pipeline.yaml": TOPICS
        + """
pipeline:
- {type: alone, id: one, input: questions, output: middle}
- {type: router, id: again, input: middle, output: answers, configuration: {routes: [{destination: questions}]}}
""",
        "gateways.yaml": CHAT,
    }
    assert listening(plan(files)) == {"one": {"answers"}, "again": {"answers"}}


def test_every_gateway_has_the_nodes_of_its_own_answers(plan: Plan) -> None:
    service = """
- id: ask
  type: service
  service-options: {input-topic: questions, output-topic: log, cancel-after-seconds: 0}
"""
    files = {
        "pipeline.yaml": TOPICS
        + """
pipeline:
- {type: alone, id: one, input: questions, output: answers}
- {type: alone, id: two, input: questions, output: log}
""",
        "gateways.yaml": CHAT + service,
    }
    assert listening(plan(files)) == {"one": {"answers"}, "two": {"log"}}


def test_answers_that_nobody_writes_are_warned_of(plan: Plan) -> None:
    pipeline = TOPICS + "pipeline: [{type: alone, id: one, input: questions, output: log}]"
    (warning,) = plan({"pipeline.yaml": pipeline, "gateways.yaml": CHAT}).warnings
    assert "Gateway 'talk' cancels" in str(warning)
    assert "'answers': nothing will be cancelled" in str(warning)


def test_a_declared_topic_of_that_name_is_refused(plan: Plan) -> None:
    pipeline = "topics: [{name: questions}, {name: answers}, {name: langstream-default-app-cancellations}]"
    with pytest.raises(ApplicationRefused, match="the platform needs it for cancellation") as refused:
        plan({"pipeline.yaml": pipeline, "gateways.yaml": CHAT})
    assert "Give the declared topic another name." in str(refused.value)


@pytest.mark.parametrize("id", ["app", "my app", "ünïcode", "x" * 200, "a/b"])
def test_the_name_is_one_that_every_broker_takes(id: str) -> None:
    check_spec(TopicSpec(cancellation_topic("default", id)))


def test_different_applications_have_different_topics() -> None:
    ids = ["a b", "a_b", "a/b", "x" * 190, "x" * 191]
    assert len({cancellation_topic("default", id) for id in ids}) == len(ids)

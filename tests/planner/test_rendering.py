"""A plan as a document, a tree and a chart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from langstream.planner.mermaid import label, node_id
from langstream.planner.rendering import to_document, to_mermaid, to_tree

if TYPE_CHECKING:
    from tests.planner.conftest import Plan

FILES = {
    "pipeline.yaml": """
        topics: [{name: in, partitions: 2}, {name: out, deletion-mode: delete}]
        assets: [{name: people, asset-type: table, config: {datasource: Db, table-name: t}}]
        errors: {on-failure: dead-letter, retries: 3}
        pipeline:
        - {type: step, id: one, name: 'Say "hi" <b>', input: in, resources: {disk: {enabled: true}}}
        - {type: query, id: two, configuration: {datasource: Db, token: "${secrets.s.k}"}}
        - {type: alone, id: three, output: out, resources: {parallelism: 2}}
        """,
    "services.yaml": "pipeline: [{type: service, id: web}]",
    "configuration.yaml": """
        configuration:
          resources: [{type: datasource, name: Db, configuration: {service: table-db, url: "${secrets.s.k}"}}]
        """,
    "gateways.yaml": """
        gateways:
        - {id: up, type: produce, topic: in}
        - {id: down, type: consume, topic: out}
        - {id: talk, type: chat, chat-options: {questions-topic: in, answers-topic: out}}
        - {id: web, type: service, service-options: {agent-id: web}}
        """,
}
SECRETS = "secrets: [{id: s, data: {k: hush-hush}}]"


def test_the_document(plan: Plan) -> None:
    document = to_document(plan(FILES, secrets=SECRETS))
    assert document["topics"][0] == {
        "name": "in",
        "creation-mode": "none",
        "deletion-mode": "none",
        "partitions": 2,
        "implicit": False,
    }
    assert [topic["name"] for topic in document["topics"] if topic["implicit"]] == [
        "agent-three-input",
        "agent-three-input-deadletter",
    ]
    assert document["assets"][0]["asset-type"] == "table"
    first = document["agents"][0]
    assert (first["id"], first["type"], first["component-type"]) == ("one", "composite-agent", "PROCESSOR")
    assert (first["input"], first["output"]) == ({"topic": "in"}, {"topic": "agent-three-input"})
    assert first["resources"] == {"parallelism": 1, "size": 1}
    assert first["errors"] == {"on-failure": "dead-letter", "retries": 3}
    assert [(agent["id"], agent["type"]) for agent in first["agents"]] == [("one", "step"), ("two", "query")]
    assert document["agents"][2]["input"] is None


def test_the_tree_names_everything(plan: Plan) -> None:
    tree = to_tree(plan(FILES, secrets=SECRETS))
    for text in (
        "app (tenant default)",
        "in  [must exist, 2 partitions]",
        "out  [must exist, deleted with the application]",
        "reads in  (consumer group langstream-default-app-one)",
        "(disk)",
        "on failure: dead-letter to in-deadletter, after 3 attempts",
        "parallelism 2, size 1",
        "people  [table, none]",
        "talk  [chat]  in → out",
        "web  [service]  agent web",
    ):
        assert text in tree


def test_no_rendering_shows_a_secret(plan: Plan) -> None:
    found = plan(FILES, secrets=SECRETS)
    for text in (str(to_document(found)), to_tree(found), to_mermaid(found)):
        assert "hush-hush" not in text


def test_every_id_of_the_chart_is_declared_and_plain(plan: Plan) -> None:
    chart = to_mermaid(plan(FILES, secrets=SECRETS))
    declared = set(re.findall(r"^ *(?:subgraph )?([A-Za-z0-9_]+)[(\[]", chart, re.MULTILINE))
    linked = {name for pair in re.findall(r"^(\S+) (?:-->|-\.->) (\S+)$", chart, re.MULTILINE) for name in pair}
    assert linked
    assert linked <= declared
    assert chart.startswith("flowchart LR\n")


def test_labels_show_any_name(plan: Plan) -> None:
    assert "Say #quot;hi#quot; #lt;b#gt;" in to_mermaid(plan(FILES, secrets=SECRETS))


def test_the_style_of_a_link_belongs_to_that_link(plan: Plan) -> None:
    lines = to_mermaid(plan(FILES, secrets=SECRETS)).splitlines()
    links = [line for line in lines if "-->" in line or "-.->" in line]
    for index, line in enumerate(lines):
        if line.startswith("linkStyle"):
            assert lines[index - 1] == links[int(line.split()[1])]


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_different_names_have_different_ids(a: str, b: str, c: str, d: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_]+", node_id("topic", a, b))
    assert (node_id("topic", a, b) == node_id("topic", c, d)) == ((a, b) == (c, d))


@given(st.text(max_size=40))
def test_a_label_cannot_end_early(text: str) -> None:
    quoted = label(text)
    assert quoted[0] == quoted[-1] == '"'
    assert not set(quoted[1:-1]) & set('"<>\n\r`')

"""Pipeline files become modules, whatever the order of files, and everything wrong in them is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.application.loader import Loaded
from langstream.application.model import (
    CreationMode,
    DeletionMode,
    DiskSpec,
    ErrorsSpec,
    OnFailure,
    ResourcesSpec,
    SchemaSpec,
)
from langstream.application.settings import disk_bytes

if TYPE_CHECKING:
    from tests.application.conftest import Load


def messages(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in loaded.problems]


def accepted(loaded: Loaded) -> Loaded:
    assert messages(loaded) == []
    return loaded


def test_ids_follow_file_name_type_and_number(load: Load) -> None:
    loaded = accepted(
        load(
            {
                "extract-text.yaml": """
                    topics: [{name: a}]
                    pipeline:
                    - {type: drop, input: a}
                    - {type: compute, id: named}
                    - {type: text-splitter}
                    """,
                "other.yml": """
                    module: m
                    id: p
                    pipeline: [{type: drop}]
                    """,
            }
        )
    )
    pipelines = loaded.application.modules["default"].pipelines
    assert [agent.id for agent in pipelines["extract-text"].agents] == [
        "extract-text-drop-1",
        "named",
        "extract-text-text-splitter-2",
    ]
    assert [agent.id for agent in loaded.application.modules["m"].pipelines["p"].agents] == ["m-p-drop-1"]


def test_a_topic_may_be_declared_in_a_later_file_of_the_module(load: Load) -> None:
    accepted(
        load(
            {
                "a.yaml": "pipeline: [{type: drop, input: later, output: later}]",
                "b.yaml": "topics: [{name: later}]",
            }
        )
    )


def test_a_topic_of_another_module_is_refused_with_advice(load: Load) -> None:
    loaded = load(
        {
            "a.yaml": "module: one\npipeline: [{type: drop, input: theirs}]",
            "b.yaml": "module: two\ntopics: [{name: theirs}]",
        }
    )
    (message,) = messages(loaded)
    assert message.startswith("a.yaml:2:25: ")
    assert "Module 'two' declares it" in message


def test_the_same_topic_may_be_declared_twice_if_both_are_equal(load: Load) -> None:
    loaded = accepted(
        load({"a.yaml": "topics: [{name: t, partitions: 2}]", "b.yaml": "topics: [{name: t, partitions: 2}]"})
    )
    assert list(loaded.application.modules["default"].topics) == ["t"]


def test_every_key_of_a_topic(load: Load) -> None:
    loaded = accepted(
        load(
            {
                "a.yaml": """
                    topics:
                    - name: "${globals.name}"
                      creation-mode: create-if-not-exists
                      deletion-mode: delete
                      partitions: "3"
                      schema: {type: avro, schema: '{"type": "string"}', name: S}
                      keySchema: {type: string}
                      options: {replication-factor: "${globals.copies}"}
                      config: {retention.ms: 1000}
                    """
            },
            instance="instance: {globals: {name: real, copies: 2}}",
        )
    )
    topic = loaded.application.modules["default"].topics["real"]
    assert (topic.creation_mode, topic.deletion_mode) == (CreationMode.CREATE_IF_NOT_EXISTS, DeletionMode.DELETE)
    assert topic.partitions == 3
    assert topic.value_schema == SchemaSpec("avro", '{"type": "string"}', "S")
    assert topic.key_schema == SchemaSpec("string", None, "Schema")
    assert topic.options == {"replication-factor": 2}
    assert topic.config == {"retention.ms": 1000}


def test_defaults_of_topics_and_assets(load: Load) -> None:
    loaded = accepted(
        load({"a.yaml": "topics: [{name: t}]\nassets: [{name: n, asset-type: x}, {id: i, asset-type: x}]"})
    )
    module = loaded.application.modules["default"]
    topic = module.topics["t"]
    assert (topic.creation_mode, topic.deletion_mode, topic.partitions) == (CreationMode.NONE, DeletionMode.NONE, 0)
    assert [(asset.id, asset.name) for asset in module.assets] == [("n", "n"), ("i", "i")]
    assert {asset.creation_mode for asset in module.assets} == {CreationMode.NONE}


@pytest.mark.parametrize(
    ("pipeline", "agent", "expected"),
    [
        ("{retries: 7, on-failure: skip}", "{}", ErrorsSpec(OnFailure.SKIP, 7)),
        ("{retries: 7, on-failure: skip}", "{on-failure: fail}", ErrorsSpec(OnFailure.FAIL, 7)),
        ("{retries: 7, on-failure: skip}", "{retries: 3}", ErrorsSpec(OnFailure.SKIP, 3)),
        ("{retries: 7}", "{retries: 0}", ErrorsSpec(OnFailure.FAIL, 0)),
        ("{}", "{}", ErrorsSpec(OnFailure.FAIL, 0)),
        ("{}", '{on-failure: dead-letter, retries: "4"}', ErrorsSpec(OnFailure.DEAD_LETTER, 4)),
    ],
)
def test_errors_are_inherited_field_by_field(load: Load, pipeline: str, agent: str, expected: ErrorsSpec) -> None:
    loaded = accepted(load({"a.yaml": f"errors: {pipeline}\npipeline: [{{type: drop, errors: {agent}}}]"}))
    assert loaded.application.modules["default"].pipelines["a"].agents[0].errors == expected


MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("pipeline", "agent", "expected"),
    [
        ("{parallelism: 7, size: 7}", "{parallelism: 2}", ResourcesSpec(2, 7)),
        ("{}", "{}", ResourcesSpec(1, 1)),
        ("{}", "{disk: {enabled: true}}", ResourcesSpec(disk=DiskSpec(True, "default", 256 * MEGABYTE))),
        ("{}", "{disk: {enabled: false}}", ResourcesSpec(disk=DiskSpec(False, None, None))),
        ("{}", "{disk: {enabled: true, type: ssd}}", ResourcesSpec(disk=DiskSpec(True, "ssd", 256 * MEGABYTE))),
        ("{}", "{disk: {enabled: true, size: 15M}}", ResourcesSpec(disk=DiskSpec(True, "default", 15 * MEGABYTE))),
        (
            "{disk: {enabled: true, size: 1K}}",
            "{disk: {type: ssd}}",
            ResourcesSpec(disk=DiskSpec(True, "ssd", 1024)),
        ),
        ("{disk: {enabled: true}}", "{disk: {enabled: false}}", ResourcesSpec(disk=DiskSpec(False, None, None))),
    ],
)
def test_resources_are_inherited_field_by_field(load: Load, pipeline: str, agent: str, expected: ResourcesSpec) -> None:
    loaded = accepted(load({"a.yaml": f"resources: {pipeline}\npipeline: [{{type: drop, resources: {agent}}}]"}))
    assert loaded.application.modules["default"].pipelines["a"].agents[0].resources == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("0G", 0),
        ("", 0),
        ("1K", 1024),
        ("1k", 1024),
        ("256M", 256 * MEGABYTE),
        (" 1  G", 2**30),
        ("1\t G ", 2**30),
    ],
)
def test_sizes_of_disks(text: str, size: int) -> None:
    assert disk_bytes(text) == size


@pytest.mark.parametrize("text", ["1T", "-1", "1.5G", "G", "1KB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        disk_bytes(text)


@pytest.mark.parametrize(
    ("file", "fragments"),
    [
        ("topics: [{name: a, deletion-mode: maybe}]", ["a.yaml:1:20", "deletion-mode", "maybe", "none, delete"]),
        ("topics: [{name: a, creation-mode: create-if-not-exist}]", ["Did you mean 'create-if-not-exists'?"]),
        ("topics: [{name: a, partitions: many}]", ["partitions", "whole number", "many"]),
        ("topics: [{creation-mode: none}]", ["'name' of topic is required"]),
        ("topics: [{name: a, keyschema: {type: string}}]", ["keyschema", "Did you mean 'keySchema'?"]),
        ("topics: [{name: a, schema: {schema: x}}]", ["'type' of schema of topic 'a' is required"]),
        ("topics: {name: a, a: b}", ["Topic 'a' has an unknown key 'a'"]),
        ("topics: a", ["must be a list"]),
        ("topics: [a]", ["must be a mapping", "a.yaml:1:10"]),
        ("topics: [~]", ["Item 1 of 'topics'", "is empty"]),
        ("topics: [{name: '${globals.none}'}]", ["'name' of topic is required", "stands for nothing"]),
        ("assets: [{asset-type: x}]", ["'id' or a 'name'"]),
        ("assets: [{name: n}]", ["'asset-type' of asset 'n'"]),
        ("assets: [{name: n, asset-type: x, deletion-mode: drop}]", ["deletion-mode", "'drop'"]),
        ("assets: [{name: n, asset-type: x}, {name: n, asset-type: y}]", ["Asset 'n' is declared again"]),
        ("pipeline: [{id: x}]", ["'type' of agent 'x' is required"]),
        ("pipeline: [{name: N}]", ["'type' of agent 'N' is required"]),
        ("pipeline: [{}]", ["'type' of an agent without id and name"]),
        ("pipeline: [{type: drop, errors: {on-failure: deadletter}}]", ["'deadletter'", "Did you mean 'dead-letter'?"]),
        ("pipeline: [{type: drop, errors: {retries: -1}}]", ["'retries'", "at least 0"]),
        ("pipeline: [{type: drop, errors: {retry: 1}}]", ["Did you mean 'retries'?"]),
        ("pipeline: [{type: drop, resources: {parallelism: 0}}]", ["'parallelism'", "at least 1"]),
        ("pipeline: [{type: drop, resources: {size: true}}]", ["'size'", "whole number"]),
        ("pipeline: [{type: drop, resources: {disk: {enabled: maybe}}}]", ["'enabled'", "true or false"]),
        ("pipeline: [{type: drop, resources: {disk: {size: 1T}}}]", ["is not a size"]),
        ("pipeline: [{type: drop, configuration: [1]}]", ["'configuration' of agent 'a-drop-1' must be a mapping"]),
        ("pipeline: [{type: drop, input: '${globals.none}'}]", ["'input' of agent", "stands for nothing"]),
        ("", ["The pipeline file a.yaml is empty"]),
        ("- 1", ["must be a mapping"]),
    ],
)
def test_one_mistake_is_told_with_its_place(load: Load, file: str, fragments: list[str]) -> None:
    (message,) = messages(load({"a.yaml": file}))
    assert message.startswith("a.yaml:" if file else "a.yaml")
    for fragment in fragments:
        assert fragment in message


def test_all_mistakes_are_told_at_once_in_order_of_place(load: Load) -> None:
    loaded = load(
        {
            "a.yaml": """\
                topics: [{name: t, creation-mode: perhaps}]
                pipelines: []
                pipeline:
                - {type: drop, inputs: t, errors: {retries: x}}
                - {output: nowhere}
                """,
            "broken.yaml": "a: [",
            "secrets.yaml": "secrets: []",
            "gateways.yaml": "gateways: [{id: g, type: produce, topic: t, colour: red}]",
        }
    )
    places = sorted(str(problem.position) for problem in loaded.problems)
    assert places == [
        "a.yaml:1:20",
        "a.yaml:2:1",
        "a.yaml:4:16",
        "a.yaml:4:36",
        "a.yaml:5:3",
        "broken.yaml:2:1",
        "gateways.yaml:1:45",
        "secrets.yaml",
    ]


def test_a_file_that_cannot_be_read_hides_no_topic(load: Load) -> None:
    loaded = load({"broken.yaml": "topics: [{name: t}", "fine.yaml": "pipeline: [{type: drop, input: t}]"})
    assert [problem.position.file for problem in loaded.problems if problem.position] == ["broken.yaml"]


def test_two_pipelines_of_one_id_are_refused_in_a_module_only(load: Load) -> None:
    files = {"a.yaml": "id: same\n", "b.yaml": "id: same\n"}
    (message,) = messages(load(files))
    assert "Pipeline 'same' of module 'default' is declared twice" in message
    accepted(load({**files, "b.yaml": "id: same\nmodule: other\n"}))


def test_placeholders_are_resolved_in_agents(load: Load) -> None:
    loaded = accepted(
        load(
            {
                "a.yaml": """
                    topics: [{name: "${globals.topic}"}]
                    pipeline:
                    - type: drop
                      input: "${globals.topic}"
                      configuration: {stream-to-topic: "${globals.topic}", n: "${globals.n}", l: ["${secrets.s.k}"]}
                      resources: {parallelism: "${globals.n}"}
                    """
            },
            instance="instance: {globals: {topic: real, n: 4}}",
            secrets="secrets: [{id: s, data: {k: hush}}]",
        )
    )
    (agent,) = loaded.application.modules["default"].pipelines["a"].agents
    assert agent.input == "real"
    assert agent.configuration == {"stream-to-topic": "real", "n": 4, "l": ["hush"]}
    assert agent.resources.parallelism == 4
    assert "hush" not in repr(loaded)

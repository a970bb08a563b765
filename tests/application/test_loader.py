"""The other files of an application, and what is promised of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langstream.application.loader import load_application
from langstream.application.model import Cluster, GroupNaming
from langstream.errors import ApplicationRefused

if TYPE_CHECKING:
    from tests.application.conftest import Load

PIPELINE = {"pipeline.yaml": "topics: [{name: a}]"}
DEFAULTS = "configuration: {defaults: {globals: {one: d1, two: d2, list: [1, 2]}}}"


def test_globals_of_the_instance_come_before_the_defaults_key_by_key(load: Load) -> None:
    loaded = load(
        {**PIPELINE, "configuration.yaml": DEFAULTS}, instance="instance: {globals: {one: i1, list: [3], more: 4}}"
    )
    assert loaded.application.instance.globals == {"one": "i1", "two": "d2", "list": [3], "more": 4}


@pytest.mark.parametrize("instance", [None, "instance: {}", "instance: {globals: }", "instance: "])
def test_without_globals_the_defaults_hold(load: Load, instance: str | None) -> None:
    loaded = load({**PIPELINE, "configuration.yaml": DEFAULTS}, instance=instance)
    assert loaded.problems == ()
    assert loaded.application.instance.globals == {"one": "d1", "two": "d2", "list": [1, 2]}


def test_an_instance_without_clusters_runs_on_the_embedded_broker(load: Load) -> None:
    instance = load(PIPELINE, instance="instance: {}").application.instance
    assert instance.streaming is None
    assert instance.compute == Cluster("none")


def test_clusters_take_globals_and_secrets(load: Load) -> None:
    loaded = load(
        PIPELINE,
        instance="""
            instance:
              streamingCluster:
                type: kafka
                consumer-group-naming: agent
                configuration: {admin: {bootstrap.servers: "${globals.host}:9092", list: [{p: "${secrets.k.p}"}]}}
              computeCluster: {type: kubernetes}
              globals: {host: broker, again: "${cluster.configuration.admin}"}
            """,
        secrets="secrets: [{id: k, data: {p: hush}}]",
    )
    assert loaded.problems == ()
    instance = loaded.application.instance
    admin = {"bootstrap.servers": "broker:9092", "list": [{"p": "hush"}]}
    assert instance.streaming == Cluster("kafka", {"admin": admin})
    assert instance.compute == Cluster("kubernetes", {})
    assert instance.globals["again"] == admin
    assert instance.group_naming is GroupNaming.AGENT
    assert "hush" not in repr(instance.streaming)


def test_resources_are_known_by_id_else_by_name_and_resolved(load: Load) -> None:
    loaded = load(
        {
            **PIPELINE,
            "configuration.yaml": """
                configuration:
                  resources:
                  - {type: t1, id: i, name: n, configuration: {k: "${secrets.s.k}", n: "${globals.n}"}}
                  - {type: t2, name: only}
                """,
        },
        instance="instance: {globals: {n: 5}}",
        secrets="secrets: [{id: s, data: {k: hush}}]",
    )
    assert loaded.problems == ()
    resources = loaded.application.resources
    assert list(resources) == ["i", "only"]
    assert resources["i"].configuration == {"k": "hush", "n": 5}
    assert "hush" not in repr(loaded.application)


@pytest.mark.parametrize(
    ("file", "text", "fragments"),
    [
        ("configuration.yaml", "resources: []", ["must have the top-level key 'configuration'"]),
        ("configuration.yaml", "", ["must have the top-level key 'configuration'"]),
        ("configuration.yaml", "configuration: {resource: []}", ["Did you mean 'resources'?"]),
        ("configuration.yaml", "configuration: {resources: [{type: t}]}", ["needs an 'id' or a 'name'"]),
        ("configuration.yaml", "configuration: {resources: [{name: n}]}", ["'type' of resource 'n' is required"]),
        (
            "configuration.yaml",
            "configuration: {resources: [{name: n, type: t}, {id: n, type: u}]}",
            ["Resource 'n' is declared twice", "configuration.yaml:1:29"],
        ),
        (
            "configuration.yaml",
            "configuration: {dependencies: [{name: n, url: u, type: java-library}]}",
            ["'sha512sum' of dependency 'n' is required"],
        ),
        (
            "configuration.yaml",
            "configuration: {dependencies: [{name: n, url: u, type: zip, sha512sum: s}]}",
            ["unsupported type 'zip'", "java-library"],
        ),
        ("configuration.yaml", "configuration: {defaults: {globals: [1]}}", ["'globals'", "must be a mapping"]),
        ("archetype.yaml", "archetype: {id: x, colour: red}", ["unknown key 'colour'"]),
        ("instance.yml", "instance: {}", ["must not be in the application's directory", "-i"]),
        ("secrets.yaml", "secrets: []", ["must not be in the application's directory", "-s"]),
        ("gateways.yaml", "gateway: []", ["Did you mean 'gateways'?"]),
    ],
)
def test_what_is_refused_in_a_file(load: Load, file: str, text: str, fragments: list[str]) -> None:
    (problem,) = load({**PIPELINE, file: text}).problems
    assert problem.position is not None
    assert problem.position.file == file
    for fragment in fragments:
        assert fragment in str(problem)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("secrets: [{data: {}}]", ["'id' of secret is required"]),
        ("secrets: [{id: ' '}]", ["'id' of secret is required"]),
        ("secrets: [{id: a}, {id: a}]", ["Secret 'a' is declared twice"]),
        ("secrets: [{id: a, data: hush}]", ["'data' of secret 'a' must be a mapping"]),
        ("secrets: [{id: a, datum: {}}]", ["Did you mean 'data'?"]),
        ("secret: []", ["top-level key 'secrets'"]),
        ("secrets: [{id: a, data: {k: '<file:absent.pem>'}}]", ["'absent.pem' cannot be read", "secrets.yaml:1:26"]),
    ],
)
def test_what_is_refused_in_the_secrets(load: Load, text: str, fragments: list[str]) -> None:
    (problem,) = load(PIPELINE, secrets=text).problems
    assert "hush" not in str(problem)
    for fragment in fragments:
        assert fragment in str(problem)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("globals: {}", ["top-level key 'instance'"]),
        ("instance: {global: {}}", ["Did you mean 'globals'?"]),
        ("instance: {streamingCluster: {configuration: {}}}", ["'type' of streamingCluster"]),
        ("instance: {streamingCluster: {type: kafka, config: {}}}", ["unknown key 'config'"]),
        ("instance: {computeCluster: {type: none, configuration: 3}}", ["'configuration' of computeCluster"]),
        ("instance: {globals: {a: '${secrets.x.y}'}}", ["'secrets.x.y'", "instance.yaml:1:22"]),
        ("instance: {globals: {a: '${UNSET_NAME}'}}", ["'UNSET_NAME'", "Environment variables"]),
    ],
)
def test_what_is_refused_in_the_instance(load: Load, text: str, fragments: list[str]) -> None:
    (problem,) = load(PIPELINE, instance=text).problems
    for fragment in fragments:
        assert fragment in str(problem)


def test_values_of_secrets_are_blacked_out_of_messages(load: Load) -> None:
    loaded = load(
        {"a.yaml": "topics: [{name: a, creation-mode: '${secrets.s.k}'}]"},
        secrets="secrets: [{id: s, data: {k: p4ss}}]",
    )
    (problem,) = loaded.problems
    assert "p4ss" not in str(problem)
    assert "'<secret>'" in str(problem)


def test_an_unreadable_secrets_file_is_the_only_problem_about_secrets(load: Load) -> None:
    loaded = load(
        {"a.yaml": "topics: [{name: a}]\npipeline: [{type: drop, input: a, configuration: {k: '${secrets.s.k}'}}]"},
        secrets="secrets: [",
    )
    assert len(loaded.problems) == 1


def test_environment_reaches_the_instance_and_the_secrets_but_no_other_file(load: Load) -> None:
    loaded = load(
        {"a.yaml": "pipeline: [{type: drop, configuration: {a: '${globals.e}', b: '${secrets.s.k}', c: '${NAME}'}}]"},
        instance="instance: {globals: {e: '${NAME}'}}",
        secrets="secrets: [{id: s, data: {k: '${NAME:-x}${OTHER:-y}'}}]",
        environment={"NAME": "value"},
    )
    assert len(loaded.problems) == 1
    (agent,) = loaded.application.modules["default"].pipelines["a"].agents
    assert agent.configuration == {"a": "value", "b": "valuey", "c": "${NAME}"}


def test_both_endings_are_read_and_other_hidden_and_ignored_files_are_not(load: Load) -> None:
    loaded = load(
        {
            "one.yaml": "topics: [{name: a}]",
            "two.yml": "topics: [{name: b}]",
            "three.txt": "x: [",
            ".four.yaml": "x: [",
            "five.yaml": "x: [",
            "sub/six.yaml": "x: [",
            ".langstreamignore": "five.yaml\n",
        }
    )
    assert loaded.problems == ()
    assert list(loaded.application.modules["default"].topics) == ["a", "b"]


def test_a_directory_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ApplicationRefused, match="no YAML file"):
        load_application(tmp_path)
    with pytest.raises(ApplicationRefused, match="cannot be read"):
        load_application(tmp_path / "absent")


def test_directories_are_merged_and_a_name_may_be_in_one_only(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory, name in ((first, "a.yaml"), (second, "b.yaml")):
        directory.mkdir()
        (directory / name).write_text("topics: [{name: t}]")
    assert list(load_application([first, second]).modules["default"].pipelines) == ["a", "b"]
    (second / "a.yaml").write_text("topics: []")
    with pytest.raises(ApplicationRefused, match=r"two files for the same: 'a\.yaml'"):
        load_application([first, second])


def test_code_is_digested(load: Load) -> None:
    application = load({**PIPELINE, "python/a.py": "1"}).application
    assert application.python_digest is not None
    assert application.java_digest is None


def test_a_second_document_is_warned_of(load: Load) -> None:
    loaded = load({"a.yaml": "topics: []\n---\ntopics: [{name: lost}]"})
    assert loaded.problems == ()
    assert str(loaded.application.warnings[0]).startswith("a.yaml:2:1: The file holds a second YAML document")


def test_the_directory_above_the_application_is_recognised(load: Load) -> None:
    (problem,) = load({"instance.yaml": "instance: {}", "application/pipeline.yaml": "topics: []"}).problems
    assert "application/application'?" in str(problem)

"""Ids of applications and agents, and the types of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.errors import ApplicationRefused
from langstream.planner.identifiers import check_application_id

if TYPE_CHECKING:
    from tests.planner.conftest import Plan

KUBERNETES = "instance: {computeCluster: {type: kubernetes}}"


@pytest.mark.parametrize("id", ["myapp", "all-chars09", "a" * 20, "ab"])
def test_application_ids_for_kubernetes(id: str) -> None:
    assert check_application_id(id, "kubernetes") == []


@pytest.mark.parametrize("id", ["", "  ", "myapp_", "9myapp", "Umyapp", "a" * 21, "a", "my.app", "app-"])
def test_application_ids_that_kubernetes_cannot_have(id: str) -> None:
    assert len(check_application_id(id, "kubernetes")) == 1


@pytest.mark.parametrize("id", ["My App_1", "9", "a" * 100, "été"])
def test_application_ids_on_one_machine(id: str) -> None:
    assert check_application_id(id, "none") == []


@pytest.mark.parametrize("id", ["", " ", "..", "a/b", "a\\b", "a\nb", "é" * 101])
def test_application_ids_that_could_be_no_name_of_a_directory(id: str) -> None:
    assert len(check_application_id(id, "none")) == 1


@pytest.mark.parametrize("id", ["agent", "0agent", "0", "a" * 37])
def test_agent_ids_for_kubernetes(plan: Plan, id: str) -> None:
    assert plan(f"pipeline: [{{type: source, id: '{id}'}}]", instance=KUBERNETES).nodes[0].id == id


@pytest.mark.parametrize("id", ["a" * 38, "my agent", "Agent", "agent01-", "a.b", "a_b"])
def test_agent_ids_that_kubernetes_cannot_have(plan: Plan, id: str) -> None:
    with pytest.raises(ApplicationRefused, match="Set a valid 'id' for the agent"):
        plan(f"pipeline: [{{type: source, id: '{id}'}}]", instance=KUBERNETES)


def test_automatic_ids_are_checked_too(plan: Plan) -> None:
    with pytest.raises(ApplicationRefused, match="'my_file-source-1' cannot be used on Kubernetes"):
        plan({"my_file.yaml": "pipeline: [{type: source}]"}, instance=KUBERNETES)
    assert plan({"my_file.yaml": "pipeline: [{type: source}]"}).nodes[0].id == "my_file-source-1"


@pytest.mark.parametrize("id", ["a/b", "..", '"a\\tb"'])
def test_agent_ids_that_could_be_no_name_of_a_directory(plan: Plan, id: str) -> None:
    with pytest.raises(ApplicationRefused, match="The agent id"):
        plan(f"pipeline: [{{type: source, id: {id}}}]")


def test_an_agent_id_is_the_only_one_of_the_application(plan: Plan) -> None:
    files = {
        "a.yaml": "pipeline: [{type: source, id: double}]",
        "b.yaml": "module: other\npipeline: [{type: source, id: double}]",
    }
    with pytest.raises(ApplicationRefused) as refused:
        plan(files)
    assert str(refused.value) == "b.yaml:2:27: Two agents have the id 'double'. The other one is at a.yaml:1:27."


def test_types_of_clusters_must_be_known(plan: Plan) -> None:
    instance = "instance: {streamingCluster: {type: kafak}, computeCluster: {type: kubernets}}"
    with pytest.raises(ApplicationRefused) as refused:
        plan("pipeline: [{type: source}]", instance=instance)
    assert [str(problem) for problem in refused.value.problems] == [
        "instance.yaml:1:31: The streaming cluster type 'kafak' is unknown. Did you mean 'kafka'?",
        "instance.yaml:1:62: The compute cluster type 'kubernets' is unknown. Did you mean 'kubernetes'?",
    ]

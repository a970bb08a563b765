"""One application in this process: what is told about it, and how it is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.testclient import TestClient

from langstream.application.model import Cluster
from langstream.control import api
from langstream.control.cluster import open_cluster
from langstream.control.files import ApplicationFiles
from langstream.control.running import RunningApplication
from langstream.errors import ApplicationRefused, TopicError
from langstream.runtime.supervision import MemberStatus, NodeStatus

PIPELINE = """
    topics:
      - {{name: in, creation-mode: create-if-not-exists, partitions: {partitions}}}
      - {{name: out, creation-mode: create-if-not-exists}}
      - {{name: side, creation-mode: create-if-not-exists}}
    pipeline:
      - type: dispatch
        id: {id}
        input: in
        output: out
        errors: {{on-failure: dead-letter}}
        configuration:
          routes: [{{when: "value.a == 1", destination: side}}]
"""


def declared(directory: Path, id: str = "one", partitions: int = 1) -> ApplicationFiles:
    directory.mkdir(exist_ok=True)
    (directory / "pipeline.yaml").write_text(dedent(PIPELINE).format(id=id, partitions=partitions))
    gateways = (
        "gateways: [{id: g, type: produce, topic: in, authentication: {provider: jwt, configuration: {secretKey: k}}}]"
    )
    (directory / "gateways.yaml").write_text(gateways)
    return ApplicationFiles("app", directory)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningApplication]:
    files = declared(tmp_path / "application")
    application = RunningApplication(files, files.plan(), CollectorRegistry())
    await application.start()
    yield application
    await application.stop()


async def test_the_description_has_the_plan_its_links_and_no_configuration_of_providers(
    running: RunningApplication,
) -> None:
    told = api.description(running)
    assert told["application-id"] == "app"
    assert told["status"]["status"] == {"status": "DEPLOYED"}
    assert told["application"]["plan"]["links"] == [{"agent": "one", "topic": "side"}]
    (gateway,) = told["application"]["gateways"]["gateways"]
    assert gateway["authentication"] == {"provider": "jwt"}
    (executor,) = told["status"]["executors"]
    assert executor["status"] == {"status": "DEPLOYED", "reason": None}
    assert executor["replicas"][0]["agents"][0]["agent-type"] == "dispatch"


def test_a_failed_node_tells_its_reason_and_every_replica() -> None:
    member = MemberStatus("a", "sink", "SINK", records_in=3, errors=1, info={"odd": object()})
    node = NodeStatus("a", "failed", replicas=2, records_in=3, last_error="no connection", members=[member])
    told = api.executor(node)
    assert told["status"] == {"status": "ERROR", "reason": "no connection"}
    assert [replica["id"] for replica in told["replicas"]] == ["a-0", "a-1"]
    assert told["replicas"][0]["agents"][0]["metrics"] == {"total-in": 3, "total-out": 0, "errors": 1}
    assert orjson.dumps(told, default=str)


async def test_only_this_application_is_known(running: RunningApplication) -> None:
    client = TestClient(Starlette(routes=api.routes(running)))
    assert [each["application-id"] for each in client.get("/api/applications/default").json()] == ["app"]
    assert client.get("/api/applications/other").json() == []
    assert client.get("/api/applications/default/app/diagram").text.startswith("flowchart")
    missing = client.get("/api/applications/default/nothing")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "application nothing not found"
    assert running.find("default", "nothing") is None


async def test_a_new_plan_takes_the_place_of_the_former(running: RunningApplication) -> None:
    await running.replace(declared(running.files.directory, "two").plan())
    assert [node.id for node in running.deployment.status()] == ["two"]
    assert running.plan.nodes[0].id == "two"
    assert running.healthy()


async def test_a_plan_that_cannot_be_set_up_leaves_the_former_running(running: RunningApplication) -> None:
    with pytest.raises(TopicError, match="1 partition, but 3 are declared"):
        await running.replace(declared(running.files.directory, "two", partitions=3).plan())
    assert [(node.id, node.state) for node in running.deployment.status()] == [("one", "running")]
    assert running.plan.nodes[0].id == "one"


def test_an_unknown_type_of_cluster_is_refused_with_a_guess() -> None:
    with pytest.raises(ApplicationRefused, match="Did you mean 'embedded'"):
        open_cluster(Cluster("embeded"), None)


async def test_without_an_instance_topics_are_kept_in_the_data_directory(tmp_path: Path) -> None:
    cluster: Any = open_cluster(None, tmp_path)
    await cluster.start()
    assert cluster.capabilities.durable
    await cluster.close()
    assert not open_cluster(None, None).capabilities.durable

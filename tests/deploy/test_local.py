"""An application in this process, from set-up to clean-up."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from langstream.errors import ApplicationRefused, ServiceError, TopicMismatch, TopicNotFound
from langstream.topics.contract import TopicSpec

SERVICE = """
pipeline:
- id: web
  type: python-service
  configuration: {className: web.Web, service-port: 8765}
"""
WEB = """
import asyncio

class Web:
    async def main(self):
        await asyncio.Event().wait()
"""
ASSETS = {
    "configuration.yaml": """
configuration:
  resources:
  - {type: datasource, name: db, configuration: {service: jdbc, driverClass: org.sqlite.JDBC, url: "jdbc:sqlite:DB"}}
""",
    "pipeline.yaml": """
assets:
- name: things
  asset-type: jdbc-table
  creation-mode: create-if-not-exists
  deletion-mode: delete
  config:
    table-name: things
    datasource: db
    create-statements: ["CREATE TABLE things (id INTEGER PRIMARY KEY)", "INSERT INTO things VALUES (1)"]
    delete-statements: ["DROP TABLE things"]
pipeline: []
""",
}


async def test_records_pass_through_the_application(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline()})
    await deployment.setup()
    await deployment.start()
    await deploy.send("in", "a", "b")
    assert await deploy.values("out", 2) == ["A!", "B!"]
    (status,) = deployment.status()
    assert (status.id, status.state, status.replicas) == ("shout", "running", 1)
    assert [(member.id, member.type) for member in status.members] == [("shout", "compute"), ("mark", "compute")]
    assert deployment.healthy()
    await deployment.stop()
    (status,) = deployment.status()
    assert (status.state, status.records_in, status.records_out) == ("stopped", 2, 2)


async def test_topics_that_somebody_else_creates_must_exist(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline(mode="none")})
    with pytest.raises(TopicNotFound, match=r"topics do not exist: 'in', 'out'.*create-if-not-exists"):
        await deployment.setup()
    await deploy.cluster.admin.create(TopicSpec("in"))
    with pytest.raises(TopicNotFound, match="topic does not exist: 'out'"):
        await deployment.setup()
    await deploy.cluster.admin.create(TopicSpec("out"))
    await deployment.setup()


async def test_topics_of_other_settings_are_refused(deploy: Any, pipeline: Any) -> None:
    await deploy.cluster.admin.create(TopicSpec("in", 3))
    files = {"pipeline.yaml": pipeline().replace("{name: in,", "{name: in, partitions: 2,")}
    with pytest.raises(TopicMismatch, match="in"):
        await deploy(files).setup()


async def test_cleanup_deletes_what_is_to_be_deleted(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline()})
    await deployment.setup()
    await deployment.cleanup()
    assert [topic.name for topic in await deploy.cluster.admin.list()] == ["out"]


async def test_assets_are_created_once_and_deleted_at_the_end(deploy: Any, tmp_path: Any) -> None:
    import apsw

    file = tmp_path / "things.db"
    files = {name: text.replace("DB", str(file)) for name, text in ASSETS.items()}
    deployment = deploy(files)
    await deployment.setup()
    await deployment.setup()
    connection = apsw.Connection(str(file))
    assert connection.execute("SELECT id FROM things").fetchall() == [(1,)]
    connection.close()
    await deployment.cleanup()
    connection = apsw.Connection(str(file))
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


async def test_a_failing_asset_is_named(deploy: Any, tmp_path: Any) -> None:
    files = {name: text.replace("DB", str(tmp_path / "x.db")) for name, text in ASSETS.items()}
    files["pipeline.yaml"] = files["pipeline.yaml"].replace("INSERT INTO things", "INSERT INTO nothing")
    with pytest.raises(ServiceError, match=r"asset 'things' \(jdbc-table\) could not be created: create statement 2"):
        await deploy(files).setup()


async def test_only_the_node_of_one_agent_runs(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline(), "web.yaml": SERVICE, "python/web.py": WEB}, only_agent="mark")
    await deployment.setup()
    await deployment.start()
    assert [status.id for status in deployment.status()] == ["shout"]


async def test_an_unknown_agent_is_refused_with_a_guess(deploy: Any, pipeline: Any) -> None:
    with pytest.raises(ApplicationRefused, match=r"no agent 'shuot'\. Did you mean 'shout'"):
        deploy({"pipeline.yaml": pipeline()}, only_agent="shuot")


async def test_the_address_of_a_service_is_known_while_it_runs(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline(), "web.yaml": SERVICE, "python/web.py": WEB})
    await deployment.setup()
    assert deployment.service_address("web") is None
    await deployment.start()
    assert deployment.service_address("web") == "http://127.0.0.1:8765"
    assert deployment.service_address("shout") is None
    assert deployment.service_address("nobody") is None
    await deployment.stop()
    assert deployment.service_address("web") is None


async def test_reload_starts_fresh_agents_and_loses_nothing(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline()}, data_directory=None)
    changes: list[int] = []
    await deployment.setup()
    await deployment.start()
    await deploy.send("in", "a")
    await deploy.values("out", 1)
    await deployment.reload(lambda: changes.append(1))
    await deploy.send("in", "b")
    assert await deploy.values("out", 2) == ["A!", "B!"]
    assert changes == [1]


async def test_a_registry_serves_one_deployment_after_the_other(deploy: Any, pipeline: Any) -> None:
    registry = CollectorRegistry()
    for count in (1, 2):
        deployment = deploy({"pipeline.yaml": pipeline()}, registry=registry)
        await deployment.setup()
        await deployment.start()
        await deploy.send("in", "a")
        await deploy.values("out", count)
        assert registry.get_sample_value("source_out_total", {"agent_id": "shout"}) == 1
        await deployment.stop()


async def test_starting_twice_is_refused(deploy: Any, pipeline: Any) -> None:
    deployment = deploy({"pipeline.yaml": pipeline()})
    await deployment.setup()
    await deployment.start()
    with pytest.raises(RuntimeError, match="running already"):
        await deployment.start()


async def test_the_collector_is_as_before_afterwards(deploy: Any, pipeline: Any) -> None:
    before = gc.get_threshold()
    deployment = deploy({"pipeline.yaml": pipeline()})
    await deployment.setup()
    await deployment.start()
    assert gc.get_threshold() != before
    await deployment.stop()
    assert gc.get_threshold() == before

"""Every example of the reference is a whole, valid application; those that need no service do what their page says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from langstream.agents.declaration import AGENT_TYPES
from langstream.cli import examples
from langstream.cli.examples import Example
from langstream.planner.plan import ExecutionPlan
from langstream.registry import AI, ASSETS, STORES, Registry
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory import open_cluster
from tests.cli.example_runs import Running, planned

FAMILIES: dict[str, tuple[Any, Any]] = {
    "agents": (AGENT_TYPES, examples.of_agent),
    "resources": (Registry(AI), examples.of_provider),
    "stores": (Registry(STORES), examples.of_store),
    "assets": (Registry(ASSETS), examples.of_asset),
}
EVERY = [(family, name) for family, (registry, _) in FAMILIES.items() for name in registry.names()]


def example_of(family: str, name: str) -> Example:
    registry, whole = FAMILIES[family]
    found: Example = whole(registry.load(name))
    return found


def records(text: str) -> list[dict[str, Any]]:
    """Records as pages show them, each with everything that a page may leave out."""
    plain: dict[str, Any] = {"key": None, "value": None, "headers": {}}
    return [{**plain, **record} for record in yaml.safe_load(text)]


def shown(record: Any, expected: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a topic as a page shows it: JSON as what it says, where the page has no text."""
    key, value = (
        json.loads(part) if isinstance(part, str) and not isinstance(expected[name], str) else part
        for name, part in (("key", record.key()), ("value", record.value()))
    )
    return {**expected, "key": key, "value": value, "headers": dict(record.headers())}


@pytest.fixture
async def cluster() -> AsyncIterator[LocalCluster]:
    cluster = open_cluster({}, None)
    await cluster.start()
    yield cluster
    await cluster.close()


def about(family: str, plan: ExecutionPlan) -> set[object]:
    """The agent types, services or asset types in an application."""
    if family == "agents":
        return {member.type.name for node in plan.nodes for member in node.agents}
    if family == "assets":
        return {planned.asset.asset_type for planned in plan.assets}
    resources = plan.application.resources.values()
    return {what for resource in resources for what in (resource.type, resource.configuration.get("service"))}


def with_output() -> Iterator[str]:
    return (name for name in AGENT_TYPES.names() if AGENT_TYPES.load(name).example_output)


@pytest.mark.parametrize(("family", "name"), EVERY)
def test_every_declaration_has_an_example(family: str, name: str) -> None:
    declared = FAMILIES[family][0].load(name)
    parts = {"resources": ["example_resource", "example"], "stores": ["example_resource", "example_query"]}
    wanted = [*parts.get(family, ["example"])]
    if family == "stores" and declared.sink_configuration is not None:
        wanted.append("example_sink")
    assert [part for part in wanted if not getattr(declared, part)] == []


@pytest.mark.parametrize(("family", "name"), EVERY)
def test_every_example_is_valid(family: str, name: str, tmp_path: Path) -> None:
    example = example_of(family, name)
    plan = planned(example, tmp_path)
    assert plan.warnings == ()
    assert name in about(family, plan)
    for path, text in example.files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")


def test_no_two_examples_of_resources_have_one_name() -> None:
    declared = [registry.load(name) for registry in (Registry(AI), Registry(STORES)) for name in registry.names()]
    names = [entry["name"] for one in declared for entry in yaml.safe_load(one.example_resource)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(with_output()))
async def test_an_example_makes_of_records_what_its_page_says(name: str, tmp_path: Path, cluster: LocalCluster) -> None:
    example = example_of("agents", name)
    running = Running(example, planned(example, tmp_path), cluster, tmp_path)
    expected: dict[str, list[dict[str, Any]]] = {}
    for record in records(example.output):
        expected.setdefault(record.pop("topic", running.output), []).append(record)
    await running.deployment.setup()
    await running.deployment.start()
    try:
        if example.input:
            await running.send(running.input, records(example.input))
        for topic, wanted in expected.items():
            await running.read(topic, len(wanted))
    finally:
        await running.deployment.stop(5.0)
    for topic, wanted in expected.items():
        found = await running.read(topic, len(wanted))
        assert [shown(record, one) for record, one in zip(found, wanted, strict=True)] == wanted


async def test_what_the_example_of_the_embedded_store_writes_is_found_by_its_query(
    tmp_path: Path, cluster: LocalCluster
) -> None:
    example = example_of("stores", "jdbc")
    running = Running(example, planned(example, tmp_path), cluster, tmp_path)
    chunks = [
        {"filename": "a.txt", "chunk_id": number, "text": text, "embeddings": vector}
        for number, (text, vector) in enumerate((("far", [0.0, 1.0]), ("near", [1.0, 0.0])))
    ]
    await running.deployment.setup()
    await running.deployment.start()
    try:
        await running.send("chunks", [{"value": chunk, "key": None, "headers": {}} for chunk in chunks])
        found = await running.ask({"question_embeddings": [0.9, 0.1]}, lambda rows: len(rows) == len(chunks))
    finally:
        await running.deployment.stop(5.0)
    assert found == [{"text": "near"}, {"text": "far"}]

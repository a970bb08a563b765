"""The YAML of the pages in `docs/`: what each block is a part of, and the application that it is completed to.

A block may be a file, or a part of one: pipeline entries, resources, options of an agent. What a page leaves out
(topics, the resource that another block shows, secrets) is added; what it says is taken as it stands. Only a file that
declares topics has to declare them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from langstream.agents.declaration import AGENT_TYPES, ComponentType
from langstream.cli.examples import resources_named, topics_named

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
_BLOCK: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PIPELINE_FILE: Final = {"module", "id", "name", "topics", "errors", "resources", "pipeline", "assets"}
_ACCOUNT: Final = '{"type": "service_account", "client_email": "app@example.com", "private_key": "key"}'
_SECRETS: Final = {"key-file": _ACCOUNT, "bundle": "c2VjcmV0", "endpoint": "https://a-b.apps.astra.datastax.com"}
_CHAT: Final = {"model": "m", "completion-field": "value.a", "messages": [{"role": "user", "content": "{{ value }}"}]}
_SEARCH: Final = {"output-field": "value.found"}
_CODE: Final = '''
async def find_order(number: int) -> dict:
    """Find an order."""
    return {"number": number}


class OrderTool:
    """Finds orders."""

    def call(self, number: int) -> dict:
        return {"number": number}
'''
"""What the page about tools calls and does not show."""


@dataclass(frozen=True)
class Block:
    """A block of YAML. `above` are the resources that the page shows last before it."""

    page: str
    line: int
    text: str
    above: tuple[Mapping[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def data(self) -> Any:
        return yaml.safe_load(self.text)


def blocks(language: str = "yaml") -> Iterator[Block]:
    """Every block without a title; those with one are files of the guide to custom agents, which has its own tests."""
    for page in PAGES:
        text = page.read_text()
        above: tuple[Mapping[str, Any], ...] = ()
        for found in _BLOCK.finditer(text):
            if found[1] == language and "title=" not in found[2]:
                line = text.count("\n", 0, found.start()) + 1
                block = Block(str(page.relative_to(ROOT)), line, found[3], above)
                yield block
                if language == "yaml":
                    above = _resources_of(block.data) or above


def files_of(data: Any, above: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """The files of the application that the block is a part of, without what it lacks. KeyError: it is none."""
    if isinstance(data, list):
        if all(entry["type"] in AGENT_TYPES for entry in data):
            return {"pipeline.yaml": {"pipeline": data}}
        return {"configuration.yaml": {"configuration": {"resources": data}}}
    keys = set(data)
    if keys == {"configuration"}:
        return {"configuration.yaml": data}
    if keys == {"gateways"}:
        return {"gateways.yaml": data}
    if keys == {"instance"}:
        return {"instance.yaml": data}
    if keys <= _PIPELINE_FILE:
        return {"pipeline.yaml": data}
    if "admin" in keys:
        kafka = "service" not in keys
        admin = {"bootstrap.servers": "kafka:9092", **data["admin"]} if kafka else data["admin"]
        cluster = {"type": "kafka" if kafka else "pulsar", "configuration": {**data, "admin": admin}}
        return {"instance.yaml": {"instance": {"streamingCluster": cluster}}}
    return {"pipeline.yaml": {"pipeline": [_agent(data, above)]}}


def _agent(options: Mapping[str, Any], above: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """The agent of which the block shows some options."""
    if "query" in options:
        configuration = {**_SEARCH, "datasource": above[0]["name"], **options}
        return {"type": "query-vector-db", "configuration": configuration}
    return {"type": "ai-chat-completions", "configuration": {**_CHAT, **options}}


def complete(files: dict[str, Any], above: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """The application with everything that the block names and does not show."""
    pipeline = {"pipeline": [], **files.get("pipeline.yaml", {})}
    gateways = files.get("gateways.yaml", {}).get("gateways", [])
    agents = [dict(agent) for agent in pipeline["pipeline"]]
    services = {gateway.get("service-options", {}).get("agent-id") for gateway in gateways} - {None}
    agents += [
        {"type": "python-service", "id": id, "configuration": {"className": "orders.OrderTool"}} for id in services
    ]
    if agents and "input" not in agents[0] and _role(agents[0]) in (ComponentType.PROCESSOR, ComponentType.SINK):
        agents[0]["input"] = "records"
    if agents and "output" not in agents[-1] and _role(agents[-1]) in (ComponentType.PROCESSOR, ComponentType.SOURCE):
        agents[-1]["output"] = "results"
    named = {topic for agent in agents for topic in topics_named(agent)} | set(_gateway_topics(gateways))
    missing = [{"name": name, "creation-mode": "create-if-not-exists"} for name in sorted(named)]
    topics = pipeline.get("topics", missing)
    shown = _resources_of(files.get("configuration.yaml", {}))
    return {
        **files,
        "pipeline.yaml": {**pipeline, "topics": topics, "pipeline": agents},
        "configuration.yaml": {"configuration": {"resources": _with_missing([*shown, *above], agents, pipeline)}},
        "python/orders.py": _CODE,
    }


def _with_missing(shown: list[Any], agents: list[dict[str, Any]], pipeline: Mapping[str, Any]) -> list[Any]:
    resources = {entry.get("id", entry["name"]): entry for entry in reversed(shown)}
    datasources = {asset["config"]["datasource"] for asset in pipeline.get("assets", [])}
    for name in {*resources_named(agents), *datasources} - set(resources):
        if name in datasources:
            configuration = {"service": "jdbc", "url": "jdbc:postgresql://db.example.com:5432/shop"}
            resources[name] = {"type": "datasource", "name": name, "configuration": configuration}
        else:
            resources[name] = {"type": "open-ai-configuration", "name": name, "configuration": {"access-key": "key"}}
    if not any(entry["type"].endswith("-configuration") for entry in resources.values()):
        resources["a"] = {"type": "open-ai-configuration", "name": "a", "configuration": {"access-key": "key"}}
    return list(resources.values())


def _resources_of(data: Any) -> tuple[Mapping[str, Any], ...]:
    if isinstance(data, Mapping) and isinstance(data.get("configuration"), Mapping):
        data = data["configuration"].get("resources", ())
    entries = data if isinstance(data, list | tuple) else ()
    return tuple(entry for entry in entries if "type" in entry and entry["type"] not in AGENT_TYPES)


def _gateway_topics(gateways: Any) -> Iterator[str]:
    if isinstance(gateways, Mapping):
        for key, value in gateways.items():
            if key in ("topic", "questions-topic", "answers-topic", "input-topic", "output-topic"):
                yield value
            else:
                yield from _gateway_topics(value)
    elif isinstance(gateways, list):
        for item in gateways:
            yield from _gateway_topics(item)


def _role(agent: Mapping[str, Any]) -> ComponentType:
    role: ComponentType = AGENT_TYPES.load(agent["type"]).component_type
    return role


def write(files: Mapping[str, Any], directory: Path) -> None:
    """Write the application's files into `application`, instance and secrets beside it."""
    text = json.dumps(files, ensure_ascii=False)
    secrets: dict[str, dict[str, str]] = {}
    for id, key in re.findall(r"\$\{secrets\.([\w-]+)\.([\w-]+)\}", text):
        secrets.setdefault(id, {})[key] = _SECRETS.get(key, "secret")
    entries = [{"id": id, "data": data} for id, data in secrets.items()]
    beside = {"instance.yaml": {"instance": {}}, "secrets.yaml": {"secrets": entries}}
    for name, content in {**beside, **files}.items():
        path = directory / name if name in beside else directory / "application" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True))

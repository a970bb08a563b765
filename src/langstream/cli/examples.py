"""The examples of the declarations, made whole: files that can be copied into a directory and run.

A declaration has only what it is about: pipeline entries, the entry of a resource, of an asset. Topics, secrets, and
the resources and assets that these entries name, are added here, each from its own declaration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from textwrap import indent
from typing import Any, Final

import yaml

from langstream.agents.declaration import AGENT_TYPES, AgentType
from langstream.configuration.kinds import field_kinds
from langstream.configuration.model import Configuration
from langstream.registry import AI, ASSETS, STORES, Registry
from langstream.services.ai.contract import AIProvider
from langstream.services.stores.contract import AssetType, StoreType

_AI, _STORES, _ASSETS = Registry(AI), Registry(STORES), Registry(ASSETS)
_SECRET: Final = re.compile(r"\$\{secrets\.([\w-]+)\.([\w-]+)\}")


@dataclass(frozen=True, slots=True)
class Example:
    """An application, as files by their path in its directory, and the file of secrets beside it.

    `input` and `output` are records in YAML: what is sent to it, and what comes of it.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    secrets: str = ""
    input: str = ""
    output: str = ""


def of_agent(declared: AgentType) -> Example:
    """The application around the pipeline entries of an agent type."""
    entries = _entries(declared.example)
    files = {"pipeline.yaml": _pipeline(declared.example), **_services(resources_named(entries))}
    return _example({**files, **declared.example_files}, declared.example_input, declared.example_output)


def of_provider(declared: AIProvider) -> Example:
    """The resource of an AI service, and a pipeline that uses it."""
    names = [entry["name"] for entry in _entries(declared.example_resource)]
    named = [name for name in resources_named(_entries(declared.example)) if name not in names]
    return _example({**_services([*names, *named]), "pipeline.yaml": _pipeline(declared.example)})


def of_store(declared: StoreType) -> Example:
    """The resource of a store with its assets, a pipeline that writes to it and one that reads."""
    names = [entry["name"] for entry in _entries(declared.example_resource)]
    files = _services(names)
    if declared.example_sink:
        files["write.yaml"] = _pipeline(declared.example_sink)
    return _example({**files, "query.yaml": _pipeline(declared.example_query)})


def of_asset(declared: AssetType) -> Example:
    """The asset, with the resources it belongs to and their other assets."""
    datasources = [entry["config"]["datasource"] for entry in _entries(declared.example)]
    return _example(_services(datasources))


def _example(files: Mapping[str, str], input: str = "", output: str = "") -> Example:
    wanted: dict[str, dict[str, None]] = {}
    for text in files.values():
        for id, key in _SECRET.findall(text):
            wanted.setdefault(id, {})[key] = None
    return Example(files, _secrets(wanted), input, output)


def _secrets(wanted: Mapping[str, Iterable[str]]) -> str:
    if not wanted:
        return ""
    lines = ["secrets:"]
    for id, keys in wanted.items():
        lines += [f"  - id: {id}", "    data:"]
        lines += [f'      {key}: "${{{_variable(id, key)}}}"' for key in keys]
    return "\n".join(lines) + "\n"


def _variable(id: str, key: str) -> str:
    return re.sub(r"\W", "_", f"{id}_{key}").upper()


def _pipeline(text: str) -> str:
    topics = dict.fromkeys(topic for entry in _entries(text) for topic in topics_named(entry))
    lines = [f"  - {{ name: {topic}, creation-mode: create-if-not-exists }}\n" for topic in topics]
    head = "topics:\n" + "".join(lines) if lines else ""
    return head + "pipeline:\n" + indent(text.strip("\n"), "  ") + "\n"


def _services(names: Iterable[str]) -> dict[str, str]:
    """`configuration.yaml` with the resources of these names, and `assets.yaml` with what belongs to them."""
    declared = _resources()
    wanted = [name for name in dict.fromkeys(names) if name in declared]
    if not wanted:
        return {}
    resources = "".join(declared[name].strip("\n") + "\n" for name in wanted)
    files = {"configuration.yaml": "configuration:\n  resources:\n" + indent(resources, "    ")}
    assets = "".join(text for datasource, text in _assets() if datasource in wanted)
    return {**files, "assets.yaml": "assets:\n" + indent(assets, "  ")} if assets else files


def _resources() -> dict[str, str]:
    """Name → entry of `resources`, of every AI service and store."""
    texts = [registry.load(name).example_resource for registry in (_AI, _STORES) for name in registry.names()]
    return {entry["name"]: text for text in texts for entry in _entries(text)}


def _assets() -> Iterator[tuple[str, str]]:
    """Datasource and text of every asset; keyspaces come before what is in them."""
    for name in sorted(_ASSETS.names(), key=lambda name: (not name.endswith("-keyspace"), name)):
        text = _ASSETS.load(name).example
        for entry, part in zip(_entries(text), re.split(r"(?m)^(?=- )", text)[1:], strict=True):
            yield entry["config"]["datasource"], part.strip("\n") + "\n"


@cache
def _entries(text: str) -> Sequence[Mapping[str, Any]]:
    return yaml.safe_load(text) or ()


def topics_named(entry: Mapping[str, Any]) -> Iterator[str]:
    """The topics that a pipeline entry names, wherever."""
    yield from (entry[key] for key in ("input", "output") if key in entry)
    yield from _marked(entry, "topic")


def resources_named(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The resources that pipeline entries name."""
    return [name for entry in entries for name in _marked(entry, "resource")]


def _marked(entry: Mapping[str, Any], kind: str) -> Iterator[str]:
    """The texts of the options of a kind, in an entry as it is written."""
    options = entry.get("configuration", {})
    model = AGENT_TYPES.load(entry["type"]).configuration
    if not isinstance(model, type):  # the options depend on the store that is named
        yield from (options[key] for key in ("datasource",) if kind == "resource")
        return
    yield from _texts(options, model, kind)


def _texts(options: Any, model: type[Configuration], kind: str) -> Iterator[str]:
    for _, name, found in field_kinds(model):
        if found.name == kind:
            yield from (text for text in _inside(options, name.split(".")) if isinstance(text, str))


def _inside(options: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(options, list):
        for item in options:
            yield from _inside(item, path)
    elif not path:
        yield options
    elif isinstance(options, Mapping) and path[0] in options:
        yield from _inside(options[path[0]], path[1:])

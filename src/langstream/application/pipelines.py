"""Pipeline files → modules.

All files are read for their topics and assets before any agent is looked at, so that nothing depends on the order of
files. Topics are shared within a module; the same declaration may be repeated, a different one may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from langstream.application.model import Agent, Asset, ErrorsSpec, Module, Pipeline, ResourcesSpec, Topic
from langstream.application.placeholders import Placeholders
from langstream.application.section import Section
from langstream.application.settings import completed, read_errors, read_resources
from langstream.application.topics import read_asset, read_topic
from langstream.application.yaml_source import Document
from langstream.configuration.validation import did_you_mean
from langstream.errors import Problem

DEFAULT_MODULE = "default"


@dataclass(slots=True)
class _Draft:
    """A module while its files are read."""

    id: str
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _File:
    """One pipeline file after its declarations are read."""

    section: Section
    module: _Draft
    pipeline: str


def read_modules(
    documents: Iterable[Document], placeholders: Placeholders, problems: list[Problem], *, complete: bool = True
) -> dict[str, Module]:
    """The modules of an application's pipeline files.

    Where a file could not be read (`complete` is false) undeclared topics are no problem: they may be declared there.
    """
    modules: dict[str, _Draft] = {}
    files = [_declarations(document, modules, placeholders, problems) for document in documents]
    for file in files:
        _read_pipeline(file, modules if complete else None)
    return {
        id: Module(id, draft.pipelines, draft.topics, tuple(draft.assets.values())) for id, draft in modules.items()
    }


def _declarations(
    document: Document, modules: dict[str, _Draft], placeholders: Placeholders, problems: list[Problem]
) -> _File:
    section = Section(document.data, document.places, problems, f"pipeline file {document.file}", placeholders)
    if document.data is None:
        section.problem(f"The pipeline file {document.file} is empty")
    section.only("module", "id", "name", "topics", "assets", "pipeline", "resources", "errors")
    id = section.text("module", raw=True) or DEFAULT_MODULE
    module = modules.setdefault(id, _Draft(id))
    for entry in section.sections("topics", "topic"):
        topic = read_topic(entry)
        if topic is not None:
            _add_topic(module, topic, entry)
    for entry in section.sections("assets", "asset"):
        asset = read_asset(entry)
        if asset is not None:
            _add_asset(module, asset, entry)
    return _File(section, module, section.text("id", raw=True) or PurePath(document.file).stem)


def _add_topic(module: _Draft, topic: Topic, entry: Section) -> None:
    first = module.topics.setdefault(topic.name, topic)
    if first != topic:
        entry.problem(
            f"Topic '{topic.name}' is declared again with other settings",
            "name",
            hint=f"It is first declared at {first.position}: make both the same, or keep one.",
        )


def _add_asset(module: _Draft, asset: Asset, entry: Section) -> None:
    first = module.assets.setdefault(asset.id, asset)
    if first != asset:
        entry.problem(
            f"Asset '{asset.id}' is declared again with other settings",
            hint=f"It is first declared at {first.position}: make both the same, or keep one.",
        )


def _read_pipeline(file: _File, modules: dict[str, _Draft] | None) -> None:
    section, module = file.section, file.module
    if file.pipeline in module.pipelines:
        first = module.pipelines[file.pipeline].position
        section.problem(
            f"Pipeline '{file.pipeline}' of module '{module.id}' is declared twice",
            "id",
            hint=f"It is first declared at {first}.",
        )
    errors = read_errors(section, ErrorsSpec())
    resources = read_resources(section, ResourcesSpec())
    agents: list[Agent] = []
    anonymous = 0
    for entry in section.sections("pipeline", "agent"):
        if not entry.text("id", raw=True):
            anonymous += 1
        agent = _agent(entry, file, anonymous, modules, errors, resources)
        if agent is not None:
            agents.append(agent)
    pipeline = Pipeline(file.pipeline, module.id, section.text("name"), tuple(agents), section.position("pipeline"))
    module.pipelines.setdefault(file.pipeline, pipeline)


def _agent(
    entry: Section,
    file: _File,
    number: int,
    modules: dict[str, _Draft] | None,
    errors: ErrorsSpec,
    resources: ResourcesSpec,
) -> Agent | None:
    id, name = entry.text("id", raw=True), entry.text("name")
    label = id or name
    entry.subject = f"agent '{label}'" if label else "an agent without id and name"
    type = entry.text("type", raw=True)
    if type is None:
        entry.missing("type")
    elif not label:
        entry.subject = f"agent '{_automatic_id(file, type, number)}'"
    entry.only("id", "name", "type", "input", "output", "configuration", "resources", "errors")
    agent = Agent(
        id=id or _automatic_id(file, type or "", number),
        type=type or "",
        name=name,
        input=_topic(entry, "input", file.module, modules),
        output=_topic(entry, "output", file.module, modules),
        configuration=entry.mapping("configuration"),
        resources=completed(read_resources(entry, resources)),
        errors=read_errors(entry, errors),
        position=entry.position("id") if id else entry.position(),
        locate=entry.places.below("configuration"),
    )
    return agent if type else None


def _automatic_id(file: _File, type: str, number: int) -> str:
    prefix = "" if file.module.id == DEFAULT_MODULE else f"{file.module.id}-"
    return f"{prefix}{file.pipeline}-{type}-{number}"


def _topic(entry: Section, key: str, module: _Draft, modules: dict[str, _Draft] | None) -> str | None:
    name = entry.text(key)
    if name is None:
        if isinstance(entry.raw(key), str) and entry.raw(key).strip():
            entry.missing(key)  # a placeholder that stands for nothing
        return None
    if modules is not None and name not in module.topics:
        entry.problem(
            f"{entry.title} has the {key} topic '{name}', which is not declared in module '{module.id}'",
            key,
            hint=_topic_hint(name, module, modules),
        )
    return name


def _topic_hint(name: str, module: _Draft, modules: dict[str, _Draft]) -> str:
    for other in modules.values():
        if name in other.topics:
            return f"Module '{other.id}' declares it; declare it in module '{module.id}' too."
    known = ", ".join(sorted(module.topics)) or "none"
    return did_you_mean(name, module.topics) or f"Declared topics: {known}."

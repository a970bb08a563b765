"""`configuration.yaml`: resources, dependencies and the default values of globals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langstream.application.model import Dependency, Resource
from langstream.application.placeholders import Placeholders
from langstream.application.section import Section
from langstream.application.yaml_source import Document
from langstream.errors import Problem


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """What the file says, placeholders resolved."""

    resources: Mapping[str, Resource] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()


def default_globals(document: Document | None) -> Mapping[str, Any]:
    """`configuration.defaults.globals` as written; read before placeholders can be resolved."""
    value: Any = document.data if document else None
    for key in ("configuration", "defaults", "globals"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def read_configuration(document: Document, placeholders: Placeholders, problems: list[Problem]) -> ConfigurationFile:
    """The resources and dependencies of the file."""
    section = Section(document.data, document.places, problems, document.file, placeholders).top("configuration")
    section.only("defaults", "resources", "dependencies")
    defaults = section.section("defaults", "defaults of the configuration")
    defaults.only("globals")
    defaults.mapping("globals", raw=True)
    return ConfigurationFile(_resources(section), _dependencies(section))


def _resources(section: Section) -> dict[str, Resource]:
    resources: dict[str, Resource] = {}
    for entry in section.sections("resources", "resource"):
        resource = _resource(entry)
        if resource is None:
            continue
        if resource.id in resources:
            first = resources[resource.id].position
            entry.problem(f"Resource '{resource.id}' is declared twice", hint=f"It is first declared at {first}.")
            continue
        resources[resource.id] = resource
    return resources


def _resource(entry: Section) -> Resource | None:
    id, name = entry.text("id"), entry.text("name")
    entry.subject = f"resource '{id or name}'" if id or name else "resource"
    entry.only("id", "name", "type", "configuration")
    if id is None and name is None:
        entry.problem("A resource needs an 'id' or a 'name'")
        return None
    type = entry.text("type", required=True)
    configuration = entry.mapping("configuration")
    if type is None:
        return None
    return Resource(
        id=id or name or "",
        name=name or id or "",
        type=type,
        configuration=configuration,
        position=entry.position(),
        locate=entry.places.below("configuration"),
    )


def _dependencies(section: Section) -> tuple[Dependency, ...]:
    return tuple(
        dependency
        for entry in section.sections("dependencies", "dependency")
        if (dependency := _dependency(entry)) is not None
    )


def _dependency(entry: Section) -> Dependency | None:
    name = entry.text("name", required=True)
    if name:
        entry.subject = f"dependency '{name}'"
    entry.only("name", "url", "type", "sha512sum")
    url, sha512sum = entry.text("url", required=True), entry.text("sha512sum", required=True)
    type = entry.text("type", required=True)
    if type is not None and type != "java-library":
        entry.problem(f"{entry.title} has the unsupported type '{type}'", "type", hint="Supported: java-library.")
    if name and url and sha512sum and type:
        return Dependency(name, url, type, sha512sum)
    return None

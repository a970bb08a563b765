"""`instance.yaml`: the streaming cluster, the compute cluster and the globals an application runs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langstream.application.model import Cluster, GroupNaming, Instance
from langstream.application.placeholders import Placeholders
from langstream.application.section import Section
from langstream.application.yaml_source import Document, Places
from langstream.errors import Problem


@dataclass(slots=True)
class InstanceFile:
    """The file, split into what placeholders may look at and what they are resolved in."""

    section: Section
    globals: dict[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)


def open_instance(document: Document | None, data: Any, problems: list[Problem]) -> InstanceFile:
    """The instance as written, environment and files put in (`data`). Without a file it is empty."""
    if document is None:
        return InstanceFile(Section(None, Places(""), problems, "instance"))
    section = Section(data, document.places, problems, document.file).top("instance")
    section.only("streamingCluster", "computeCluster", "globals")
    cluster = section.raw("streamingCluster")
    return InstanceFile(section, section.mapping("globals", raw=True), cluster if isinstance(cluster, Mapping) else {})


def read_instance(file: InstanceFile, globals: Mapping[str, Any], placeholders: Placeholders) -> Instance:
    """The instance with every placeholder resolved; `globals` include the application's defaults."""
    section = file.section
    section.placeholders = placeholders
    streaming, naming = _streaming(section)
    compute = _cluster(section, "computeCluster", "type", "configuration")
    places = section.places.below("globals")
    resolved = placeholders.resolve(globals, section.problems, places)
    return Instance(streaming, compute or Cluster("none"), resolved, naming)


def _streaming(section: Section) -> tuple[Cluster | None, GroupNaming]:
    cluster = _cluster(section, "streamingCluster", "type", "configuration", "consumer-group-naming")
    if cluster is None:
        return None, GroupNaming.APPLICATION
    entry = section.section("streamingCluster", "streamingCluster of the instance")
    return cluster, entry.choice("consumer-group-naming", GroupNaming, GroupNaming.APPLICATION)


def _cluster(section: Section, key: str, *known: str) -> Cluster | None:
    if key not in section:
        return None
    entry = section.section(key, f"{key} of the instance")
    entry.only(*known)
    type = entry.text("type", required=True)
    configuration = entry.mapping("configuration")
    return Cluster(type, configuration, entry.position("type")) if type else None

"""`resources` and `errors` of pipelines and agents; what an agent leaves open comes from its pipeline."""

from __future__ import annotations

import re
from typing import Final

from langstream.application.model import DiskSpec, ErrorsSpec, OnFailure, ResourcesSpec
from langstream.application.section import Section

_SIZE: Final = re.compile(r"([0-9]+)([kmg]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
DEFAULT_DISK_TYPE: Final = "default"
DEFAULT_DISK_BYTES: Final = 256 * 1024**2
MAX_PARALLELISM: Final = 1000


def disk_bytes(text: str) -> int:
    """The number of bytes that `256M` stands for; white space is ignored. Raises ValueError."""
    compact = "".join(text.split())
    if not compact:
        return 0
    match = _SIZE.fullmatch(compact)
    if match is None or len(match[1]) > 15:
        raise ValueError(f"'{text}' is not a size: expected digits and one of K, M, G, for instance 256M")
    return int(match[1]) * _UNITS[match[2].lower()]


def read_errors(owner: Section, inherited: ErrorsSpec) -> ErrorsSpec:
    """The error policy of a pipeline or agent."""
    section = owner.section("errors", f"errors of {owner.subject}")
    section.only("on-failure", "retries")
    return ErrorsSpec(
        section.choice("on-failure", OnFailure, inherited.on_failure),
        section.integer("retries", inherited.retries) or 0,
    )


def read_resources(owner: Section, inherited: ResourcesSpec) -> ResourcesSpec:
    """The replicas, size and disk of a pipeline or agent."""
    section = owner.section("resources", f"resources of {owner.subject}")
    section.only("parallelism", "size", "disk")
    return ResourcesSpec(
        section.integer("parallelism", inherited.parallelism, least=1, most=MAX_PARALLELISM) or 1,
        section.integer("size", inherited.size, least=1) or 1,
        _read_disk(section, inherited.disk),
    )


def _read_disk(owner: Section, inherited: DiskSpec) -> DiskSpec:
    section = owner.section("disk", f"disk of {owner.subject}")
    section.only("enabled", "type", "size")
    size = inherited.size_bytes
    text = section.text("size")
    if text is not None:
        try:
            size = disk_bytes(text)
        except ValueError as error:
            section.problem(f"'size' of {section.subject}: {error}", "size")
    return DiskSpec(bool(section.boolean("enabled", inherited.enabled)), section.text("type") or inherited.type, size)


def completed(spec: ResourcesSpec) -> ResourcesSpec:
    """With the type and size of an enabled disk filled in, once nothing more is inherited."""
    disk = spec.disk
    if not disk.enabled:
        return spec
    size = DEFAULT_DISK_BYTES if disk.size_bytes is None else disk.size_bytes
    return ResourcesSpec(spec.parallelism, spec.size, DiskSpec(True, disk.type or DEFAULT_DISK_TYPE, size))

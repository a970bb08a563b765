"""An application's files → `Application`.

Every file is read as far as it can be, so that all problems of an application are reported at once, each with its
place. What the loader promises of an `Application` is in `application.model`; options of agents, assets and resources
are checked against their declared models by the planner.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langstream.application.archetype import check_archetype
from langstream.application.configuration_file import ConfigurationFile, default_globals, read_configuration
from langstream.application.digest import JAVA_LIBRARIES, PYTHON_CODE, directory_digest
from langstream.application.gateways import read_gateways
from langstream.application.ignore import Ignored
from langstream.application.instance_file import open_instance, read_instance
from langstream.application.model import Application, Gateway
from langstream.application.pipelines import read_modules
from langstream.application.placeholders import Placeholders
from langstream.application.redaction import Redaction
from langstream.application.secrets_file import read_secrets
from langstream.application.sources import Sources, read_file, read_sources
from langstream.application.substitution import substitute
from langstream.application.yaml_source import Document
from langstream.errors import ApplicationRefused, Problem


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read, and everything wrong with it. With problems, the application is not to be run."""

    application: Application
    problems: tuple[Problem, ...]
    resources_known: bool = True
    """False where configuration.yaml could not be read: a missing resource may be declared there."""


def load_application(
    directory: Path | Sequence[Path],
    *,
    instance: Path | None = None,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Application:
    """The application in a directory (or several, merged). Raises ApplicationRefused with every problem."""
    loaded = read_application(directory, instance=instance, secrets=secrets, environment=environment)
    if loaded.problems:
        raise ApplicationRefused(loaded.problems)
    return loaded.application


def read_application(
    directory: Path | Sequence[Path],
    *,
    instance: Path | None = None,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """As much of the application as can be read, and every problem. `environment` is the process's by default."""
    directories = [directory] if isinstance(directory, Path) else list(directory)
    problems: list[Problem] = []
    local = _LocalFiles(os.environ if environment is None else environment, problems)
    secrets_document, secrets_data = local.read(secrets)
    known_secrets = _secrets(secrets_document, secrets_data, problems)
    sources = read_sources(directories, problems)
    instance_document, instance_data = local.read(instance)
    instance_file = open_instance(instance_document, instance_data, problems)
    globals = {**default_globals(sources.configuration), **instance_file.globals}
    unread = (
        sources.unread | _unread(secrets, secrets_document, "secrets") | _unread(instance, instance_document, "globals")
    )
    placeholders = Placeholders(globals, known_secrets, instance_file.cluster, unknown=_unknown_roots(unread))
    resolved = read_instance(instance_file, globals, placeholders)
    complete = "pipelines" not in unread
    modules = read_modules(sources.pipelines, placeholders, problems, complete=complete)
    configuration = _configuration(sources, placeholders, problems)
    declared = {name for module in modules.values() for name in module.topics} if complete else None
    application = Application(
        modules=modules,
        resources=configuration.resources,
        gateways=_gateways(sources, declared, placeholders, problems),
        dependencies=configuration.dependencies,
        instance=resolved,
        directory=directories[0] if directories else None,
        python_digest=_digest(directories, PYTHON_CODE),
        java_digest=_digest(directories, JAVA_LIBRARIES),
        secrets=known_secrets,
        warnings=tuple(sources.warnings),
    )
    told = tuple(Redaction(known_secrets).problems(problems))
    return Loaded(application, told, "configuration" not in unread)


def _unread(file: Path | None, document: Document | None, kind: str) -> frozenset[str]:
    return frozenset((kind,)) if file is not None and document is None else frozenset()


def _unknown_roots(unread: frozenset[str]) -> frozenset[str]:
    """What placeholders cannot know: the globals have defaults in configuration.yaml."""
    roots = set(unread & {"secrets", "globals"})
    if "globals" in unread:
        roots.add("cluster")
    if "configuration" in unread:
        roots.add("globals")
    return frozenset(roots)


class _LocalFiles:
    """Reads the instance and secrets files, with environment and files put in."""

    def __init__(self, environment: Mapping[str, str], problems: list[Problem]) -> None:
        self._environment, self._problems = environment, problems

    def read(self, file: Path | None) -> tuple[Document | None, Any]:
        """The document and its data; None and None without a readable file."""
        document = read_file(file, file.name, self._problems) if file is not None else None
        if file is None or document is None:
            return None, None
        data = substitute(
            document.data,
            environment=self._environment,
            directory=file.parent,
            problems=self._problems,
            locate=document.places,
        )
        return document, data


def _secrets(document: Document | None, data: Any, problems: list[Problem]) -> dict[str, Mapping[str, Any]]:
    if document is None:
        return {}
    return read_secrets(Document(document.file, data, document.places), problems)


def _configuration(sources: Sources, placeholders: Placeholders, problems: list[Problem]) -> ConfigurationFile:
    if sources.archetype is not None:
        check_archetype(sources.archetype, problems)
    if sources.configuration is None:
        return ConfigurationFile()
    return read_configuration(sources.configuration, placeholders, problems)


def _gateways(
    sources: Sources, topics: set[str] | None, placeholders: Placeholders, problems: list[Problem]
) -> tuple[Gateway, ...]:
    if sources.gateways is None:
        return ()
    return read_gateways(sources.gateways, topics, placeholders, problems)


def _digest(directories: Sequence[Path], below: str) -> str | None:
    for directory in directories:
        digest = directory_digest(directory, below, Ignored.of(directory)) if directory.is_dir() else None
        if digest is not None:
            return digest
    return None

"""Checking that options refer to what exists: topics of the module, resources of an accepted type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from langstream.application.model import Application, Module, Resource
from langstream.configuration.model import Configuration, Kind, marked_options
from langstream.configuration.validation import Locator, did_you_mean
from langstream.errors import Problem
from langstream.services.resources import Services, check_resource


@dataclass(slots=True)
class Resources:
    """The resources of an application, each checked once, when something first refers to it."""

    application: Application
    services: Services
    complete: bool = True
    """False where configuration.yaml could not be read: what is missing may be declared there."""
    _checked: dict[str, list[Problem]] = field(default_factory=dict)

    def problems_of(self, resource: Resource) -> list[Problem]:
        """What is wrong with the configuration of a resource."""
        if resource.id not in self._checked:
            subject = f"resource configuration (resource: '{resource.id}', type: '{resource.type}')"
            _, problems = check_resource(
                resource.type, resource.configuration, subject=subject, locate=resource.locate, services=self.services
            )
            self._checked[resource.id] = problems
        return self._checked[resource.id]

    def reference(self, id: str, accepted: Collection[str], owner: str, path: str, locate: Locator) -> list[Problem]:
        """What is wrong with an option that names a resource."""
        position = locate((path,))
        resource = self.application.resources.get(id)
        if resource is None:
            return [Problem(f"Resource '{id}' not found, named by '{path}' of {owner}", position, self._hint(id))] * (
                self.complete
            )
        if accepted and resource.type not in accepted:
            wanted = " or ".join(f"'{type}'" for type in accepted)
            message = f"Resource '{id}', named by '{path}' of {owner}, is of type '{resource.type}', not {wanted}"
            return [Problem(message, position)]
        return self.problems_of(resource)

    def unused(self) -> list[Problem]:
        """What is wrong with the resources nothing refers to."""
        return [
            problem
            for resource in self.application.resources.values()
            if resource.id not in self._checked
            for problem in self.problems_of(resource)
        ]

    def _hint(self, id: str) -> str:
        known: Mapping[str, Resource] = self.application.resources
        for resource in known.values():
            if resource.name == id:
                return f"A resource is referred to by its id: '{resource.id}'."
        if not known:
            return "The application declares no resources in configuration.yaml."
        return did_you_mean(id, known) or f"Declared resources: {', '.join(sorted(known))}."


def check_references(
    configuration: Configuration, owner: str, locate: Locator, module: Module, resources: Resources
) -> list[Problem]:
    """What is wrong with the topics and resources that a valid configuration names."""
    problems: list[Problem] = []
    for path, kind, text in marked_options(configuration):
        if kind.name == "topic" and text not in module.topics:
            known = ", ".join(sorted(module.topics)) or "none"
            hint = did_you_mean(text, module.topics) or f"Declared topics: {known}."
            message = f"'{path[-1]}' of {owner} names topic '{text}', which is not declared in module '{module.id}'"
            problems.append(Problem(message, locate(path), hint))
        elif kind.name == "resource":
            problems.extend(_resource(path, kind, text, owner, locate, resources))
    return problems


def _resource(
    path: tuple[str | int, ...], kind: Kind, text: str, owner: str, locate: Locator, resources: Resources
) -> list[Problem]:
    return resources.reference(text, kind.of, owner, str(path[-1]), lambda _: locate(path))

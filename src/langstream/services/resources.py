"""Checking a configured service of `configuration.yaml` against what its type declares.

AI services are declared in the registry `langstream.ai` under their resource type. Data stores share the types
`datasource` and `vector-database`; which store is meant says the option `service`, declared in `langstream.stores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from langstream.configuration.model import Configuration
from langstream.configuration.validation import Locator, check, did_you_mean, nowhere
from langstream.errors import Problem
from langstream.registry import AI, STORES, Registry
from langstream.services.ai.contract import AIProvider
from langstream.services.stores.contract import StoreType

STORE_TYPES: Final = ("datasource", "vector-database")


class Members(Protocol):
    """A registry, or something that answers like one."""

    def names(self) -> tuple[str, ...]:
        """Every name."""

    def __contains__(self, name: object) -> bool: ...

    def load(self, name: str) -> Any:
        """The member of that name."""


@dataclass(frozen=True, slots=True)
class Services:
    """The AI services and stores there are."""

    ai: Members = field(default_factory=lambda: Registry(AI))
    stores: Members = field(default_factory=lambda: Registry(STORES))

    def types(self) -> tuple[str, ...]:
        """Every supported resource type."""
        return tuple(sorted((*self.ai.names(), *(STORE_TYPES if self.stores.names() else ()))))


def check_resource(
    type: str,
    configuration: Mapping[str, Any],
    *,
    subject: str,
    locate: Locator = nowhere,
    services: Services | None = None,
) -> tuple[Configuration | None, list[Problem]]:
    """The validated configuration of a resource, or None and every problem.

    `subject` names the resource, for instance `resource configuration (resource: 'db', type: 'datasource')`.
    """
    services = services or Services()
    if type in STORE_TYPES:
        return _check_store(type, configuration, subject, locate, services)
    if type not in services.ai:
        hint = did_you_mean(type, services.types()) or f"Supported types: {', '.join(services.types())}."
        return None, [Problem(f"Found error on {subject}. The resource type '{type}' is unknown", locate(()), hint)]
    provider, problems = _loaded(services.ai, type, f"resource type '{type}'", subject, locate)
    if not isinstance(provider, AIProvider):
        return None, problems
    return check(provider.configuration, configuration, subject=subject, locate=locate)


def store_type(name: str, services: Services | None = None) -> StoreType | None:
    """The declaration of a store, or None for one that is unknown or cannot be loaded."""
    services = services or Services()
    if name not in services.stores:
        return None
    store, _ = _loaded(services.stores, name, f"service '{name}'", "", nowhere)
    return store if isinstance(store, StoreType) else None


def services_of(type: str, services: Services) -> list[str]:
    """The stores that can be configured under a resource type."""
    supported = []
    for name in services.stores.names():
        store = store_type(name, services)
        if store is not None and type in store.resource_types:
            supported.append(name)
    return supported


def _check_store(
    type: str, configuration: Mapping[str, Any], subject: str, locate: Locator, services: Services
) -> tuple[Configuration | None, list[Problem]]:
    service = configuration.get("service")
    store: Any = None
    problems: list[Problem] = []
    if isinstance(service, str) and service in services.stores:
        store, problems = _loaded(services.stores, service, f"service '{service}'", subject, locate)
    if problems:
        return None, problems
    if not isinstance(store, StoreType) or type not in store.resource_types:
        supported = services_of(type, services)
        given = "missing" if service is None else f"'{service}'" if isinstance(service, str) else "not a text"
        message = f"Found error on {subject}. Property 'service' must be one of {', '.join(supported)}; it is {given}"
        return None, [Problem(message, locate(("service",)), _service_hint(service, store, supported))]
    return check(store.configuration, configuration, subject=subject, locate=locate)


def _service_hint(service: object, store: object, supported: list[str]) -> str | None:
    if isinstance(store, StoreType):
        return f"A resource with service '{service}' is declared with type: {' or '.join(store.resource_types)}."
    return did_you_mean(service, supported) if isinstance(service, str) else None


def _loaded(members: Members, name: str, what: str, subject: str, locate: Locator) -> tuple[Any, list[Problem]]:
    try:
        return members.load(name), []
    except (ImportError, AttributeError) as error:  # a part of another distribution, or one whose extra is missing
        return None, [Problem(f"Found error on {subject}. The {what} cannot be used here: {error}", locate(()))]

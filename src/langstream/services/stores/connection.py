"""From a configured datasource to a connection: the service it names is looked up among the registered stores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused, Problem
from langstream.registry import STORES, Registry
from langstream.services.stores.contract import Store, StoreType

_STORES = Registry(STORES)


def store_type(service: object) -> StoreType | None:
    """The declaration of the store, or None for an unknown service."""
    if not isinstance(service, str) or service not in _STORES:
        return None
    declared: StoreType = _STORES.load(service)
    return declared


def connect(name: str, configuration: Mapping[str, Any], data_directory: Path | None) -> Store:
    """A store for the resource's configuration; call its `start`.

    `data_directory` is where embedded stores keep their files; None keeps them in memory.
    Raises ApplicationRefused for a configuration that is not valid.
    """
    declared = store_type(configuration.get("service"))
    if declared is None:
        known = ", ".join(_STORES.names())
        raise ApplicationRefused([Problem(f"Resource '{name}': service must be set to one of: {known}")])
    model, problems = check(declared.configuration, configuration, subject=f"resource configuration ('{name}')")
    if model is None:
        raise ApplicationRefused(problems)
    return declared.connect(model, data_directory)

"""Checking assets against what their types declare."""

from __future__ import annotations

from langstream.application.model import Asset, DeletionMode, Module
from langstream.configuration.model import Configuration
from langstream.configuration.validation import check
from langstream.errors import Problem
from langstream.planner.catalogue import Catalogue
from langstream.planner.plan import PlannedAsset
from langstream.planner.references import Resources, check_references
from langstream.services.stores.contract import AssetType

_DELETE_STATEMENTS = "delete-statements"


def plan_assets(
    modules: list[Module], catalogue: Catalogue, resources: Resources, problems: list[Problem]
) -> tuple[PlannedAsset, ...]:
    """The assets in the order of their declaration, which is the order of their creation."""
    planned = []
    for module in modules:
        for asset in module.assets:
            type = catalogue.asset_type(asset.asset_type, f"asset '{asset.name}'", asset.position, problems)
            configuration = _configuration(asset, module, type, resources, problems)
            if configuration is not None:
                planned.append(PlannedAsset(asset, configuration, module.id))
    return tuple(planned)


def _configuration(
    asset: Asset, module: Module, type: AssetType | None, resources: Resources, problems: list[Problem]
) -> Configuration | None:
    if type is None:
        _check_datasource(asset, resources, problems)
        return None
    subject = f"asset configuration (asset: '{asset.name}', type: '{asset.asset_type}')"
    configuration, found = check(type.configuration, asset.config, subject=subject, locate=asset.locate)
    problems.extend(found)
    problems.extend(_delete_statements(asset, type, subject))
    if configuration is None:
        _check_datasource(asset, resources, problems)
        return None
    problems.extend(check_references(configuration, f"asset '{asset.name}'", asset.locate, module, resources))
    problems.extend(_service(asset, type, subject, resources))
    return configuration


def _check_datasource(asset: Asset, resources: Resources, problems: list[Problem]) -> None:
    """The reference of an asset whose other options are wrong."""
    name = asset.config.get("datasource")
    if isinstance(name, str) and name:
        problems.extend(resources.reference(name, (), f"asset '{asset.name}'", "datasource", asset.locate))


def _delete_statements(asset: Asset, type: AssetType, subject: str) -> list[Problem]:
    if not any(info.alias == _DELETE_STATEMENTS for info in type.configuration.model_fields.values()):
        return []
    given = asset.config.get(_DELETE_STATEMENTS)
    position = asset.locate((_DELETE_STATEMENTS,))
    if asset.deletion_mode is DeletionMode.DELETE and not given:
        message = f"Property '{_DELETE_STATEMENTS}' is required with deletion-mode=delete"
        return [Problem(f"Found error on {subject}. {message}", position)]
    if asset.deletion_mode is not DeletionMode.DELETE and given:
        message = f"{_DELETE_STATEMENTS} must be set only if deletion-mode=delete"
        return [Problem(f"Found error on {subject}. {message}", position)]
    return []


def _service(asset: Asset, type: AssetType, subject: str, resources: Resources) -> list[Problem]:
    """The store of the datasource must be one that has assets of this type."""
    resource = resources.application.resources.get(str(asset.config.get("datasource")))
    service = resource.configuration.get("service") if resource else None
    if service is None or not type.services or service in type.services:
        return []
    supported = ", ".join(type.services)
    message = f"The datasource '{asset.config['datasource']}' is of service '{service}', not one of {supported}"
    return [Problem(f"Found error on {subject}. {message}", asset.locate(("datasource",)), type.hint)]

"""The assets of a plan: created before the nodes start, deleted with the application where it says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from langstream.application.model import CreationMode, DeletionMode, Resource
from langstream.configuration.model import field_kinds
from langstream.errors import LangStreamError, ServiceError
from langstream.planner.plan import ExecutionPlan, PlannedAsset
from langstream.registry import ASSETS, Registry
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import AssetManager, AssetType


async def create_assets(plan: ExecutionPlan, data_directory: Path | None) -> None:
    """Create those that are to be created and do not exist, in the order of their declaration."""
    for planned in plan.assets:
        if planned.asset.creation_mode is CreationMode.CREATE_IF_NOT_EXISTS:
            with _named(planned, "created"):
                async with _manager(plan, planned, data_directory) as manager:
                    if not await manager.exists():
                        await manager.create()


async def delete_assets(plan: ExecutionPlan, data_directory: Path | None) -> None:
    """Delete those with deletion-mode `delete`, the last first."""
    for planned in reversed(plan.assets):
        if planned.asset.deletion_mode is DeletionMode.DELETE:
            with _named(planned, "deleted"):
                async with _manager(plan, planned, data_directory) as manager:
                    await manager.delete()


@asynccontextmanager
async def _manager(
    plan: ExecutionPlan, planned: PlannedAsset, data_directory: Path | None
) -> AsyncIterator[AssetManager]:
    asset_type: AssetType = Registry(ASSETS).load(planned.asset.asset_type)
    resource = _datasource(plan, planned)
    store = connect(resource.id, resource.configuration, data_directory)
    try:
        await store.start()
        yield asset_type.manage(planned.configuration, store)
    finally:
        await store.close()


def _datasource(plan: ExecutionPlan, planned: PlannedAsset) -> Resource:
    for attribute, _, kind in field_kinds(type(planned.configuration)):
        if kind.name == "resource":
            resource = plan.application.resources.get(getattr(planned.configuration, attribute))
            if resource is not None:
                return resource
    raise ServiceError("it names no resource to keep it in", category="refused")


@contextmanager
def _named(planned: PlannedAsset, verb: str) -> Iterator[None]:
    """Failures inside tell which asset they are about."""
    try:
        yield
    except LangStreamError as error:
        asset = planned.asset
        message = f"asset '{asset.name}' ({asset.asset_type}) could not be {verb}: {error}"
        raise ServiceError(message, category=getattr(error, "category", "refused")) from error

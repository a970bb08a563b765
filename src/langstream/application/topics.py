"""Topics and assets as declared in pipeline files."""

from __future__ import annotations

from langstream.application.model import Asset, CreationMode, DeletionMode, SchemaSpec, Topic
from langstream.application.section import Section


def read_topic(entry: Section) -> Topic | None:
    """One entry of `topics`."""
    name = entry.text("name")
    if name is not None:
        entry.subject = f"topic '{name}'"
    entry.only("name", "creation-mode", "deletion-mode", "partitions", "schema", "keySchema", "options", "config")
    if name is None:
        entry.missing("name")
        return None
    return Topic(
        name=name,
        creation_mode=entry.choice("creation-mode", CreationMode, CreationMode.NONE),
        deletion_mode=entry.choice("deletion-mode", DeletionMode, DeletionMode.NONE),
        partitions=max(entry.integer("partitions", 0, least=-1) or 0, 0),
        key_schema=_schema(entry, "keySchema"),
        value_schema=_schema(entry, "schema"),
        options=entry.mapping("options"),
        config=entry.mapping("config"),
        position=entry.position("name"),
    )


def _schema(owner: Section, key: str) -> SchemaSpec | None:
    if key not in owner:
        return None
    entry = owner.section(key, f"{key} of {owner.subject}")
    entry.only("type", "schema", "name")
    type = entry.text("type", required=True)
    text = entry.text("schema")
    return SchemaSpec(type, text, entry.text("name") or "Schema") if type else None


def read_asset(entry: Section) -> Asset | None:
    """One entry of `assets`."""
    id, name = entry.text("id"), entry.text("name")
    if id is None and name is None:
        entry.problem("An asset needs an 'id' or a 'name'")
    entry.subject = f"asset '{name or id}'" if id or name else "asset"
    entry.only("id", "name", "asset-type", "creation-mode", "deletion-mode", "config")
    type = entry.text("asset-type", required=True)
    creation = entry.choice("creation-mode", CreationMode, CreationMode.NONE)
    deletion = entry.choice("deletion-mode", DeletionMode, DeletionMode.NONE)
    config = entry.mapping("config")
    if type is None or not (id or name):
        return None
    return Asset(
        id=id or name or "",
        name=name or id or "",
        asset_type=type,
        creation_mode=creation,
        deletion_mode=deletion,
        config=config,
        position=entry.position(),
        locate=entry.places.below("config"),
    )

"""The asset type `milvus-collection`: JSON commands that make a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import orjson
from pydantic import AliasChoices, BeforeValidator, Field, field_validator

from langstream.configuration.model import Configuration, Kind
from langstream.configuration.validation import check
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.milvus.store import MilvusStore

Command = TypeVar("Command", bound="_Command")


def _object(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) and value.strip() else value or None


_JsonObject = Annotated[dict[str, Any] | None, BeforeValidator(_object)]


class _Command(Configuration):
    command: str
    collection_name: str | None = None
    database_name: str | None = None


class _FieldType(Configuration):
    name: str
    data_type: str
    description: str = ""
    primary_key: bool = False
    auto_id: Annotated[bool, Field(validation_alias=AliasChoices("auto-id", "auto-i-d"))] = False
    partition_key: bool = False
    nullable: bool | None = None
    max_length: int | None = None
    dimension: int | None = None
    max_capacity: int | None = None
    element_type: str | None = None
    type_params: _JsonObject = None
    """The original's client has `dim`, `max_length` and `max_capacity` here as well, as text."""


class _CreateCollection(_Command):
    field_types: Annotated[list[_FieldType], Field(min_length=1)]
    description: str = ""
    shards_num: int | None = None
    partitions_num: int | None = None
    consistency_level: str | None = None
    enable_dynamic_field: bool = False


class _CreateIndex(_Command):
    field_name: str
    index_name: str = ""
    index_type: str = "AUTOINDEX"
    metric_type: str | None = None
    extra_param: _JsonObject = None
    sync_mode: bool = True
    sync_waiting_interval: int | None = None
    sync_waiting_timeout: int | None = None
    """Of the original's client; the resource's `timeout-seconds` says how long is waited."""


class _LoadCollection(_Command):
    replica_number: int | None = None


class _CreateSimpleCollection(_Command):
    dimension: int
    primary_field: str = "id"
    primary_field_type: Annotated[str, Field(validation_alias=AliasChoices("primary-field-type", "id-type"))] = "int"
    vector_field: str = "vector"
    metric_type: str = "COSINE"
    auto_id: Annotated[bool, Field(validation_alias=AliasChoices("auto-id", "auto-i-d"))] = False
    max_length: int | None = None
    consistency_level: str | None = None
    output_field: str | None = None
    sync_load: bool = True
    """Of the original's client; every field can be asked for, and loading is waited for."""


_COMMANDS: Final[Mapping[str, type[_Command]]] = {
    "create-collection": _CreateCollection,
    "create-index": _CreateIndex,
    "load-collection": _LoadCollection,
    "create-simple-collection": _CreateSimpleCollection,
}


def _parsed(text: str) -> _Command:
    """Raises ValueError for text that is no command."""
    try:
        content = orjson.loads(text)
    except ValueError as error:
        raise ValueError(f"a create statement is not JSON ({error}): {text}") from None
    name = content.get("command") if isinstance(content, dict) else None
    if not name:
        raise ValueError(f"Command is empty: expected one of {', '.join(_COMMANDS)}: {text}")
    if name not in _COMMANDS:
        raise ValueError(f"Unexpected command: {name}; expected one of {', '.join(_COMMANDS)}")
    command, problems = check(_COMMANDS[name], content, subject=f"the command {name}")
    if command is None:
        raise ValueError("; ".join(str(problem) for problem in problems))
    return command


class CollectionConfiguration(Configuration):
    """A collection and the commands that make it."""

    datasource: Annotated[
        str, Kind("resource", of=("vector-database", "datasource")), Field(description="Resource of the Milvus.")
    ]
    collection_name: Annotated[str, Field(min_length=1, description="Collection whose existence is looked up.")]
    database_name: Annotated[str, Field(description="Database; that of the resource by default.")] = ""
    create_statements: Annotated[
        list[str],
        Field(
            min_length=1,
            description="JSON texts with `command`: create-collection, create-index, load-collection or "
            "create-simple-collection, and its options.",
        ),
    ]

    @field_validator("create_statements", mode="before")
    @classmethod
    def _texts(cls, statements: Any) -> Any:
        if not isinstance(statements, list):
            return statements
        return [orjson.dumps(item).decode() if isinstance(item, dict) else item for item in statements]

    @field_validator("create_statements")
    @classmethod
    def _understood(cls, statements: list[str]) -> list[str]:
        for statement in statements:
            _parsed(statement)
        return statements


class CollectionAsset(AssetManager):
    """Creates and drops the collection."""

    def __init__(self, configuration: CollectionConfiguration, store: MilvusStore) -> None:
        self._configuration = configuration
        self._connection = store.connection

    async def exists(self) -> bool:
        name = self._configuration.collection_name
        return bool(await self._call(lambda client, timeout: client.has_collection(name, timeout=timeout)))

    async def create(self) -> None:
        """Run the commands. Where one fails, a collection made by an earlier one is dropped again."""
        commands = [_parsed(text) for text in self._configuration.create_statements]
        name = self._configuration.collection_name
        for command in commands:
            if command.collection_name not in (None, name):
                raise ServiceError(
                    f"the command {command.command} is about the collection {command.collection_name}, "
                    f"the asset about {name}",
                    category="refused",
                )
        try:
            for command in commands:
                await self._call(_WORK[command.command](command, name))
        except ServiceError:
            await self.delete()
            raise
        if not await self.exists():
            raise ServiceError(f"the commands made no collection {name}", category="refused")

    async def delete(self) -> None:
        name = self._configuration.collection_name
        if await self.exists():
            await self._call(lambda client, timeout: client.drop_collection(name, timeout=timeout))

    async def _call(self, work: Any) -> Any:
        return await self._connection.call(work, self._configuration.database_name)


def _create_collection(command: _CreateCollection, name: str) -> Any:
    def work(client: Any, timeout: float) -> None:
        schema = client.create_schema(
            enable_dynamic_field=command.enable_dynamic_field, description=command.description
        )
        for field in command.field_types:
            schema.add_field(field.name, _data_type(field.data_type), **_field_options(field))
        client.create_collection(
            name,
            schema=schema,
            timeout=timeout,
            **_said(
                num_shards=command.shards_num,
                num_partitions=command.partitions_num,
                consistency_level=_level(command.consistency_level),
            ),
        )

    return work


def _field_options(field: _FieldType) -> dict[str, Any]:
    return {name: int(value) for name, value in (field.type_params or {}).items()} | _said(
        description=field.description or None,
        is_primary=field.primary_key or None,
        auto_id=field.auto_id or None,
        is_partition_key=field.partition_key or None,
        nullable=field.nullable,
        max_length=field.max_length,
        dim=field.dimension,
        max_capacity=field.max_capacity,
        element_type=_data_type(field.element_type) if field.element_type else None,
    )


def _create_index(command: _CreateIndex, name: str) -> Any:
    def work(client: Any, timeout: float) -> None:
        parameters = client.prepare_index_params()
        parameters.add_index(
            command.field_name,
            index_type=command.index_type,
            index_name=command.index_name,
            params=command.extra_param or {},
            **_said(metric_type=command.metric_type),
        )
        client.create_index(name, parameters, timeout=timeout, sync=command.sync_mode)

    return work


def _load(command: _LoadCollection, name: str) -> Any:
    return lambda client, timeout: client.load_collection(
        name, timeout=timeout, **_said(replica_number=command.replica_number)
    )


def _create_simple(command: _CreateSimpleCollection, name: str) -> Any:
    is_text = command.primary_field_type.lower() in ("string", "varchar", "str")
    return lambda client, timeout: client.create_collection(
        name,
        dimension=command.dimension,
        primary_field_name=command.primary_field,
        id_type="string" if is_text else "int",
        vector_field_name=command.vector_field,
        metric_type=command.metric_type,
        auto_id=command.auto_id,
        timeout=timeout,
        **_said(max_length=command.max_length or (256 if is_text else None)),
        **_said(consistency_level=_level(command.consistency_level)),
    )


_WORK: Final[Mapping[str, Any]] = {
    "create-collection": _create_collection,
    "create-index": _create_index,
    "load-collection": _load,
    "create-simple-collection": _create_simple,
}


def _data_type(name: str) -> Any:
    """A data type by its name, which the original writes `FloatVector` and the client library `FLOAT_VECTOR`."""
    from pymilvus import DataType

    wanted = name.replace("_", "").replace("-", "").upper()
    for kind in DataType:
        if kind.name.replace("_", "") == wanted:
            return kind
    raise ServiceError(f"Milvus has no data type {name}", category="refused")


def _level(name: str | None) -> str | None:
    return name.capitalize() if name else None


def _said(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}

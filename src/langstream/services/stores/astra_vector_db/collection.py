"""The Data API: commands on collections, their failures, and documents as it wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.stores.astra_vector_db.configuration import AstraVectorDbConfiguration
from langstream.services.stores.http import StoreClient, segment

SPECIAL: Final = {"id": "_id", "vector": "$vector", "similarity": "$similarity"}
"""Names of rows and fields → names of the API."""
_PLAIN: Final = {name: plain for plain, name in SPECIAL.items()}
_MISSING: Final = ("COLLECTION_NOT_EXIST", "KEYSPACE_DOES_NOT_EXIST", "COLLECTION_NOT_EXISTS", "UNKNOWN_COLLECTION")
_LOGIN: Final = ("UNAUTHENTICATED", "AUTHENTICATION", "INVALID_TOKEN", "MISSING_AUTHENTICATION_TOKEN", "FORBIDDEN")


class DataApi:
    """Commands to one keyspace. Give it to `start` and `close`."""

    def __init__(self, configuration: AstraVectorDbConfiguration) -> None:
        self._keyspace = configuration.keyspace
        self.client = StoreClient(
            "the Data API of Astra",
            configuration.root(),
            headers={"Token": configuration.token},
            secrets=(configuration.token,),
            words=lambda content: (words(content), ""),
        )

    async def ask(
        self, command: str, body: Any, collection: str | None = None, *, partly: bool = False, repeat: bool = True
    ) -> Mapping[str, Any]:
        """The answer to a command. Raises ServiceError for the errors in it; `partly`: only if nothing was done."""
        path = f"/{segment(self._keyspace)}" + (f"/{segment(collection)}" if collection else "")
        answer = await self.client.post(path, {command: body}, repeat=repeat)
        if not isinstance(answer, dict):
            raise ServiceError("the Data API of Astra gave an answer that makes no sense", category="malformed")
        errors = answer.get("errors")
        if errors and not (partly and answer.get("status")):
            raise ServiceError(
                f"the Data API of Astra refused {command}: {words(answer)}", category=category(errors[0])
            )
        return answer


def category(error: Mapping[str, Any]) -> str:
    """What an error of an answer means."""
    code = str(error.get("errorCode") or error.get("error_code") or "").upper()
    if code.startswith(_MISSING):
        return "not-found"
    if code.startswith(_LOGIN):
        return "authentication"
    if str(error.get("family")).upper() == "SERVER" or code.startswith("SERVER_"):
        return "transient"
    return "refused"


def words(content: Any) -> str:
    """The messages of an answer."""
    errors = content.get("errors") if isinstance(content, dict) else None
    if not isinstance(errors, list):
        return ""
    return "; ".join(
        str(error.get("message") or error.get("title") or error.get("errorCode"))
        if isinstance(error, dict)
        else str(error)
        for error in errors
    )


def row(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as queries give it."""
    return {_PLAIN.get(name, name): value for name, value in document.items()}


def document(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A document of fields: `data` first, the others into it; null is left out."""
    whole = fields.get("data")
    if isinstance(whole, str):
        whole = orjson.loads(whole)
    if whole is not None and not isinstance(whole, Mapping):
        raise ServiceError("the field data must be an object", category="refused")
    made = dict(whole or {})
    for name, value in fields.items():
        if value is not None and name != "data":
            made[SPECIAL.get(name, name)] = vector(value) if name == "vector" else value
    return made


def vector(value: Any) -> list[float]:
    """The numbers of a vector, also of JSON text. Raises ServiceError (refused) for what is none."""
    try:
        if isinstance(value, Mapping):
            value = value["values"]
        items = orjson.loads(value) if isinstance(value, str) else value
        return [float(item) for item in items]
    except (TypeError, ValueError, KeyError):
        raise ServiceError(
            f"the field vector must be a list of numbers, not {value!r:.60}", category="refused"
        ) from None

"""A server with the wire format of Astra's Data API: commands on collections, errors with status 200."""

from __future__ import annotations

from math import sqrt
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.services.stores.wire_server import Answer, WireServer

PAGE = 20
TOKEN = "AstraCS:very-secret"
COMMANDS = {
    "find": "_find",
    "insertMany": "_insert_many",
    "insertOne": "_insert_one",
    "findOneAndReplace": "_replace",
    "findOneAndUpdate": "_update",
    "deleteOne": "_delete_one",
    "deleteMany": "_delete_many",
}


class Refused(Exception):
    """An error of the API."""

    def __init__(self, code: str, message: str, family: str = "REQUEST") -> None:
        super().__init__(message)
        self.answer = {"errors": [{"message": message, "errorCode": code, "family": family}]}


class DataApiServer(WireServer):
    """Collections in memory; `requests` are those that came, `failures` are given instead of the next answers."""

    def __init__(self) -> None:
        super().__init__()
        self.collections: dict[str, dict[str, Any]] = {}
        self.dimensions: dict[str, int] = {}
        self.requests: list[tuple[str, str | None, Any]] = []
        self.failures: list[dict[str, Any] | int] = []

    async def answer(self, request: web.Request, body: Any) -> Answer:
        if request.headers.get("Token") != TOKEN:
            return 200, {"errors": [{"message": "Role unauthorized", "errorCode": "UNAUTHENTICATED"}]}
        ((command, asked),) = body.items()
        _, _, _, _, *names = request.path.split("/")
        collection = unquote(names[1]) if len(names) > 1 else None
        self.requests.append((command, collection, asked))
        if self.failures:
            failure = self.failures.pop(0)
            return (failure, None) if isinstance(failure, int) else (200, failure)
        try:
            return 200, self._answer(command, collection, asked)
        except Refused as refused:
            return 200, refused.answer

    def _answer(self, command: str, collection: str | None, body: Any) -> dict[str, Any]:
        if command == "findCollections":
            return {"status": {"collections": list(self.collections)}}
        if command == "createCollection":
            self.collections.setdefault(body["name"], {})
            self.dimensions[body["name"]] = body["options"]["vector"]["dimension"]
            return {"status": {"ok": 1}}
        if command == "deleteCollection":
            self.collections.pop(body["name"], None)
            return {"status": {"ok": 1}}
        if collection not in self.collections:
            raise Refused("COLLECTION_NOT_EXIST", f"Collection does not exist, collection name: {collection}")
        answer: dict[str, Any] = getattr(self, COMMANDS[command])(collection, self.collections[collection], body)
        return answer

    def _find(self, _: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        found = [dict(document) for document in documents.values() if matches(document, body["filter"])]
        options = body.get("options", {})
        target = body.get("sort", {}).get("$vector")
        if target is not None:
            found = [document for document in found if "$vector" in document]
            for document in found:
                document["$similarity"] = (1 + cosine(document["$vector"], target)) / 2
            found.sort(key=lambda document: -document["$similarity"])
            if not options.get("includeSimilarity"):
                found = [{k: v for k, v in document.items() if k != "$similarity"} for document in found]
        for name in body.get("sort", {}):
            if name != "$vector":
                found.sort(key=lambda document, name=name: document[name], reverse=body["sort"][name] < 0)  # type: ignore[misc]
        found = found[options.get("skip", 0) :][: options.get("limit")]
        start = int(options.get("pageState") or 0)
        projection = body.get("projection")
        page = [projected(document, projection) for document in found[start : start + PAGE]]
        more = str(start + PAGE) if len(found) > start + PAGE else None
        return {"data": {"documents": page, "nextPageState": more}}

    def _insert_many(self, name: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        assert len(body["documents"]) <= 100
        inserted, errors = [], []
        for document in body["documents"]:
            try:
                self._check(name, document)
                if document["_id"] in documents:
                    raise Refused("DOCUMENT_ALREADY_EXISTS", "Document already exists with the given _id")
                documents[document["_id"]] = document
                inserted.append(document["_id"])
            except Refused as refused:
                errors += refused.answer["errors"]
        return {"status": {"insertedIds": inserted}} | ({"errors": errors} if errors else {})

    def _insert_one(self, name: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        answer = self._insert_many(name, documents, {"documents": [body["document"]]})
        if "errors" in answer:
            del answer["status"]
        return answer

    def _replace(self, name: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        self._check(name, body["replacement"])
        assert body["options"]["upsert"]
        documents[body["filter"]["_id"]] = body["replacement"]
        return {"status": {"matchedCount": 1, "modifiedCount": 1}}

    def _update(self, _: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        for document in documents.values():
            if matches(document, body["filter"]):
                document.update(body["update"]["$set"])
                return {"data": {"document": document}, "status": {"matchedCount": 1, "modifiedCount": 1}}
        return {"data": {"document": None}, "status": {"matchedCount": 0, "modifiedCount": 0}}

    def _delete_one(self, _: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        return self._deleted(documents, body, 1)

    def _delete_many(self, _: str, documents: dict[str, Any], body: Any) -> dict[str, Any]:
        return self._deleted(documents, body, PAGE)

    def _deleted(self, documents: dict[str, Any], body: Any, most: int) -> dict[str, Any]:
        found = [id for id, document in documents.items() if matches(document, body["filter"])]
        for id in found[:most]:
            del documents[id]
        return {"status": {"deletedCount": len(found[:most])} | ({"moreData": True} if len(found) > most > 1 else {})}

    def _check(self, name: str, document: dict[str, Any]) -> None:
        vector = document.get("$vector")
        if vector is not None and len(vector) != self.dimensions[name]:
            raise Refused("VECTOR_SIZE_MISMATCH", f"Length of vector parameter different from {self.dimensions[name]}")


def matches(document: dict[str, Any], condition: dict[str, Any]) -> bool:
    """Equality and `$in`."""
    return all(
        document.get(name) in wanted["$in"] if isinstance(wanted, dict) else document.get(name) == wanted
        for name, wanted in condition.items()
    )


def projected(document: dict[str, Any], projection: dict[str, int] | None) -> dict[str, Any]:
    """`$vector` only where it is asked for, as the API does."""
    if projection is None:
        return {name: value for name, value in document.items() if name != "$vector"}
    return {name: value for name, value in document.items() if name in (*projection, "_id", "$similarity")}


def cosine(left: list[float], right: list[float]) -> float:
    """Of the angle."""
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return product / (sqrt(sum(a * a for a in left)) * sqrt(sum(b * b for b in right)) or 1)

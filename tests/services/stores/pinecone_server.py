"""The protocol of Pinecone as its reference describes it: indexes, and the data plane of one."""

from __future__ import annotations

from math import sqrt
from typing import Any

from aiohttp import web

from tests.services.stores.wire_server import Answer, WireServer

API_KEY = "s3cret-of-pinecone"
_MEMBERS = {
    "/query": {"vector", "id", "sparseVector", "filter", "topK", "includeMetadata", "includeValues", "namespace"},
    "/vectors/upsert": {"vectors", "namespace"},
    "/vectors/update": {"id", "values", "setMetadata", "namespace"},
    "/vectors/delete": {"ids", "filter", "deleteAll", "namespace"},
    "/describe_index_stats": set[str](),
}


class Refused(Exception):
    """A request that the service does not take."""


class PineconeServer(WireServer):
    """One project. `host_of` makes the address that an index is told to have."""

    def __init__(self, dimensions: int = 3) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.indexes: dict[str, dict[str, Any]] = {}
        self.vectors: dict[str, dict[str, dict[str, Any]]] = {}
        self.host = ""

    async def answer(self, request: web.Request, body: Any) -> Answer:
        if request.headers.get("Api-Key") != API_KEY:
            return 401, {"error": {"code": "UNAUTHENTICATED", "message": f"no key {request.headers.get('Api-Key')}"}}
        if not request.headers.get("X-Pinecone-API-Version"):
            return 400, {"code": 3, "message": "no version"}
        try:
            if request.path.startswith("/indexes"):
                return self._control(request.method, request.path.removeprefix("/indexes").strip("/"), body)
            return 200, self._data(request, body)
        except Refused as refused:
            return 400, {"code": 3, "message": str(refused), "details": []}

    def _control(self, method: str, name: str, body: Any) -> Answer:
        if method == "POST":
            if body["name"] in self.indexes:
                return 409, {"error": {"code": "ALREADY_EXISTS", "message": "Resource already exists"}, "status": 409}
            self.dimensions = body["dimension"]
            host = self.host or f"http://127.0.0.1:{self.port}"
            self.indexes[body["name"]] = {**body, "host": host, "status": {"ready": True, "state": "Ready"}}
            return 201, self.indexes[body["name"]]
        if name not in self.indexes:
            return 404, {"error": {"code": "NOT_FOUND", "message": f"Resource {name} not found"}, "status": 404}
        if method == "DELETE":
            del self.indexes[name]
            return 202, None
        return 200, self.indexes[name]

    def _data(self, request: web.Request, body: Any) -> Any:
        if request.path == "/vectors/fetch":
            stored = self._stored(request.query.get("namespace"))
            found = {id: stored[id] for id in request.query.getall("ids", []) if id in stored}
            return {"vectors": found, "namespace": request.query.get("namespace", "")}
        unknown = set(body) - _MEMBERS[request.path]
        if unknown:
            raise Refused(f"unknown members: {sorted(unknown)}")
        stored = self._stored(body.get("namespace"))
        return getattr(self, "_" + request.path.rpartition("/")[2])(stored, body)

    def _stored(self, namespace: str | None) -> dict[str, dict[str, Any]]:
        return self.vectors.setdefault(namespace or "", {})

    def _describe_index_stats(self, stored: dict[str, Any], body: Any) -> Any:
        return {"totalVectorCount": sum(map(len, self.vectors.values()))}

    def _upsert(self, stored: dict[str, Any], body: Any) -> Any:
        for vector in body["vectors"]:
            if not isinstance(vector["id"], str):
                raise Refused("id must be a string")
            if not isinstance(vector["values"], list) or len(vector["values"]) != self.dimensions:
                raise Refused(f"Vector dimension does not match the dimension of the index {self.dimensions}")
            for name, value in (vector.get("metadata") or {}).items():
                if not (isinstance(value, str | int | float) or _is_texts(value)):
                    raise Refused(f"Metadata value must be a string, number, boolean or list of strings: {name}")
        stored.update({vector["id"]: vector for vector in body["vectors"]})
        return {"upsertedCount": len(body["vectors"])}

    def _update(self, stored: dict[str, Any], body: Any) -> Any:
        vector = stored[body["id"]]
        vector["metadata"] = {**(vector.get("metadata") or {}), **body.get("setMetadata", {})}
        vector["values"] = body.get("values", vector["values"])
        return {}

    def _delete(self, stored: dict[str, Any], body: Any) -> Any:
        chosen = [id for id, vector in stored.items() if "filter" in body and _passes(vector, body["filter"])]
        for id in list(stored) if body.get("deleteAll") else body.get("ids", chosen):
            stored.pop(id, None)
        return {}

    def _query(self, stored: dict[str, Any], body: Any) -> Any:
        wanted = body.get("vector") or stored[body["id"]]["values"]
        passing = [vector for vector in stored.values() if _passes(vector, body.get("filter") or {})]
        best = sorted(passing, key=lambda vector: -_cosine(wanted, vector["values"]))[: body["topK"]]
        return {
            "matches": [
                {
                    "id": vector["id"],
                    "score": _cosine(wanted, vector["values"]),
                    "values": vector["values"] if body.get("includeValues") else [],
                    **({"metadata": vector.get("metadata", {})} if body.get("includeMetadata") else {}),
                }
                for vector in best
            ],
            "namespace": body.get("namespace", ""),
            "usage": {"readUnits": 1},
        }


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _passes(vector: Any, condition: Any) -> bool:
    metadata = vector.get("metadata") or {}
    for name, wanted in condition.items():
        if name in ("$and", "$or"):
            results = [_passes(vector, part) for part in wanted]
            passed = all(results) if name == "$and" else any(results)
        elif isinstance(wanted, dict):
            passed = all(_compare(operator, metadata.get(name), value) for operator, value in wanted.items())
        else:
            passed = metadata.get(name) == wanted
        if not passed:
            return False
    return True


def _compare(operator: str, found: Any, wanted: Any) -> bool:
    if operator == "$eq":
        return bool(found == wanted)
    if operator == "$in":
        return found in wanted
    if operator == "$gte":
        return found is not None and bool(found >= wanted)
    raise Refused(f"{operator} is not a valid operator")


def _cosine(left: list[float], right: list[float]) -> float:
    product = sum(one * other for one, other in zip(left, right, strict=True))
    return product / sqrt(sum(one * one for one in left) * sum(one * one for one in right))

"""The REST interface of Qdrant, in front of the local mode of its client library, which does what the server does."""

from __future__ import annotations

import warnings
from typing import Any

from aiohttp import web

from tests.services.stores.wire_server import Answer, WireServer

API_KEY = "s3cret-of-qdrant"


class QdrantServer(WireServer):
    """An empty Qdrant."""

    def __init__(self) -> None:
        super().__init__()
        from qdrant_client import QdrantClient

        self.client = QdrantClient(":memory:")

    async def answer(self, request: web.Request, body: Any) -> Answer:
        from pydantic import ValidationError

        if request.headers.get("api-key") != API_KEY:
            return 403, {"status": {"error": f"Invalid API key {request.headers.get('api-key')}"}, "time": 0.0}
        parts = request.path.strip("/").split("/")
        name = parts[1] if len(parts) > 1 else ""
        action = (request.method, "/".join(parts[2:]))
        if name and action != ("PUT", "") and not self.client.collection_exists(name):
            return 404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}, "time": 0.0}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = self._result(action, name, body)
        except (ValueError, KeyError, ValidationError, TypeError) as error:
            return 400, {"status": {"error": f"Wrong input: {error}"}, "time": 0.0}
        return 200, {"result": result, "status": "ok", "time": 0.0}

    def _result(self, action: tuple[str, str], name: str, body: Any) -> Any:
        from qdrant_client import models

        match action:
            case ("GET", ""):
                return {"collections": []} if not name else {"status": "green"}
            case ("PUT", ""):
                wanted = models.CreateCollection.model_validate(body)
                return self.client.create_collection(name, wanted.vectors)
            case ("DELETE", ""):
                return self.client.delete_collection(name)
            case ("PUT", "index"):
                return True
            case ("PUT", "points"):
                return self._upsert(name, models.PointsList.model_validate(body).points)
            case ("POST", "points/delete"):
                chosen = body["points"] if "points" in body else models.Filter.model_validate(body["filter"])
                return self.client.delete(name, chosen).model_dump()
            case ("POST", "points/payload"):
                return self.client.set_payload(name, body["payload"], body["points"]).model_dump()
            case ("POST", "points"):
                ids = models.PointRequest.model_validate(body).ids
                return _dumped(self.client.retrieve(name, ids))
            case ("POST", "points/scroll"):
                scroll = models.ScrollRequest.model_validate(body)
                points, _ = self.client.scroll(name, scroll.filter, scroll.limit or 10)
                return {"points": _dumped(points)}
            case ("POST", "points/query"):
                query = models.QueryRequest.model_validate(body)
                found = self.client.query_points(name, query.query, query_filter=query.filter, limit=query.limit or 10)
                return {"points": _dumped(found.points)}
        raise ValueError(f"no such action: {action}")

    def _upsert(self, name: str, points: Any) -> Any:
        size = self.client.get_collection(name).config.params.vectors.size  # type: ignore[union-attr]
        for point in points:
            if len(point.vector) != size:
                raise ValueError(f"Vector dimension error: expected dim: {size}, got {len(point.vector)}")
        return self.client.upsert(name, points).model_dump()


def _dumped(points: Any) -> list[dict[str, Any]]:
    return [point.model_dump(mode="json", exclude_none=True) for point in points]

"""Google Cloud Storage's JSON interface as its documentation describes it, with the token service beside it.

Signatures are verified, tokens end, objects have generations, listings have pages.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PAGE = 3
"""Listings have small pages, so that there are several."""


@dataclass(frozen=True)
class Stored:
    """An object."""

    data: bytes
    generation: int
    updated: datetime
    kind: str


class GoogleServer:
    """Buckets in memory. Use it as an asynchronous context."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.forbidden_buckets: set[str] = set()
        self._generation = 1_700_000_000_000_000
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._check])
        application.router.add_post("/token", self._token)
        application.router.add_post("/storage/v1/b", self._make)
        application.router.add_get("/storage/v1/b/{bucket}", self._bucket)
        application.router.add_get("/storage/v1/b/{bucket}/o", self._list)
        application.router.add_get("/storage/v1/b/{bucket}/o/{name:.*}", self._get)
        application.router.add_delete("/storage/v1/b/{bucket}/o/{name:.*}", self._delete)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def account(self, **changes: Any) -> str:
        """The key file of the service account that is let in."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "key-1",
            "private_key": private.decode(),
            "client_email": "reader@project.iam.gserviceaccount.com",
            "token_uri": f"{self.address}/token",
        }
        return json.dumps({**content, **changes})

    def put(self, bucket: str, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
        """Store an object; every time it has another generation."""
        self._generation += 1
        stored = Stored(data, self._generation, datetime.now(UTC), kind)
        self.buckets.setdefault(bucket, {})[name] = stored

    @web.middleware
    async def _check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if request.path != "/token":
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.valid:
                return _error(401, "authError", "Invalid Credentials")
            if request.match_info.get("bucket") in self.forbidden_buckets:
                return _error(403, "forbidden", "the account has no access")
        response: web.StreamResponse = await handler(request)
        return response

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        head, claims, signature = str(form["assertion"]).split(".")
        try:
            self._key.public_key().verify(
                _bytes(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except Exception:
            return web.json_response({"error": "invalid_grant", "error_description": "Bad signature"}, status=400)
        stated = json.loads(_bytes(claims))
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert stated["aud"] == f"{self.address}/token"
        assert stated["exp"] - stated["iat"] == 3600
        token = f"token-{len(self.tokens)}"
        self.tokens.append(token)
        self.valid.add(token)
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _make(self, request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        assert request.query["project"] == "project"
        if name in self.buckets:
            return _error(409, "conflict", "You already own this bucket")
        self.buckets[name] = {}
        return web.json_response({"name": name})

    async def _bucket(self, request: web.Request) -> web.Response:
        if request.match_info["bucket"] not in self.buckets:
            return _error(404, "notFound", "The specified bucket does not exist.")
        return web.json_response({"name": request.match_info["bucket"]})

    async def _list(self, request: web.Request) -> web.Response:
        objects = self.buckets.get(request.match_info["bucket"])
        if objects is None:
            return _error(404, "notFound", "The specified bucket does not exist.")
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter")
        names = sorted(name for name in objects if name.startswith(prefix))
        if delimiter:
            names = [name for name in names if delimiter not in name[len(prefix) :]]
        names = [name for name in names if name > request.query.get("pageToken", "")]
        content: dict[str, Any] = {}
        if page := names[:PAGE]:
            content["items"] = [_described(name, objects[name]) for name in page]
        if len(names) > PAGE:
            content["nextPageToken"] = page[-1]
        return web.json_response(content)

    def _found(self, request: web.Request) -> Stored | web.Response:
        stored = self.buckets[request.match_info["bucket"]].get(request.match_info["name"])
        if stored is None:
            return _error(404, "notFound", "No such object")
        if request.query.get("ifGenerationMatch", str(stored.generation)) != str(stored.generation):
            return _error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        return stored

    async def _get(self, request: web.Request) -> web.Response:
        found = self._found(request)
        if isinstance(found, web.Response):
            return found
        headers = {"Content-Type": found.kind, "x-goog-generation": str(found.generation)}
        if (start := request.http_range.start) is not None:
            return web.Response(status=206, body=found.data[start:], headers=headers)
        return web.Response(body=found.data, headers=headers)

    async def _delete(self, request: web.Request) -> web.Response:
        found = self._found(request)
        if isinstance(found, web.Response):
            return found
        del self.buckets[request.match_info["bucket"]][request.match_info["name"]]
        return web.Response(status=204)


def _described(name: str, stored: Stored) -> Mapping[str, Any]:
    return {
        "name": name,
        "size": str(len(stored.data)),
        "generation": str(stored.generation),
        "updated": stored.updated.isoformat().replace("+00:00", "Z"),
    }


def _error(status: int, reason: str, message: str) -> web.Response:
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return web.json_response({"error": error}, status=status)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

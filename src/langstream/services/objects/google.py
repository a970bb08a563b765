"""Google Cloud Storage through its JSON interface. The version of an object is its generation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects.contract import StoredObject, Version
from langstream.services.objects.google_token import ServiceAccount, Tokens
from langstream.services.objects.http import Answer, HttpObjectStore, Request

ENDPOINT = "https://storage.googleapis.com"
FIELDS = "nextPageToken,items(name,size,generation,updated)"


class GoogleStore(HttpObjectStore):
    """One bucket."""

    service = "Google Cloud Storage"

    def __init__(
        self, bucket: str, account: ServiceAccount, endpoint: str = ENDPOINT, retries: RetryPolicy | None = None
    ) -> None:
        super().__init__(endpoint, retries)
        self.bucket = bucket
        self._account = account
        self._tokens = Tokens(account)

    def address(self, name: str = "") -> str:
        """`gs://bucket/name`."""
        return f"gs://{self.bucket}{'/' if name else ''}{name}"

    async def ensure_bucket(self) -> None:
        """Look for the bucket; create it in the service account's project if it is not there."""
        found = await self.ask(Request("GET", self._path(), {"fields": "name"}), expected=(200, 403, 404))
        if found.status != 404:
            return
        if not self._account.project:
            raise ServiceError(
                f"{self.address()} does not exist, and service-account-json has no project_id to create it in",
                category="not-found",
            )
        request = Request(
            "POST",
            f"{self.root_path}/storage/v1/b",
            {"project": self._account.project},
            {"Content-Type": "application/json"},
            orjson.dumps({"name": self.bucket}),
        )
        made = await self.ask(request, expected=(200, 201, 409))
        if made.status == 409:
            again = await self.ask(Request("GET", self._path(), {"fields": "name"}), expected=(200, 403))
            if again.status == 403:
                raise ServiceError(
                    f"{self.address()} belongs to somebody else. Choose another name for the bucket", category="refused"
                )

    async def pages(self, prefix: str, *, recursive: bool) -> AsyncGenerator[Sequence[StoredObject], None]:
        """Pages of a thousand. Names that stand for a folder (`dir/`) are left out."""
        query = {"prefix": prefix, "fields": FIELDS, "maxResults": "1000"}
        if not recursive:
            query["delimiter"] = "/"
        while True:
            content = self._parsed(await self.ask(Request("GET", f"{self._path()}/o", query)))
            yield [_stored(item) for item in content.get("items", ()) if not item["name"].endswith("/")]
            following = content.get("nextPageToken")
            if not following:
                return
            query["pageToken"] = following

    def download(self, stored: StoredObject) -> Request:
        """That generation. `gzip` is accepted, or the store would unpack what was stored packed."""
        query = {"alt": "media", "ifGenerationMatch": stored.version.tag}
        return Request("GET", self._object(stored.name), query, {"Accept-Encoding": "gzip"})

    def is_same(self, stored: StoredObject, headers: Mapping[str, str]) -> bool:
        """By the generation; entity tags are something else here."""
        return headers.get("x-goog-generation", stored.version.tag) == stored.version.tag

    async def delete(self, stored: StoredObject) -> bool:
        """Delete the object if it is still that generation."""
        request = Request("DELETE", self._object(stored.name), {"ifGenerationMatch": stored.version.tag})
        answer = await self.ask(request, expected=(200, 204, 404, 412))
        return answer.status != 412

    async def signed(self, request: Request) -> Request:
        """With the current token."""
        token = await self._tokens.current(self._session)
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})

    def renewed(self, authorization: str) -> bool:
        """A token may be revoked before its time: have another one."""
        return self._tokens.refused(authorization.removeprefix("Bearer "))

    def refusal(self, answer: Answer) -> tuple[str, str]:
        """The reason and the message of Google's error object."""
        try:
            error = orjson.loads(answer.body)["error"]
            return str((error.get("errors") or [{}])[0].get("reason", "")), str(error.get("message", ""))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return "", ""

    def category(self, status: int, code: str) -> str:
        """Rates are limited with 403 as well."""
        if code in ("rateLimitExceeded", "userRateLimitExceeded"):
            return "rate-limited"
        return super().category(status, code)

    def advice(self, status: int, code: str) -> str:
        """What to set."""
        if status in (401, 403):
            return "Check service-account-json and the roles of the account on the bucket"
        return ""

    def _parsed(self, answer: Answer) -> Mapping[str, Any]:
        try:
            content = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise ServiceError(f"{self.service} {self.address()}: the answer is not JSON", category="malformed")
        return content

    def _path(self) -> str:
        return f"{self.root_path}/storage/v1/b/{quote(self.bucket, safe='')}"

    def _object(self, name: str) -> str:
        return f"{self._path()}/o/{quote(name, safe='')}"


def _stored(item: Mapping[str, Any]) -> StoredObject:
    modified = datetime.fromisoformat(item["updated"])
    version = Version(int(item["size"]), int(modified.timestamp() * 1e9), tag=str(item["generation"]))
    return StoredObject(item["name"], version)

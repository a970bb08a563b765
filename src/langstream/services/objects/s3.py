"""S3 and the stores that speak its protocol (MinIO, Ceph, R2 …), with path-style addresses.

An object is read with `If-Match`. It is deleted with `If-Match` too, after a look at its entity tag: stores that do not
know conditional deletes ignore the header, and then only a moment between the look and the deletion is unguarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects import xml
from langstream.services.objects.contract import StoredObject, Version
from langstream.services.objects.http import Answer, HttpObjectStore, Request
from langstream.services.objects.signature_v4 import sign

DEFAULT_REGION = "us-east-1"


class S3Store(HttpObjectStore):
    """One bucket. An empty access key sends unsigned requests, for public buckets."""

    service = "S3"

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str = "",
        secret_key: str = "",
        region: str = "",
        retries: RetryPolicy | None = None,
    ) -> None:
        super().__init__(endpoint, retries)
        self.bucket = bucket
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region or DEFAULT_REGION

    def address(self, name: str = "") -> str:
        """`endpoint/bucket/name`."""
        return f"{self.endpoint}/{self.bucket}{'/' if name else ''}{name}"

    async def ensure_bucket(self) -> None:
        """Look for the bucket; create it if it is not there."""
        found = await self.ask(Request("HEAD", self._path()), expected=(200, 301, 400, 403, 404))
        if found.status != 404:
            return
        body = b""
        if self._region != DEFAULT_REGION:
            body = (
                '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>'
                f"{self._region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        made = await self.ask(Request("PUT", self._path(), body=body), expected=(200, 409))
        if made.status == 409 and (code := self.refusal(made)[0]) != "BucketAlreadyOwnedByYou":
            raise ServiceError(
                f"S3 {self.address()} cannot be created: {code or 'status 409'}. Choose another name for the bucket",
                category="refused",
            )

    async def pages(self, prefix: str, *, recursive: bool) -> AsyncGenerator[Sequence[StoredObject], None]:
        """Pages of a thousand. Names that stand for a folder (`dir/`, empty) are left out."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        if not recursive:
            query["delimiter"] = "/"
        while True:
            answer = await self.ask(Request("GET", self._path(), query))
            objects, following = await asyncio.to_thread(_page, answer.body, self.address())
            yield objects
            if not following:
                return
            query["continuation-token"] = following

    def download(self, stored: StoredObject) -> Request:
        """On the condition that the entity tag is still the one listed."""
        return Request("GET", self._path(stored.name), headers={"If-Match": stored.version.tag})

    async def delete(self, stored: StoredObject) -> bool:
        """Delete the object if it is still that version."""
        path = self._path(stored.name)
        found = await self.ask(Request("HEAD", path), expected=(200, 404))
        if found.status == 404:
            return True
        if found.headers.get("ETag") != stored.version.tag:
            return False
        request = Request("DELETE", path, headers={"If-Match": stored.version.tag})
        answer = await self.ask(request, expected=(200, 202, 204, 404, 412, 501))
        if answer.status == 501:  # the store says that it has no conditional deletes
            answer = await self.ask(replace(request, headers={}), expected=(200, 202, 204, 404))
        return answer.status != 412

    async def signed(self, request: Request) -> Request:
        """Signed for this moment."""
        if not self._access_key:
            return request
        headers = sign(
            method=request.method,
            host=self.root.partition("://")[2],
            path=request.path,
            query=request.query_string(),
            headers=request.headers,
            body=request.body,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self._region,
            service="s3",
            now=datetime.now(UTC),
        )
        return replace(request, headers=headers)

    def refusal(self, answer: Answer) -> tuple[str, str]:
        """S3's error document."""
        return xml.refusal(answer.body)

    def category(self, status: int, code: str) -> str:
        """`InvalidObjectState` (archived) concerns one object only, not the credentials."""
        if code == "InvalidObjectState":
            return "refused"
        if code in ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"):
            return "transient"
        return super().category(status, code)

    def advice(self, status: int, code: str) -> str:
        """What to set."""
        if status == 301 or code in (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ):
            return f"The bucket is in another region than {self._region}: set region, and an endpoint of that region"
        if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "Forbidden") or status in (401, 403):
            return "Check access-key, secret-key and what they are allowed to do"
        return "Check bucketName" if code == "NoSuchBucket" else ""

    def _path(self, name: str = "") -> str:
        key = f"/{quote(name, safe='/~')}" if name else ""
        return f"{self.root_path}/{quote(self.bucket, safe='')}{key}"


def _page(body: bytes, place: str) -> tuple[list[StoredObject], str]:
    """The objects of a page, and the token of the page after it."""
    root = xml.parse(body, place)
    decode = unquote_plus if root.text("EncodingType") == "url" else str
    objects = []
    for entry in root.children("Contents"):
        name = decode(entry.text("Key"))
        if not name or name.endswith("/"):
            continue
        modified = datetime.fromisoformat(entry.text("LastModified"))
        version = Version(int(entry.text("Size")), int(modified.timestamp() * 1e9), tag=entry.text("ETag"))
        objects.append(StoredObject(name, version))
    following = root.text("NextContinuationToken") if root.text("IsTruncated") == "true" else ""
    if root.text("IsTruncated") == "true" and not following:
        raise ServiceError(f"{place}: the listing goes on, but does not say where", category="malformed")
    return objects, following

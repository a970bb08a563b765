"""Azure Blob Storage, with an account key or a shared access signature (SAS)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl, quote, unquote

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects import xml
from langstream.services.objects.contract import StoredObject, Version
from langstream.services.objects.http import Answer, HttpObjectStore, Request
from langstream.services.objects.shared_key import parse_connection_string, sign

PROTOCOL_VERSION = "2021-12-02"


@dataclass(frozen=True, slots=True)
class AzureCredential:
    """A SAS, or the name and a key of the account."""

    sas_token: str = field(default="", repr=False)
    account_name: str = ""
    account_key: str = field(default="", repr=False)

    @classmethod
    def from_connection_string(cls, text: str) -> AzureCredential | None:
        """The credential in a connection string, or None."""
        values = parse_connection_string(text)
        if token := values.get("sharedaccesssignature"):
            return cls(sas_token=token)
        name, key = values.get("accountname", ""), values.get("accountkey", "")
        return cls(account_name=name, account_key=key) if name and key else None


class AzureStore(HttpObjectStore):
    """One container."""

    service = "Azure Blob Storage"

    def __init__(
        self, endpoint: str, container: str, credential: AzureCredential, retries: RetryPolicy | None = None
    ) -> None:
        super().__init__(endpoint, retries)
        self.container = container
        self._credential = credential
        self._sas = dict(parse_qsl(credential.sas_token.removeprefix("?"), keep_blank_values=True))

    def address(self, name: str = "") -> str:
        """`endpoint/container/name`."""
        return f"{self.endpoint}/{self.container}{'/' if name else ''}{name}"

    async def ensure_bucket(self) -> None:
        """Look for the container; create it if it is not there."""
        container = {"restype": "container"}
        found = await self.ask(Request("HEAD", self._path(), container), expected=(200, 403, 404))
        if found.status == 404:
            await self.ask(Request("PUT", self._path(), container), expected=(201, 409))

    async def pages(self, prefix: str, *, recursive: bool) -> AsyncGenerator[Sequence[StoredObject], None]:
        """Pages of up to five thousand. Directories and deleted blobs are left out."""
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        if not recursive:
            query["delimiter"] = "/"
        while True:
            answer = await self.ask(Request("GET", self._path(), query))
            objects, following = await asyncio.to_thread(_page, answer.body, self.address())
            yield objects
            if not following:
                return
            query["marker"] = following

    def download(self, stored: StoredObject) -> Request:
        """On the condition that the entity tag is still the one listed."""
        return Request("GET", self._path(stored.name), headers={"If-Match": stored.version.tag})

    async def delete(self, stored: StoredObject) -> bool:
        """Delete the blob if it is still that version."""
        path = self._path(stored.name)
        request = Request("DELETE", path, headers={"If-Match": stored.version.tag})
        answer = await self.ask(request, expected=(202, 404, 412))
        if answer.status != 412:
            return True
        if self.refusal(answer)[0].startswith("Lease"):
            raise ServiceError(f"{self.address(stored.name)} is leased to somebody else")
        found = await self.ask(Request("HEAD", path), expected=(200, 404))  # what does not exist does not match either
        return found.status == 404

    async def signed(self, request: Request) -> Request:
        """With the SAS in its query, or signed with the account key."""
        headers = {
            **request.headers,
            "x-ms-version": PROTOCOL_VERSION,
            "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        }
        if self._sas:
            return replace(request, headers=headers, query={**request.query, **self._sas})
        headers["Authorization"] = sign(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            account=self._credential.account_name,
            key=self._credential.account_key,
        )
        return replace(request, headers=headers)

    def refusal(self, answer: Answer) -> tuple[str, str]:
        """Azure's error document; the code is a header as well."""
        code, message = xml.refusal(answer.body)
        return code or answer.headers.get("x-ms-error-code", ""), message

    def category(self, status: int, code: str) -> str:
        """An archived blob, or one with snapshots, concerns nothing but itself."""
        if code in ("BlobArchived", "SnapshotsPresent"):
            return "refused"
        return super().category(status, code)

    def advice(self, status: int, code: str) -> str:
        """What to set."""
        if status in (401, 403):
            return "Check the credential (sas-token, storage-account-key or connection string) and what it allows"
        return "Check container" if code == "ContainerNotFound" else ""

    def _path(self, name: str = "") -> str:
        blob = f"/{quote(name, safe='/~')}" if name else ""
        return f"{self.root_path}/{quote(self.container, safe='$')}{blob}"


def _page(body: bytes, place: str) -> tuple[list[StoredObject], str]:
    """The blobs of a page, and the marker of the page after it."""
    root = xml.parse(body, place)
    blobs = root.child("Blobs")
    if blobs is None:
        raise ServiceError(f"{place}: the listing has no blobs element", category="malformed")
    objects = [stored for entry in blobs.children("Blob") if (stored := _blob(entry)) is not None]
    return objects, root.text("NextMarker")


def _blob(entry: xml.Node) -> StoredObject | None:
    properties = entry.child("Properties")
    element = entry.child("Name")
    if properties is None or element is None or entry.text("Deleted") == "true":
        return None
    name = unquote(element.content) if element.attribute("Encoded") == "true" else element.content
    if not name or name.endswith("/") or properties.text("ResourceType") == "directory":
        return None
    modified = parsedate_to_datetime(properties.text("Last-Modified"))
    tag = properties.text("Etag")
    quoted = tag if tag.startswith(('"', "W/")) else f'"{tag}"'  # listings have it bare, headers in quotes
    version = Version(int(properties.text("Content-Length")), int(modified.timestamp() * 1e9), tag=quoted)
    return StoredObject(name, version)

"""Credentials of Azure, and what only its store does."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects.azure import AzureCredential, AzureStore
from langstream.services.objects.contract import StoredObject, Version
from langstream.services.objects.shared_key import is_account_key, parse_connection_string
from tests.services.objects.benches import AzureBench
from tests.services.objects.scripted import Scripted, answer, refusal
from tests.services.objects.servers import ACCOUNT, ACCOUNT_KEY
from tests.services.objects.test_failures import no_sleep

CONNECTION = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint=http://other/"


def account_sas() -> str:
    """A shared access signature for everything, made as Azure documents it."""
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = [ACCOUNT, "rwdlac", "b", "sco", "", end, "", "http,https", "2021-12-02", "", ""]
    mac = hmac.new(base64.b64decode(ACCOUNT_KEY), "\n".join(fields).encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(mac).decode(), safe="")
    return f"sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se={quote(end, safe='')}&spr=http,https&sig={signature}"


@pytest.mark.parametrize("mark", ["", "?"])
async def test_a_shared_access_signature_lets_in(azure_address: str, mark: str) -> None:
    bench = AzureBench(azure_address)
    store = AzureStore(bench.endpoint, bench.bucket, AzureCredential(sas_token=mark + account_sas()))
    await store.start()
    await bench.put("a b.txt", b"1")
    [stored] = [stored async for page in store.pages("", recursive=True) for stored in page]
    content = await store.read(stored)
    await store.close()
    await bench.close()
    assert content is not None
    assert content.data == b"1"


async def test_a_connection_string_gives_the_credential_and_not_the_address(azure_address: str) -> None:
    bench = AzureBench(azure_address)
    credential = AzureCredential.from_connection_string(CONNECTION)
    assert credential is not None
    store = AzureStore(bench.endpoint, bench.bucket, credential)
    await store.start()
    await bench.put("test.txt", b"test")
    [stored] = [stored async for page in store.pages("", recursive=True) for stored in page]
    content = await store.read(stored)
    await store.close()
    await bench.close()
    assert content is not None
    assert content.data == b"test"


async def test_a_wrong_key_is_an_authentication_failure_without_the_key(azure_address: str) -> None:
    key = base64.b64encode(b"wrong").decode()
    store = AzureStore(azure_address, "container", AzureCredential("", ACCOUNT, key))
    await store.start()
    with pytest.raises(ServiceError, match=r"AuthorizationFailure.*Check the credential") as caught:
        [page async for page in store.pages("", recursive=True)]
    await store.close()
    assert caught.value.category == "authentication"
    assert key not in str(caught.value) + repr(AzureCredential("sas", ACCOUNT, key))


async def test_the_signature_is_in_no_message() -> None:
    async with Scripted(answer(200), refusal(403, "AuthorizationFailure")) as server:
        store = AzureStore(server.address, "container", AzureCredential("sig=hidden"))
        await store.start()
        with pytest.raises(ServiceError) as caught:
            [page async for page in store.pages("", recursive=True)]
        await store.close()
    assert "hidden" not in str(caught.value)


async def test_a_leased_blob_is_a_transient_failure_and_not_another_version() -> None:
    async with Scripted(answer(200), refusal(412, "LeaseIdMissing")) as server:
        store = AzureStore(server.address, "c", AzureCredential("sig=x"), RetryPolicy(sleep=no_sleep))
        await store.start()
        with pytest.raises(ServiceError, match="leased") as caught:
            await store.delete(StoredObject("a", Version(1, 0, tag='"t"')))
        await store.close()
    assert caught.value.retryable


async def test_directories_and_deleted_blobs_are_left_out_and_encoded_names_decoded() -> None:
    time = "<Last-Modified>Sat, 21 Nov 2026 10:00:00 GMT</Last-Modified>"
    blob = "<Blob>{}<Properties>{}" + time + "<Etag>0x1</Etag></Properties></Blob>"
    size = "<Content-Length>1</Content-Length>"
    blobs = [
        blob.format("<Name>dir</Name>", size + "<ResourceType>directory</ResourceType>"),
        blob.format("<Name>gone</Name><Deleted>true</Deleted>", size),
        blob.format('<Name Encoded="true">a%EF%BF%BEb</Name>', size),
    ]
    page = f"<EnumerationResults><Blobs>{''.join(blobs)}</Blobs><NextMarker/></EnumerationResults>"
    async with Scripted(answer(200), answer(200, page)) as server:
        store = AzureStore(server.address, "c", AzureCredential("sig=x"))
        await store.start()
        found = [stored async for listed in store.pages("", recursive=True) for stored in listed]
        await store.close()
    assert [(stored.name, stored.version.tag) for stored in found] == [("a\ufffeb", '"0x1"')]


def test_connection_strings_are_taken_apart() -> None:
    assert parse_connection_string("A=1;; b = x==;") == {"a": "1", "b": "x=="}
    assert AzureCredential.from_connection_string("SharedAccessSignature=sv=1&sig=2") == AzureCredential("sv=1&sig=2")
    assert AzureCredential.from_connection_string("AccountName=x") is None


def test_account_keys_are_base64() -> None:
    assert is_account_key(ACCOUNT_KEY)
    assert not is_account_key("not a key")

"""What goes wrong on the wire: retries, downloads that go on, and words for people."""

from __future__ import annotations

from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects.contract import StoredObject, Version
from langstream.services.objects.s3 import S3Store
from tests.services.objects.scripted import Answering, Scripted, answer, broken, refusal

TAG = '"tag"'
FOUND = answer(200)
EMPTY = answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")


async def no_sleep(_: float) -> None:
    """Retries at once."""


def quick(attempts: int = 4) -> RetryPolicy:
    """No pauses."""
    return RetryPolicy(attempts=attempts, sleep=no_sleep)


async def opened(server: Scripted) -> S3Store:
    """A started store."""
    store = S3Store(server.address, "inbox", "AKIA-KEY", "very-secret", retries=quick())
    await store.start()
    return store


async def failure(*answers: Answering) -> ServiceError:
    """The error of a listing."""
    async with Scripted(FOUND, *answers) as server:
        store = await opened(server)
        with pytest.raises(ServiceError) as caught:
            [page async for page in store.pages("", recursive=True)]
        await store.close()
    return caught.value


def thing(size: int) -> StoredObject:
    """An object of that size."""
    return StoredObject("a.bin", Version(size, 0, tag=TAG))


async def read(stored: StoredObject, *answers: Answering) -> tuple[Any, Scripted]:
    """What is read, and the server that was asked."""
    async with Scripted(FOUND, *answers) as server:
        store = await opened(server)
        try:
            return await store.read(stored), server
        finally:
            await store.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_transient_refusals_are_asked_again(status: int) -> None:
    async with Scripted(FOUND, answer(status), answer(status), EMPTY) as server:
        store = await opened(server)
        assert [page async for page in store.pages("", recursive=True)] == [[]]
        await store.close()
    assert len(server.asked) == 4


async def test_a_service_that_stays_away_is_a_transient_failure() -> None:
    error = await failure(refusal(503, "SlowDown"))
    assert error.retryable
    assert "SlowDown" in str(error)


async def test_nobody_listening_is_a_transient_failure_that_names_the_address() -> None:
    async with Scripted(FOUND) as server:
        address = server.address
    store = S3Store(address, "inbox", retries=quick())
    with pytest.raises(ServiceError, match=f"S3 {address}/inbox") as caught:
        await store.start()
    await store.close()
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("status", "code", "category", "advice"),
    [
        (403, "InvalidAccessKeyId", "authentication", "Check access-key, secret-key"),
        (403, "AccessDenied", "authentication", "what they are allowed to do"),
        (400, "AuthorizationHeaderMalformed", "refused", "in another region than us-east-1: set region"),
        (301, "PermanentRedirect", "refused", "in another region"),
        (404, "NoSuchBucket", "not-found", "Check bucketName"),
    ],
)
async def test_refusals_say_what_to_do_and_are_not_repeated(status: int, code: str, category: str, advice: str) -> None:
    async with Scripted(FOUND, refusal(status, code, "The request is bad.\nDetails")) as server:
        store = await opened(server)
        with pytest.raises(ServiceError) as caught:
            [page async for page in store.pages("", recursive=True)]
        await store.close()
    assert caught.value.category == category
    assert f"{code}: The request is bad" in str(caught.value)
    assert advice in str(caught.value)
    assert len(server.asked) == 2
    assert "very-secret" not in str(caught.value)


async def test_an_answer_that_is_no_xml_is_malformed() -> None:
    assert (await failure(answer(200, "<html>"))).category == "malformed"


async def test_a_listing_that_ends_in_the_middle_is_an_error_and_not_the_end() -> None:
    error = await failure(answer(200, "<R><IsTruncated>true</IsTruncated></R>"))
    assert "goes on" in str(error)


async def test_a_broken_download_goes_on_where_it_ended() -> None:
    data = bytes(range(200))
    content, server = await read(
        thing(200),
        broken(data[:80], 200, ETag=TAG),
        broken(data[80:150], 120, status=206, ETag=TAG),
        answer(503),
        answer(206, "", ETag=TAG),
        broken(data[150:], 50, status=206, ETag=TAG),
    )
    assert content.data == data
    assert [headers.get("Range") for headers in server.headers[1:4]] == [None, "bytes=80-", "bytes=150-"]
    assert all(headers["If-Match"] == TAG for headers in server.headers[1:])


async def test_progress_renews_the_attempts() -> None:
    data = bytes(100)
    pieces = [broken(data[at : at + 10], 100 - at, status=206 if at else 200, ETag=TAG) for at in range(0, 100, 10)]
    content, _ = await read(thing(100), *pieces)
    assert content.data == data


async def test_a_server_that_sends_everything_again_is_understood() -> None:
    content, _ = await read(thing(4), broken(b"ab", 4, ETag=TAG), answer(200, "abcd", ETag=TAG))
    assert content.data == b"abcd"


async def test_versions_are_never_mixed() -> None:
    for second in (
        answer(206, "cd", ETag='"other"'),
        answer(200, "wxyz", ETag='"other"'),
        refusal(412, "Precondition"),
    ):
        content, _ = await read(thing(4), broken(b"ab", 4, ETag=TAG), second)
        assert content is None


async def test_more_bytes_than_listed_are_another_version() -> None:
    content, _ = await read(thing(2), answer(200, "abc"))
    assert content is None


async def test_an_archived_object_is_refused_on_its_own() -> None:
    with pytest.raises(ServiceError, match="InvalidObjectState") as caught:
        await read(thing(2), refusal(403, "InvalidObjectState"))
    assert caught.value.category == "refused"


async def test_stores_without_conditional_deletes_are_asked_without_the_condition() -> None:
    async with Scripted(FOUND, answer(200, ETag=TAG), refusal(501, "NotImplemented"), answer(204)) as server:
        store = await opened(server)
        assert await store.delete(thing(1))
        await store.close()
    assert [method for method, _ in server.asked] == ["HEAD", "HEAD", "DELETE", "DELETE"]
    assert ["If-Match" in headers for headers in server.headers[2:]] == [True, False]


async def test_a_bucket_of_somebody_else_is_reported() -> None:
    async with Scripted(answer(404), refusal(409, "BucketAlreadyExists")) as server:
        store = S3Store(server.address, "inbox", retries=quick())
        with pytest.raises(ServiceError, match="Choose another name"):
            await store.start()
        await store.close()


async def test_a_bucket_in_another_region_is_made_there() -> None:
    bodies = []

    async def make(request: Any) -> Any:
        bodies.append(await request.text())
        return await FOUND(request)

    async with Scripted(answer(404), make) as server:
        store = S3Store(server.address, "inbox", "key", "secret", "eu-west-1", retries=quick())
        await store.start()
        await store.close()
    assert "<LocationConstraint>eu-west-1</LocationConstraint>" in bodies[0]
    assert "/eu-west-1/s3/aws4_request" in server.headers[1]["Authorization"]


async def test_without_an_access_key_requests_are_not_signed() -> None:
    async with Scripted(FOUND) as server:
        store = S3Store(server.address, "inbox")
        await store.start()
        await store.close()
    assert "Authorization" not in server.headers[0]


async def test_looking_for_the_bucket_may_be_forbidden() -> None:
    async with Scripted(answer(403), EMPTY) as server:
        store = await opened(server)
        assert [page async for page in store.pages("", recursive=True)] == [[]]
        await store.close()

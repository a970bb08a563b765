"""The HTTP client of stores, against a server with prepared answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.stores.http import Limits, Request, StoreClient, lines, segment
from tests.services.objects.scripted import Scripted, answer, broken


async def asked(server: Scripted, **settings: Any) -> Any:
    """The answer to one request, and the waits between attempts."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    client = StoreClient(
        "Store",
        server.address,
        retries=RetryPolicy(attempts=3, spread=lambda longest: longest, sleep=sleep),
        **settings,
    )
    await client.start()
    try:
        return await client.post("/search", {"q": 1}), waits
    finally:
        await client.close()


async def refused(server: Scripted, **settings: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await asked(server, **settings)
    return caught.value


async def test_json_goes_out_and_comes_back() -> None:
    async with Scripted(answer(200, '{"rows": []}')) as server:
        assert (await asked(server, headers={"api-key": "secret"}))[0] == {"rows": []}
    assert server.asked == [("POST", "/search")]
    assert server.headers[0]["Content-Type"] == "application/json"
    assert server.headers[0]["api-key"] == "secret"


async def test_transient_failures_are_tried_again_after_the_time_asked_for() -> None:
    answers = answer(503), answer(429, Retry_After="7"), answer(200, "{}")
    async with Scripted(*answers) as server:
        assert await asked(server) == ({}, [0.5, 7.0])


async def test_a_wait_too_long_is_left_to_the_caller() -> None:
    async with Scripted(answer(429, Retry_After="3600")) as server:
        error = await refused(server)
    assert (error.category, error.retry_after_seconds, len(server.asked)) == ("rate-limited", 3600, 1)


@pytest.mark.parametrize(
    ("status", "category", "attempts"),
    [(400, "refused", 1), (401, "authentication", 1), (403, "authentication", 1), (404, "not-found", 1),
     (422, "refused", 1), (302, "refused", 1), (500, "transient", 3), (502, "transient", 3)],
)  # fmt: skip
async def test_a_status_tells_who_is_to_blame(status: int, category: str, attempts: int) -> None:
    async with Scripted(answer(status, '{"error": {"message": "because"}}', Location="/elsewhere")) as server:
        error = await refused(server)
    assert (error.category, len(server.asked)) == (category, attempts)
    assert "Store at http://127.0.0.1" in str(error)
    assert ("because" in str(error)) is (status != 302)


async def test_codes_of_the_store_can_say_more_than_the_status() -> None:
    def words(content: Any) -> tuple[str, str]:
        return content["text"], content["kind"]

    async with Scripted(answer(400, '{"text": "busy", "kind": "try-later"}'), answer(200, "{}")) as server:
        assert await asked(server, words=words, categories={"try-later": "transient"}) == ({}, [0.5])


async def test_a_broken_answer_is_transient() -> None:
    async with Scripted(broken(b'{"a', 100), answer(200, "{}")) as server:
        assert (await asked(server))[0] == {}


async def test_an_answer_without_sense_is_malformed() -> None:
    async with Scripted(answer(200, "<html>")) as server:
        assert (await refused(server)).category == "malformed"


async def test_what_must_not_be_repeated_is_sent_once() -> None:
    async with Scripted(answer(503)) as server:
        client = StoreClient("Store", server.address)
        await client.start()
        with pytest.raises(ServiceError):
            await client.post("/insert", {}, repeat=False)
        await client.close()
    assert len(server.asked) == 1


async def test_nobody_listening_is_transient_and_says_where() -> None:
    async with Scripted(answer(200)) as server:
        pass
    error = await refused(server)
    assert error.retryable
    assert "cannot be reached" in str(error)


async def test_secrets_are_not_repeated() -> None:
    login = ("me", "hunter2hunter2")
    async with Scripted(answer(401, '{"message": "no user with hunter2hunter2 or s3cr3t-key"}')) as server:
        error = await refused(server, login=login, secrets=("hunter2hunter2", "s3cr3t-key"))
    assert "hunter2" not in str(error)
    assert "s3cr3t" not in str(error)
    assert "hunter2" not in repr(StoreClient("Store", "http://x", login=login, secrets=login))


async def test_every_attempt_is_signed_anew() -> None:
    async def sign(request: Request) -> Mapping[str, str]:
        return {"Signature": f"{request.method} {len(request.body)} {len(server.asked)}"}

    async with Scripted(answer(503), answer(200, "{}")) as server:
        await asked(server, authorize=sign)
    assert [headers["Signature"] for headers in server.headers] == ["POST 7 0", "POST 7 1"]


async def test_queries_and_names_are_encoded() -> None:
    async with Scripted(answer(200, "{}")) as server:
        client = StoreClient("Store", server.address + "/base/", limits=Limits(connections=1))
        await client.start()
        await client.get(f"/index/{segment('a b/?ü')}", {"q": "x&y", "none": None, "n": 5})
        await client.close()
    assert server.asked == [("GET", "/base/index/a%20b%2F%3F%C3%BC?q=x%26y&n=5")]


def test_lines_are_newline_delimited_json() -> None:
    assert lines([{"a": "ü\n"}, [1]]) == '{"a":"ü\\n"}\n[1]\n'.encode()

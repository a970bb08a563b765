"""Tokens of service accounts, and what only Google's store does."""

from __future__ import annotations

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy
from langstream.services.objects.google import GoogleStore
from langstream.services.objects.google_token import ServiceAccount, Tokens
from tests.services.objects.benches import GoogleBench
from tests.services.objects.google_server import GoogleServer
from tests.services.objects.test_failures import no_sleep


async def listed(store: GoogleStore) -> list[str]:
    """All names."""
    return [stored.name async for page in store.pages("", recursive=True) for stored in page]


async def test_one_token_serves_many_requests(google: GoogleServer) -> None:
    store = GoogleBench(google).store()
    await store.start()
    assert await listed(store) == await listed(store) == []
    await store.close()
    assert google.tokens == ["token-0"]


async def test_a_token_that_is_about_to_end_is_replaced(google: GoogleServer) -> None:
    import aiohttp

    now = 1_000_000.0
    tokens = Tokens(ServiceAccount.parse(google.account()), clock=lambda: now)
    async with aiohttp.ClientSession() as session:
        assert await tokens.current(session) == "token-0"
        now += 3400
        assert await tokens.current(session) == "token-0"
        now += 100
        assert await tokens.current(session) == "token-1"


def test_a_refused_token_is_replaced_unless_it_is_fresh(google: GoogleServer) -> None:
    now = 1_000_000.0
    tokens = Tokens(ServiceAccount.parse(google.account()), clock=lambda: now)
    tokens._token, tokens._since = "used", now
    assert tokens.refused("an older one")
    assert not tokens.refused("used")
    now += 60
    assert tokens.refused("used")


async def test_a_revoked_account_is_an_authentication_failure(google: GoogleServer) -> None:
    bench = GoogleBench(google)
    store = GoogleStore(
        bench.bucket, ServiceAccount.parse(google.account()), google.address, RetryPolicy(sleep=no_sleep)
    )
    await store.start()
    google.valid.clear()
    with pytest.raises(ServiceError, match=r"Invalid Credentials.*roles of the account") as caught:
        await listed(store)
    await store.close()
    assert caught.value.category == "authentication"


async def test_a_wrong_key_is_an_authentication_failure_without_the_key(google: GoogleServer) -> None:
    other = GoogleServer().account(token_uri=f"{google.address}/token")
    account = ServiceAccount.parse(other)
    store = GoogleStore("bucket", account, google.address)
    with pytest.raises(ServiceError, match=r"Bad signature. Check service-account-json") as caught:
        await store.start()
    await store.close()
    assert caught.value.category == "authentication"
    assert "PRIVATE KEY" not in str(caught.value) + repr(account)


async def test_a_private_key_that_lost_its_line_breaks_is_named(google: GoogleServer) -> None:
    store = GoogleStore("bucket", ServiceAccount.parse(google.account(private_key="-----BEGIN x")), google.address)
    with pytest.raises(ServiceError, match="not an RSA key in PEM form"):
        await store.start()
    await store.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "not JSON"),
        ("[]", "not a service account's key"),
        ('{"type": "authorized_user"}', "type service_account"),
        ('{"client_email": "a@b"}', "it has no private_key"),
    ],
)
def test_what_is_no_key_file_is_refused_without_being_quoted(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        ServiceAccount.parse(text)
    assert text not in str(caught.value)


async def test_a_bucket_without_a_project_cannot_be_made(google: GoogleServer) -> None:
    store = GoogleStore("nowhere", ServiceAccount.parse(google.account(project_id="")), google.address)
    with pytest.raises(ServiceError, match=r"gs://nowhere does not exist.*project_id"):
        await store.start()
    await store.close()


async def test_a_forbidden_bucket_is_told_when_it_is_listed(google: GoogleServer) -> None:
    google.forbidden_buckets.add("closed")
    store = GoogleStore("closed", ServiceAccount.parse(google.account()), google.address)
    await store.start()
    with pytest.raises(ServiceError, match="forbidden: the account has no access"):
        await listed(store)
    await store.close()

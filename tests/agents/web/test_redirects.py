"""Where redirects lead, and what goes along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from langstream.agents.web.redirects import redirected
from langstream.agents.web.request import Request
from langstream.errors import ServiceError
from tests.agents.web.conftest import FACT, Bench, Page, Site, page

NAME = "http-request"
SECRET = {"Authorization": "Bearer t", "X-Api-Key": "k", "Cookie": "c=1", "Host": "a.test", "Accept": "text/html"}


def moved(location: str, status: int = 302, *cookies: str) -> Page:
    async def answer(_: web.Request) -> web.StreamResponse:
        response = web.Response(status=status, headers={"Location": location})
        for cookie in cookies:
            response.headers.add("Set-Cookie", cookie)
        return response

    return answer


async def asked(bench: Bench, **options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return await bench.outcome(NAME, {"url": "{site}/from", "output-field": "value.r", **named})


async def test_redirects_are_followed(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/json")
    site.pages["/json"] = page({"a": 1})
    (stored,) = await asked(bench)
    assert json.loads(stored.value())["r"] == {"a": 1}


async def test_redirects_are_the_answer_if_they_are_not_allowed(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/json")
    (stored,) = await asked(bench, allow_redirects=False)
    assert json.loads(stored.value())["r"] == ""
    assert len(site.requests) == 1


async def test_redirects_in_a_circle_end(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/from")
    outcome = await asked(bench)
    assert isinstance(outcome, ServiceError)
    assert "circle" in str(outcome)
    assert len(site.requests) == 11


@pytest.mark.parametrize(
    ("status", "method", "following", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (301, "PUT", "PUT", b"text"),
        (307, "POST", "POST", b"text"),
        (308, "POST", "POST", b"text"),
        (303, "HEAD", "HEAD", b""),
    ],
)
async def test_method_and_body_of_what_follows(
    bench: Bench, site: Site, status: int, method: str, following: str, body: bytes
) -> None:
    site.pages["/from"] = moved("/to", status)
    site.pages["/to"] = page("ok")
    sent = None if method == "HEAD" else "text"
    await asked(bench, method=method, body=sent, headers={"Content-Type": "text/plain", "Accept": "text/html"})
    asked_for, path, headers, got = site.requests[1]
    assert (asked_for, path, got) == (following, "/to", body)
    assert headers["accept"] == "text/html"
    assert ("content-type" in headers) == (following == method)


@pytest.mark.parametrize(
    ("origin", "target", "shared"),
    [
        ("http://a.test/x", "http://a.test/y", True),
        ("http://a.test/x", "https://a.test/y", True),
        ("http://a.test/x", "http://b.test/y", False),
        ("http://a.test/x", "http://a.test:8080/y", False),
        ("http://a.test:8080/x", "https://a.test/y", False),
    ],
)
def test_credentials_stay_with_their_server(origin: str, target: str, shared: bool) -> None:
    following = redirected(Request("GET", origin, SECRET), 302, target)
    assert following is not None
    assert following.headers == (SECRET if shared else {"Accept": "text/html"})


@pytest.mark.parametrize("location", ["http://a.test/y", "ftp://a.test/y", "file:///etc/passwd"])
def test_unprotected_places_are_not_gone_to(location: str) -> None:
    with pytest.raises(ServiceError, match="not followed") as caught:
        redirected(Request("GET", "https://a.test/x?token=t"), 302, location)
    assert caught.value.retryable is False
    assert "token" not in str(caught.value)


def test_a_place_that_is_no_address_is_refused() -> None:
    with pytest.raises(ServiceError, match="no valid address"):
        redirected(Request("GET", "http://a.test/x"), 302, "http://[broken/")


@pytest.mark.parametrize(("status", "location"), [(200, "/y"), (304, "/y"), (302, None), (302, "")])
def test_other_answers_are_no_redirects(status: int, location: str | None) -> None:
    assert redirected(Request("GET", "http://a.test/x"), status, location) is None


def test_a_user_named_by_the_redirect_is_left_out() -> None:
    following = redirected(Request("GET", "http://a.test/x", SECRET), 302, "http://eve:pw@a.test/y")
    assert following is not None
    assert following.url == "http://a.test/y"


def test_a_relative_place_keeps_its_encoding() -> None:
    following = redirected(Request("GET", "http://a.test/x/y?q=1"), 302, "../z%2F?p=%2B ü#part")
    assert following is not None
    assert following.url == "http://a.test/z%2F?p=%2B+%C3%BC"


# --- cookies


async def test_cookies_of_a_redirect_go_along_and_no_further(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/echo", 302, "sid=s1; Path=/", "other=o; Path=/elsewhere")
    agent = await bench.start(NAME, {"url": "{site}/from", "output-field": "value", "headers": {"Cookie": "mine=1"}})
    for _ in range(2):
        ((stored,),) = await agent.process_batch([FACT])
        assert json.loads(stored.value())["h"]["cookie"] == "mine=1; sid=s1"
    assert [headers["cookie"] for _, path, headers, _ in site.requests if path == "/from"] == ["mine=1"] * 2


async def test_cookies_are_left_alone_on_request(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/echo", 302, "sid=s1; Path=/")
    (stored,) = await asked(bench, handle_cookies=False)
    assert "cookie" not in json.loads(stored.value())["r"]["h"]


async def test_a_cookie_of_another_path_stays_behind(bench: Bench, site: Site) -> None:
    site.pages["/from"] = moved("/echo", 302, "sid=s1; Path=/elsewhere")
    (stored,) = await asked(bench)
    assert "cookie" not in json.loads(stored.value())["r"]["h"]

"""The web page, used with a real browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apps.application import RunningApp

MARKUP = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"


def connected(page: Any) -> None:
    page.wait_for("!document.getElementById('question').disabled")


def test_a_question_is_answered_in_one_streamed_message(open_page: Any) -> None:
    page = open_page()
    connected(page)
    page.type("#question", "hello there", enter=True)
    page.wait_for("document.querySelector('li.answer:not(.open)')?.innerText === 'You said hello there'")
    assert page.text("li.you") == "hello there"
    assert page.evaluate("document.querySelectorAll('li.answer').length") == 1
    assert page.evaluate("document.getElementById('question').value") == ""
    assert page.errors == []


def test_markup_in_records_stays_text(open_page: Any) -> None:
    page = open_page()
    connected(page)
    page.type("#question", MARKUP, enter=True)
    page.wait_for("document.querySelector('li.answer:not(.open)')")
    assert page.text("li.answer") == f"You said {MARKUP}"
    assert page.evaluate("document.querySelectorAll('#messages b, #messages img').length") == 0
    assert page.evaluate("document.title") == "talking · LangStream"


def test_markdown_becomes_elements_and_its_markup_stays_text(open_page: Any) -> None:
    page = open_page()
    connected(page)
    page.click("#markdown")
    page.type("#question", f"**loud** `code` [no](javascript:alert(1)) {MARKUP}", enter=True)
    page.wait_for("document.querySelector('li.answer:not(.open) strong')")
    assert page.text("li.answer strong") == "loud"
    assert page.text("li.answer code") == "code"
    assert page.evaluate("document.querySelectorAll('#messages a, #messages b, #messages img').length") == 0


def test_each_tab_sees_its_own_conversation(open_page: Any) -> None:
    one, other = open_page(), open_page()
    connected(one)
    connected(other)
    one.type("#question", "mine", enter=True)
    one.wait_for("document.querySelector('li.answer:not(.open)')")
    other.type("#question", "yours", enter=True)
    other.wait_for("document.querySelector('li.answer:not(.open)')")
    assert other.evaluate("document.querySelectorAll('li.answer').length") == 1


def test_a_pair_of_gateways_takes_key_and_headers_and_shows_raw_records(open_page: Any) -> None:
    page = open_page()
    page.choose("#sender", "in (produce)")
    page.choose("#receiver", "out (consume)")
    page.click("#raw")
    page.click("#connect")
    page.wait_for("[...document.querySelectorAll('li.note')].some((each) => each.innerText.includes('out'))")
    connected(page)
    page.click("#more-toggle")
    page.type("#key", "k1")
    page.type("#headers", "colour=red, size=large")
    page.type("#question", "x", enter=True)
    page.wait_for("document.querySelectorAll('li.raw').length === 3")
    frame = json.loads(page.text("li.raw"))
    assert frame["record"]["key"] == "k1"
    assert frame["record"]["headers"]["colour"] == "red"
    assert "key k1" in page.text("li.you")


def test_a_service_is_called_and_its_answer_streamed(open_page: Any) -> None:
    page = open_page()
    page.choose("#sender", "ask (service)")
    page.click("#connect")
    connected(page)
    page.type("#question", "service", enter=True)
    page.wait_for("document.querySelector('li.answer:not(.open)')?.innerText === 'You said service'")


def test_a_gateway_with_authentication_asks_for_credentials_and_says_why_it_refuses(open_page: Any) -> None:
    page = open_page()
    page.choose("#sender", "nothing")
    page.choose("#receiver", "locked (consume)")
    assert page.evaluate("document.getElementById('login').hidden") is False
    page.click("#connect")
    page.wait_for("document.querySelector('li.problem')?.innerText.includes('credentials are required')")


def test_the_plan_is_a_picture_with_nodes_topics_and_gateways(open_page: Any) -> None:
    page = open_page("#plan")
    page.wait_for("document.querySelector('svg.picture')")
    shown = page.evaluate("[...document.querySelectorAll('svg.picture text.title')].map((each) => each.textContent)")
    assert {"talk", "in", "questions", "talker", "answers", "questions-deadletter", "out"} <= set(shown)
    assert page.evaluate("document.querySelector('svg.picture .node').getAttribute('class')") == "node running"
    assert page.evaluate("document.querySelectorAll('svg.picture .edge.dead').length") == 1


def test_the_nodes_are_counted(open_page: Any) -> None:
    page = open_page()
    connected(page)
    before = int(page.evaluate("document.querySelector('#nodes tr').children[2].textContent"))
    page.type("#question", "count me", enter=True)
    page.wait_for(f"Number(document.querySelector('#nodes tr').children[2].textContent) > {before}")
    assert page.text("#state") == "running"


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/page.css"])
def test_only_the_page_itself_may_run_scripts(app: RunningApp, path: str) -> None:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{app.control_port}{path}", timeout=30) as response:
        policy = response.headers["content-security-policy"]
        text = response.read().decode()
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "https://" not in text

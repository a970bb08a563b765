"""Requests made of records, and what of the answers is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langstream.errors import RecordError, ServiceError
from langstream.records import SimpleRecord
from langstream.templates import TemplateError
from tests.agents.web.conftest import FACT, TEXT, Bench, Site, page

NAME = "http-request"


async def result(bench: Bench, path: str, record: SimpleRecord = FACT, **options: Any) -> SimpleRecord:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    outcome = await bench.outcome(NAME, {"url": "{site}" + path, "output-field": "value.r", **named}, record)
    assert not isinstance(outcome, Exception), outcome
    (stored,) = outcome
    assert isinstance(stored, SimpleRecord)
    return stored


async def echoed(bench: Bench, path: str = "/echo", record: SimpleRecord = FACT, **options: Any) -> dict[str, Any]:
    stored = await result(bench, path, record, **options)
    seen = json.loads(stored.value())["r"]
    assert isinstance(seen, dict)
    return seen


# --- answers


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ('{"a":1,"b":[1]}', {"a": 1, "b": [1]}),
        (' {"a": 12345678901234567890} ', {"a": 12345678901234567890}),
        ("[1,2]", "[1,2]"),
        ("plain text", "plain text"),
        ("", ""),
        ("null", None),
        ('"quoted"', '"quoted"'),
        ("5", "5"),
        ('{"broken', '{"broken'),
        ("\ufeff{}", {}),
    ],
)
async def test_an_object_is_stored_as_one_and_all_else_as_text(
    bench: Bench, site: Site, body: str, stored: object
) -> None:
    site.pages["/x"] = page(body)
    found = await result(bench, "/x")
    assert json.loads(found.value()) == {"q": "a b&c", "n": 1, "r": stored}
    assert (found.key(), found.headers(), found.origin(), found.timestamp()) == ("k1", [("p", "1")], "in", 5)


@pytest.mark.parametrize(("body", "value"), [('{"a":1}', '{"a":1}'), ("plain text", "plain text")])
async def test_the_answer_may_take_the_place_of_the_value(bench: Bench, site: Site, body: str, value: str) -> None:
    site.pages["/x"] = page(body)
    assert (await result(bench, "/x", output_field="value")).value() == value
    assert (await result(bench, "/x", TEXT, output_field="value")).value() == value


async def test_the_answer_may_be_a_header(bench: Bench, site: Site) -> None:
    site.pages["/x"] = page('{"a":1, "b":[1]}')
    found = await result(bench, "/x", output_field="properties.r")
    assert found.value() == FACT.value()
    assert found.headers() == [("p", "1"), ("r", '{"a":1,"b":[1]}')]


async def test_objects_that_did_not_come_as_text_stay_objects(bench: Bench, site: Site) -> None:
    site.pages["/x"] = page({"a": 1})
    assert (await result(bench, "/x", SimpleRecord({"n": 1}))).value() == {"n": 1, "r": {"a": 1}}


async def test_text_is_read_by_the_character_set_of_the_answer(bench: Bench, site: Site) -> None:
    site.pages["/latin"] = page("größer".encode("latin-1"), content_type="text/plain; charset=iso-8859-1")
    site.pages["/odd"] = page("größer", content_type="text/plain; charset=martian")
    for path in ("/latin", "/odd"):
        assert (await result(bench, path, output_field="value")).value() == "größer"


async def test_a_record_without_a_place_for_the_answer_is_never_asked_about(bench: Bench, site: Site) -> None:
    outcome = await bench.outcome(NAME, {"url": "{site}/echo", "output-field": "value.r"}, TEXT)
    assert isinstance(outcome, RecordError)
    assert "not structured" in str(outcome)
    assert outcome.retryable is False
    assert site.requests == []


# --- requests


async def test_without_options_it_is_a_bare_get(bench: Bench) -> None:
    seen = await echoed(bench)
    assert (seen["m"], seen["path"], seen["body"]) == ("GET", "/echo", "")
    assert "content-type" not in seen["h"]
    assert seen["h"]["user-agent"] == "langstream"


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        ("/echo", {"a": "{{ value.q }}"}, "/echo?a=a+b%26amp%3Bc"),
        ("/echo", {"a": "{{{ value.q }}}"}, "/echo?a=a+b%26c"),
        ("/echo", {"name": "{{{ value.q }}}", "count": 1}, "/echo?name=a+b%26c&count=1"),
        ("/echo", {"my key": "v", "ü&": "=é"}, "/echo?my+key=v&%C3%BC%26=%3D%C3%A9"),
        ("/echo?x=1", {"a": "1"}, "/echo?x=1&a=1"),
        ("/echo?", {"a": "1"}, "/echo?a=1"),
        ("/echo?x=%2B+%20&", {"a": "1"}, "/echo?x=%2B+%20&a=1"),
        ("/echo#part", {"a": "1"}, "/echo?a=1"),
        ("/echo?x=1#part", {}, "/echo?x=1"),
    ],
)
async def test_the_query_is_encoded_after_it_is_filled_in(
    bench: Bench, path: str, query: dict[str, Any], sent: str
) -> None:
    assert (await echoed(bench, path, query_string=query))["path"] == sent


async def test_method_headers_and_body_are_sent_as_configured(bench: Bench) -> None:
    seen = await echoed(
        bench,
        method="post",
        headers={"Content-Type": "application/json", "X-User": "{{ properties.p }}", "X-Number": 7, "Host": "api.test"},
        body='{"v":"{{{ value.q }}}"}',
    )
    assert (seen["m"], seen["body"]) == ("POST", '{"v":"a b&c"}')
    sent = {name: seen["h"].get(name) for name in ("content-type", "x-user", "x-number", "host", "content-length")}
    assert sent == {
        "content-type": "application/json",
        "x-user": "1",
        "x-number": "7",
        "host": "api.test",
        "content-length": "13",
    }


async def test_a_body_is_sent_with_any_method_and_its_type_is_not_guessed(bench: Bench) -> None:
    seen = await echoed(bench, body="é")
    assert (seen["m"], seen["body"]) == ("GET", "é")
    assert "content-type" not in seen["h"]


async def test_the_user_of_the_address_is_sent_as_authorization(bench: Bench, site: Site) -> None:
    options = {"url": site.url.replace("//", "//ann:p%40ss@") + "/echo", "output-field": "value.r"}
    agent = await bench.start(NAME, options)
    ((stored,),) = await agent.process_batch([FACT])
    assert json.loads(stored.value())["r"]["h"]["authorization"] == "Basic YW5uOnBAc3M="
    assert agent.info() == {"url": f"{site.url}/echo"}


async def test_a_configured_authorization_goes_before_the_user_of_the_address(bench: Bench, site: Site) -> None:
    url = site.url.replace("//", "//ann:pass@") + "/echo"
    options = {"url": url, "output-field": "value.r", "headers": {"authorization": "Bearer t"}}
    ((stored,),) = await (await bench.start(NAME, options)).process_batch([FACT])
    assert json.loads(stored.value())["r"]["h"]["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"body": "{{ value.zz }}"}, "body"),
        ({"headers": {"X-A": "{{ value.zz }}"}}, "header X-A"),
        ({"query-string": {"b": "{{ value.zz }}"}}, "query-string b"),
    ],
)
async def test_a_template_that_lacks_a_value_fails_its_record(
    bench: Bench, site: Site, options: dict[str, Any], place: str
) -> None:
    outcome = await bench.outcome(NAME, {"url": "{site}/echo", "output-field": "value.r", **options})
    assert isinstance(outcome, RecordError)
    assert isinstance(outcome.__cause__, TemplateError)
    assert outcome.retryable is False
    assert str(outcome).startswith(f"{place}: ")
    assert site.requests == []


@pytest.mark.parametrize("text", ["a\r\nX-Admin: yes", "a\nb", "a\x00b"])
async def test_a_record_cannot_smuggle_headers_in(bench: Bench, site: Site, text: str) -> None:
    options = {"url": "{site}/echo", "output-field": "value.r", "headers": {"X-A": "{{{ value.t }}}"}}
    outcome = await bench.outcome(NAME, options, SimpleRecord({"t": text}))
    assert isinstance(outcome, RecordError)
    assert "header X-A" in str(outcome)
    assert site.requests == []


async def test_headers_are_utf_8_and_stripped(bench: Bench, site: Site) -> None:
    options = {"url": "{site}/echo", "output-field": "value.r", "headers": {"X-A": "{{{ value.t }}}"}}
    assert not isinstance(await bench.outcome(NAME, options, SimpleRecord({"t": " grün \n"})), Exception)
    assert site.requests[0][2]["x-a"] == "grün"


# --- batches


async def test_the_records_of_a_batch_do_not_affect_each_other(bench: Bench, site: Site) -> None:
    site.pages["/bad"] = page("no", 500)
    agent = await bench.start(
        NAME, {"url": "{site}/echo", "output-field": "value.r", "query-string": {"a": "{{ value.n }}"}}
    )
    good, bad, other = await agent.process_batch([FACT, SimpleRecord('{"m":1}'), FACT])
    assert isinstance(bad, RecordError)
    assert not isinstance(good, Exception)
    assert not isinstance(other, Exception)


@pytest.mark.parametrize(("method", "ordering"), [("get", "emission"), ("HEAD", "emission"), ("POST", "serial")])
async def test_only_requests_that_change_nothing_overtake_others_of_their_key(
    bench: Bench, method: str, ordering: str
) -> None:
    agent = await bench.start(NAME, {"url": "{site}/x", "output-field": "value.r", "method": method})
    assert agent.batching.ordering == ordering


async def test_an_answer_without_end_is_refused(bench: Bench, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.agents.web.client.LONGEST_ANSWER", 2**20)
    site.pages["/long"] = page("x" * (2**20 + 1))
    site.pages["/fits"] = page("x" * 2**20)
    outcome = await bench.outcome(NAME, {"url": "{site}/long", "output-field": "value"})
    assert isinstance(outcome, ServiceError)
    assert (outcome.category, outcome.retryable) == ("too-long", False)
    assert len((await result(bench, "/fits", output_field="value")).value()) == 2**20

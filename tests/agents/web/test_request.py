"""Laws of the address that a request goes to."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.web.request import RequestTemplate
from langstream.agents.working_record import WorkingRecord
from langstream.records import SimpleRecord

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=5, unique_by=lambda pair: pair[0]))
def test_a_server_reads_the_query_as_it_was_meant(pairs: list[tuple[str, str]]) -> None:
    working = WorkingRecord(SimpleRecord({str(index): text for index, (_, text) in enumerate(pairs)}))
    query = {name: f"{{{{{{ value.{index} }}}}}}" for index, (name, _) in enumerate(pairs)}
    url = RequestTemplate("GET", "http://h/p?first=1", query=query).render(working).url
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == [("first", "1"), *pairs]
    assert url.isascii()


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://h", "http://h/"),
        ("http://h/a%2Fb c", "http://h/a%2Fb%20c"),
        ("http://h/é?x=%2B+a%20b", "http://h/%C3%A9?x=%2B+a%20b"),
        ("http://ü.test/", "http://xn--tda.test/"),
        ("http://u:p@h:81/x#y", "http://h:81/x"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
    ],
)
def test_addresses_are_encoded_without_changing_what_they_say(written: str, sent: str) -> None:
    assert RequestTemplate("GET", written).render(WorkingRecord(SimpleRecord("x"))).url == sent


def test_a_request_shows_no_secrets() -> None:
    template = RequestTemplate("POST", "http://u:p@h/?key=k", {"X-Api-Key": "k2"}, body="b3")
    assert repr(template.render(WorkingRecord(SimpleRecord("x")))) == "Request(method='POST')"

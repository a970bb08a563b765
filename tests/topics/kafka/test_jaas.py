"""Java's lines of credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.topics.kafka.jaas import parse_jaas

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def test_module_and_options_are_read() -> None:
    entry = parse_jaas(f'{PLAIN} required username="u" password="p w";')
    assert (entry.module, entry.name) == (PLAIN, "PlainLoginModule")
    assert entry.options == {"username": "u", "password": "p w"}


def test_single_quotes_bare_words_and_lines_are_understood() -> None:
    entry = parse_jaas("x.Krb5LoginModule required\n  useKeyTab=true\n  keyTab='/a b/c'\n;")
    assert entry.options == {"useKeyTab": "true", "keyTab": "/a b/c"}


@given(password=st.text())
def test_any_password_survives_quoting(password: str) -> None:
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_jaas(f'{PLAIN} required username="u" password="{quoted}";').options["password"] == password


@pytest.mark.parametrize(
    "text", ["", "PlainLoginModule", f"{PLAIN} required username", f'{PLAIN} required password="x']
)
def test_what_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"login module|options are written"):
        parse_jaas(text)


def test_passwords_stay_out_of_errors_and_representations() -> None:
    assert "secret" not in repr(parse_jaas(f'{PLAIN} required password="secret";'))
    with pytest.raises(ValueError) as raised:
        parse_jaas(f'{PLAIN} required username="u" password="secret')
    assert "secret" not in str(raised.value)

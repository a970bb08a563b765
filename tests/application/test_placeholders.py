"""Placeholders keep types, reach everywhere, and say what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.application.placeholders import Placeholders, Unresolved

CONTEXT = Placeholders(
    globals={
        "number": 123,
        "text": "xxx",
        "list": [1, 2],
        "map": {"two": 2, "one": 1},
        "flag": True,
        "deep": {"er": {"name": "found"}},
        "derived": "${globals.text}-${secrets.open-ai.key}",
        "chain": ["${globals.derived}"],
        "circle": "${globals.back}",
        "back": "a ${globals.circle}",
        "server": "${cluster.configuration.admin.host}",
        "whole": "${globals.deep}",
    },
    secrets={"open-ai": {"key": "s${globals.text}"}},
    cluster={"type": "kafka", "configuration": {"admin": {"host": "h:${globals.number}"}}},
)


def resolved(value: Any) -> Any:
    problems: list[Any] = []
    result = CONTEXT.resolve(value, problems)
    assert problems == []
    return result


def failure(text: str) -> str:
    with pytest.raises(Unresolved) as caught:
        CONTEXT.text(text)
    return f"{caught.value.message} {caught.value.hint or ''}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${globals.number}", 123),
        ("${  globals.number  }", 123),
        (" ${globals.number} ", 123),
        ("${globals.list}", [1, 2]),
        ("${globals.map}", {"one": 1, "two": 2}),
        ("${globals.flag}", True),
        ("${globals.deep.er.name}", "found"),
        ("${globals.number}-${globals.text}", "123-xxx"),
        ("${globals.number}-${globals.list}", "123-[1,2]"),
        ("${globals.number}-${globals.map}", '123-{"one":1,"two":2}'),
        ("is ${globals.flag}", "is true"),
        ("${globals.absent}", None),
        ("[${globals.absent}]", "[]"),
        ("${globals.deep.absent}", None),
        ("${cluster.type}", "kafka"),
        ("{{globals.number}}", "123"),
        ("{{{ globals.list }}}", "[1,2]"),
        ("{{secrets.open-ai.key}}!", "s${globals.text}!"),
        ("{{something.foo.bar}}", "{{something.foo.bar}}"),
        ("{{globals.number}} {{ value.x }}", "{{globals.number}} {{ value.x }}"),
        ("${globals.number} {{ globals.text }}", "123 {{ globals.text }}"),
        ("{{ value }}", "{{ value }}"),
        ("no placeholder $ { }", "no placeholder $ { }"),
    ],
)
def test_what_a_text_stands_for(text: str, value: object) -> None:
    assert CONTEXT.text(text) == value


def test_globals_may_use_globals_secrets_and_the_cluster() -> None:
    assert resolved("${globals.derived}") == "xxx-s${globals.text}"
    assert resolved("${globals.chain}") == ["xxx-s${globals.text}"]
    assert resolved("${globals.server}") == "h:123"
    assert resolved("${globals.whole.er.name}") == "found"


def test_secrets_are_taken_as_they_are() -> None:
    assert resolved("${secrets.open-ai.key}") == "s${globals.text}"


def test_a_circle_of_globals_is_refused() -> None:
    assert "refers to itself" in failure("${globals.circle}")


def test_mappings_and_lists_are_walked_but_keys_stay() -> None:
    assert resolved({"${globals.text}": ["${globals.number}", {"a": "${globals.text}"}], "b": 1}) == {
        "${globals.text}": [123, {"a": "xxx"}],
        "b": 1,
    }


def test_a_missing_secret_is_named_with_its_reference() -> None:
    message = failure("Bearer ${secrets.openai.key}")
    assert "Cannot resolve reference 'secrets.openai.key'" in message
    assert "Did you mean 'open-ai'?" in message


def test_without_secrets_the_option_for_the_file_is_named() -> None:
    with pytest.raises(Unresolved) as caught:
        Placeholders().text("${secrets.a.b}")
    assert "-s" in (caught.value.hint or "")


def test_a_path_through_a_scalar_is_refused() -> None:
    assert "'globals.number' holds no members" in failure("${globals.number.x}")


def test_an_environment_variable_in_an_application_file_gets_advice() -> None:
    assert "Environment variables" in failure("${HOME}")


@pytest.mark.parametrize("text", ["${globals.number", "a ${globals.number} ${", "${globals.${globals.text}"])
def test_a_placeholder_without_end_is_refused(text: str) -> None:
    assert "has no end" in failure(text)


def test_every_unresolved_placeholder_is_told_and_stays() -> None:
    problems: list[Any] = []
    value = CONTEXT.resolve(["${secrets.a.b}", "${globals.text}", {"x": "${nope.y}"}], problems)
    assert value == ["${secrets.a.b}", "xxx", {"x": "${nope.y}"}]
    assert len(problems) == 2


def test_what_cannot_be_known_stays_without_a_problem() -> None:
    problems: list[Any] = []
    placeholders = Placeholders(unknown=frozenset({"secrets"}))
    assert placeholders.resolve("${secrets.a.b}", problems) == "${secrets.a.b}"
    assert problems == []


@given(st.text(alphabet="abc {}:.-$\n", max_size=30).filter(lambda text: "${" not in text and "{{" not in text))
def test_text_without_placeholders_is_never_changed(text: str) -> None:
    assert CONTEXT.text(text) == text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_a_whole_placeholder_is_the_value_itself(value: object) -> None:
    assert Placeholders({"x": value}).text("${globals.x}") == value

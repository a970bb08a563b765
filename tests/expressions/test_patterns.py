"""Regular expressions of `fn:replace` and `fn:split`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.expressions import ExpressionError, ExpressionSyntaxError, compile_expression
from langstream.expressions.patterns import Pattern


def evaluate(text: str, **value: Any) -> Any:
    return compile_expression(text)(SimpleNamespace(value=value))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\d+", "a1b22", "a#b#"),
        (r"\d", "٣", "٣"),  # ASCII digits only
        (r"\D+", "a1é", "#1#"),
        (r"[\w&&[^b]]+", "abc", "#b#"),
        (r"[^\d]+", "1ab2", "1#2"),
        (r"[\D]", "1a", "1#"),
        (r"\p{Alpha}+", "ab1é", "#1é"),
        (r"\P{Digit}+", "12ab", "12#"),
        (r"\p{L}+", "aé1", "#1"),
        (r"\pL+", "aé1", "#1"),
        (r"\p{IsLatin}+", "aé1", "#1"),
        (r"\p{javaUpperCase}", "aB", "a#"),
        (r"[\p{Punct}a]", "a!b", "##b"),
        (r"\Qa.b\E+", "a.bbaxb", "#axb"),
        (r"\Q.", "a.", "a#"),
        (r"\h+", "a \u00a0b", "a#b"),
        (r"\R", "a\r\nb\nc", "a#b#c"),
        (r"\x{41}\x42", "AB", "#"),
        (r"a++b", "aab", "#"),
        (r"(?>a|ab)c", "abc", "abc"),
        (r"(?<first>.)\k<first>", "aab", "#b"),
        (r"(?i)ABC", "abc", "#"),
        (r"(?m)^b$", "a\nb", "a\n#"),
        (r"b\z", "ab", "a#"),
        (r"b\Z", "ab\n", "a#\n"),
        (r"[a--b]", "a-b", "###"),
        (r"[]a]", "]b", "#b"),
        (r"x*", "abc", "#a#b#c#"),
    ],
)
def test_patterns_have_the_syntax_of_the_original(pattern: str, text: str, expected: str) -> None:
    assert Pattern(pattern).replace(text, "#") == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$2-$1", "b-a"),
        ("$0$0", "abab"),
        ("${last}", "b"),
        (r"\$1", "$1"),
        (r"\\", "\\"),
        ("$11", "a1"),  # there is no group 11
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_replacements_refer_to_groups(template: str, expected: str) -> None:
    pattern = Pattern("(a)(?<last>b)")
    assert pattern.replace("ab", pattern.replacement(template)) == expected


def test_a_group_that_took_no_part_is_empty() -> None:
    pattern = Pattern("(a)|(b)")
    assert pattern.replace("ab", pattern.replacement("<$1$2>")) == "<a><b>"


@pytest.mark.parametrize("template", ["$3", "$", "$x", "${nobody}", "${", "end\\"])
def test_replacements_without_sense_are_refused(template: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        Pattern("(a)(b)").replacement(template)
    assert failed.value.kind == "bad-argument"


@pytest.mark.parametrize("pattern", ["(", "[", "a{99999999}", "(?<n>a", r"\p{Nonsense}", "*", "x" * 20_000])
def test_bad_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        Pattern(pattern)
    assert failed.value.kind == "bad-argument"


def test_a_bad_literal_pattern_is_found_when_the_expression_is_compiled() -> None:
    with pytest.raises(ExpressionSyntaxError, match="not a regular expression"):
        compile_expression("fn:split(value.s, '(')")


def test_a_bad_pattern_in_the_data_is_an_error_of_the_record() -> None:
    with pytest.raises(ExpressionError) as failed:
        evaluate("fn:split(value.s, value.p)", s="abc", p="(")
    assert failed.value.kind == "bad-argument"


@pytest.mark.parametrize("text", ["fn:replace(value.s, value.p, '')", "fn:split(value.s, value.p)"])
def test_a_pattern_that_never_ends_is_stopped(text: str) -> None:
    with pytest.raises(ExpressionError, match="took more than") as failed:
        evaluate(text, s="a" * 60 + "b", p="(a|aa)+$")
    assert failed.value.kind == "regex-timeout"


@pytest.mark.parametrize(
    ("text", "pattern", "pieces"),
    [
        ("a,b,,c,,", ",", ["a", "b", "", "c"]),
        (",a", ",", ["", "a"]),
        (",,", ",", []),
        ("abc", "", ["a", "b", "c"]),
        ("abc", "(?=b)", ["a", "bc"]),
        ("aXbXc", "X", ["a", "b", "c"]),
        ("whole", ";", ["whole"]),
        ("a1b22c", "[0-9]+", ["a", "b", "c"]),
        (" a b", " ", ["", "a", "b"]),
    ],
)
def test_split_drops_empty_pieces_at_the_end_only(text: str, pattern: str, pieces: list[str]) -> None:
    assert evaluate("fn:split(value.t, value.p)", t=text, p=pattern) == pieces
    quoted = pattern.replace("'", "\\'")
    assert evaluate(f"fn:split(value.t, '{quoted}')", t=text) == pieces


@given(st.text(alphabet="ab,;", max_size=20), st.sampled_from([",", ";"]))
def test_splitting_at_a_plain_separator_and_at_the_same_pattern_agree(text: str, separator: str) -> None:
    plainly = evaluate(f"fn:split(value.t, '{separator}')", t=text)
    assert plainly == evaluate(f"fn:split(value.t, '[{separator}]')", t=text)
    assert plainly == evaluate("fn:split(value.t, value.p)", t=text, p=separator)

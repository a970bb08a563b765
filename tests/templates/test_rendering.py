"""What templates see and write."""

from __future__ import annotations

from collections import UserDict
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from langstream.agents.working_record import WorkingRecord
from langstream.errors import RecordError
from langstream.records import AvroValue, SimpleRecord
from langstream.templates import TemplateError, TemplateSyntaxError, compile_template


def render(text: str, **names: Any) -> str:
    return compile_template(text)(names)


def test_a_record_shows_its_parts() -> None:
    record = WorkingRecord(SimpleRecord('{"a":1}', "k", [("h", "x")], "in", 5))
    record.destination_topic = "out"
    text = "{{value.a}} {{key}} {{properties.h}} {{topicName}} {{eventTime}} {{destinationTopic}}"
    assert compile_template(text)(record) == "1 k x in 5 out"


def test_a_mapping_shows_its_entries() -> None:
    assert render("{{ record.text }}", record={"text": "abc"}) == "abc"
    assert compile_template("{{ a.b }}")(MappingProxyType({"a": {"b": 1}})) == "1"
    assert compile_template("{{ a }}{{# l }}{{ a }}{{/ l }}")(UserDict({"a": 1, "l": [{}, {}]})) == "111"


def test_attributes_an_object_lacks_are_missing() -> None:
    with pytest.raises(TemplateError, match="the variable key does not exist"):
        compile_template("{{ key }}")(SimpleNamespace(value=1))
    with pytest.raises(TemplateError, match="the variable other"):
        compile_template("{{ other }}")(SimpleNamespace(other=1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", ""),
        (1, "1"),
        (10**20, "100000000000000000000"),
        (1.0, "1.0"),
        (1e10, "10000000000.0"),
        (True, "true"),
        (False, "false"),
        (b"bytes", "bytes"),
        (Decimal("1.50"), "1.50"),
        ([1, "a", None, {"b": True}], '[1,"a",null,{"b":true}]'),
        ({}, "{}"),
        ((1, 2), "[1,2]"),
        ({"é": 1.0}, '{"é":1.0}'),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (date(2024, 1, 2), "2024-01-02"),
        (AvroValue({}, {"a": 1}), '{"a":1}'),
    ],
)
def test_values_are_printed_as_json_writes_them(value: Any, text: str) -> None:
    assert render("{{{ v }}}", v=value) == text
    assert render("{{# l }}{{{ . }}}{{/ l }}", l=[value]) == text


def test_members_of_avro_values_are_reached() -> None:
    value = AvroValue({}, {"n": {"x": 1}, "l": [{"t": "a"}]})
    assert render("{{ value.n.x }}{{# value.l }}{{ t }}{{/ value.l }}", value=value) == "1a"
    assert render("{{# value }}{{ n.x }}{{/ value }}", value=value) == "1"


@pytest.mark.parametrize("text", ["{{ value.x }}", "line one\n{{ value.y.z }}", "{{# value }}{{ nobody }}{{/ value }}"])
def test_a_missing_variable_is_an_error_that_names_it_and_its_line(text: str) -> None:
    with pytest.raises(TemplateError) as failed:
        render(text, value={"a": 1, "y": None})
    assert isinstance(failed.value, RecordError)
    assert failed.value.retryable is False
    assert f"template line {text.count(chr(10)) + 1}: the variable " in str(failed.value)
    assert "does not exist" in str(failed.value)


def test_null_is_an_error_too() -> None:
    with pytest.raises(TemplateError, match=r"line 1: the variable value\.n is null"):
        render("{{ value.n }}", value={"n": None})


def test_an_item_that_is_null_hides_the_name_further_out() -> None:
    with pytest.raises(TemplateError, match="the variable t is null"):
        render("{{# value }}{{# l }}{{ t }}{{/ l }}{{/ value }}", value={"t": "outer", "l": [{"t": None}]})


def test_a_value_without_a_text_is_an_error() -> None:
    with pytest.raises(TemplateError, match="template line 1: the variable v has no text"):
        render("{{ v }}", v={"f": len})
    with pytest.raises(TemplateError, match="the variable v has no text"):
        render("{{ v }}", v=10**5000)


def test_the_current_item_needs_a_section() -> None:
    for name in (".", "this"):
        with pytest.raises(TemplateError, match="none is open"):
            render(f"{{{{{name}}}}}", value=1)
        with pytest.raises(TemplateError, match="none is open"):
            render(f"{{{{#ok}}}}{{{{{name}}}}}{{{{/ok}}}}", ok=True)


def test_this_has_members() -> None:
    assert render("{{# l }}{{ this.a }}{{/ l }}", l=[{"a": 1}, {"a": 2}]) == "12"


def test_loop_variables_belong_to_the_innermost_list() -> None:
    text = "{{#l}}{{-index}}{{#-first}}F{{/-first}}{{#-last}}L{{/-last}}{{#m}}({{-index}}{{x}}){{/m}}{{/l}}"
    assert render(text, l=[{"m": {"x": "a"}}, {"m": [{"x": "b"}, {"x": "c"}]}]) == "1F(1a)2L(1b)(2c)"


def test_loop_variables_need_a_list() -> None:
    with pytest.raises(TemplateError, match="-index"):
        render("{{# m }}{{ -index }}{{/ m }}", m={})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "no"), (False, "no"), ([], "no"), (True, "yes"), (0, "yes"), ("", "yes"), ({}, "yes"), ([0], "yes")],
)
def test_null_false_and_empty_lists_are_nothing(value: Any, shown: str) -> None:
    assert render("{{# v }}yes{{/ v }}{{^ v }}no{{/ v }}", v=value) == shown


def test_the_inverse_of_a_section_inside_a_section_sees_the_item() -> None:
    assert render("{{# l }}{{^ a }}{{ b }}{{/ a }}{{/ l }}", l=[{"b": 1}, {"a": 1, "b": 2}]) == "1"


def test_standalone_tags_leave_no_empty_lines() -> None:
    text = "a\n  {{# l }}\n- {{ . }}\n  {{/ l }}\n{{! note }}\nb\n{{= <% %> =}}\n<% c %>"
    assert render(text, l=[1, 2], c="c") == "a\n- 1\n- 2\nb\nc"


def test_windows_line_ends_are_kept() -> None:
    assert render("a\r\n{{# t }}\r\nb\r\n{{/ t }}\r\nc", t=True) == "a\r\nb\r\nc"


def test_tags_that_share_a_line_leave_it_alone() -> None:
    assert render("{{# t }} {{/ t }}\nx {{# t }}\ny\n{{/ t }}", t=True) == " \nx \ny\n"


def test_the_old_syntax_is_read_on_demand() -> None:
    assert compile_template("{{% value }} {{ value }}", legacy=True)({"value": 1}) == "1 1"
    with pytest.raises(TemplateError, match=r"\{\{% is not a tag"):
        render("{{% value }}", value=1)


def test_text_without_tags_is_copied() -> None:
    for text in ("", "plain", "{ {a} }", '{"a": {"b": 1}}', "a }} b", "unclosed {{ a"):
        assert render(text) == text


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a\n{{# x }}b", "the section x, opened in line 2, is not closed", 2),
        ("{{/ x }}", "no section x is open here", 1),
        ("{{# a }}\n{{# b }}\n{{/ a }}", "expected {{/ b }} (opened in line 2), found {{/ a }}", 3),
        ("{{}}", "{{}} names nothing", 1),
        ("{{# }}{{/ }}", "names nothing", 1),
        ("{{{ }}}", "names nothing", 1),
        ("{{{ a }}", "the tag {{{ is not closed", 1),
        ("{{! a", "the tag {{! is not closed", 1),
        ("{{> p }}", "there are no partials", 1),
        ("{{= x =}}", "expected two new delimiters", 1),
        ("{{# a }}" * 60, "nest deeper", 1),
    ],
)
def test_a_text_that_is_no_template_is_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(TemplateSyntaxError) as refused:
        compile_template(text)
    assert message in str(refused.value)
    assert refused.value.line == line


def test_escaping_covers_everything_html_gives_a_meaning() -> None:
    assert (
        render("{{ v }}", v="<a href='x' b=\"`\">&é")
        == "&lt;a href&#x3D;&#39;x&#39; b&#x3D;&quot;&#x60;&quot;&gt;&amp;é"
    )
    assert render("{{& v }}{{{ v }}}", v="<&>") == "<&><&>"

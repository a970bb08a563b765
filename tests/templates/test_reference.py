"""Where the mustache specification leaves no choice, rendering agrees with chevron."""

from __future__ import annotations

import contextlib
from typing import Any

import chevron
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langstream.templates import TemplateError, TemplateSyntaxError, compile_template

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.text(alphabet='xy <&>"é', max_size=4)
SCALARS = st.one_of(TEXTS.filter(bool), st.integers(1, 99))
"""Without the values on whose truth the two differ: empty text and zero."""

MAPS = st.fixed_dictionaries({"a": SCALARS, "b": SCALARS | st.booleans(), "c": st.lists(SCALARS, max_size=2)})
CONTEXTS = SCALARS | st.booleans() | MAPS | st.lists(SCALARS | MAPS, max_size=3)
RECORDS = st.fixed_dictionaries({"a": CONTEXTS, "b": CONTEXTS, "c": CONTEXTS})


def section(sign: str, bodies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, body, end: f"{{{{{sign}{name}}}}}{end}{body}{{{{/{name}}}}}{end}",
        NAMES,
        bodies,
        st.sampled_from(["", "\n"]),
    )


LEAVES = st.one_of(
    TEXTS,
    st.just("\n"),
    st.builds(lambda name: f"{{{{{{ {name} }}}}}}", NAMES),
    st.builds(lambda name: f"{{{{& {name} }}}}", NAMES),
    st.builds(lambda name: f"{{{{ {name} }}}}", NAMES),
)
SECTIONS = st.recursive(LEAVES, lambda inner: section("#", st.lists(inner, max_size=3).map("".join)), max_leaves=6)
INVERSES = section("^", st.lists(LEAVES, max_size=3).map("".join))
"""Only outermost: inside a list the reference miscounts inverted sections that are left out."""

TEMPLATES = st.lists(SECTIONS | INVERSES, max_size=4).map("".join)


PRINTED_STRUCTURES = ("[", "{", "true", "false")
"""Lists, maps and booleans are JSON here and Python there."""


@given(TEMPLATES, RECORDS)
@settings(max_examples=200, deadline=None)
def test_rendering_agrees_with_the_reference(text: str, record: dict[str, Any]) -> None:
    rendered = compile_template(text)(record)
    assume(not any(mark in rendered for mark in PRINTED_STRUCTURES))
    assert rendered == chevron.render(text, record)


@given(st.text(alphabet="{}#^/!>=&%ab. \n-", max_size=30), RECORDS)
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_template_or_refused(text: str, record: dict[str, Any]) -> None:
    with contextlib.suppress(TemplateSyntaxError, TemplateError):
        compile_template(text)(record)


@given(TEXTS)
def test_text_without_braces_is_copied(text: str) -> None:
    assert compile_template(text)({}) == text

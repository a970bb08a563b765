"""What the extractive answerer finds in prompts of several shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.ai.contract import Message
from langstream.services.ai.local.prompt import Inquiry, Passage, inquiry, passages_of
from langstream.services.ai.local.sentences import LONGEST, sentences


def test_sources_in_the_system_message_and_the_question_in_the_users() -> None:
    system = "Answer from the documents.\n\nDocuments:\n[a.pdf] First.\nMore of it.\n\n[b.md] Second."
    found = inquiry([Message(system, "system"), Message("What is first?", "user")])
    assert found == Inquiry("What is first?", (Passage("First.\nMore of it.", "a.pdf"), Passage("Second.", "b.md")))


def test_earlier_questions_and_answers_are_no_material() -> None:
    messages = [
        Message("Documents:\n[a] Text.", "system"),
        Message("Earlier?", "user"),
        Message("[b] An answer.", "assistant"),
        Message("Now?", "user"),
    ]
    assert inquiry(messages) == Inquiry("Now?", (Passage("Text.", "a"),))


def test_messages_without_roles() -> None:
    assert inquiry([Message("[a] Text."), Message("Why?")]) == Inquiry("Why?", (Passage("Text.", "a"),))


def test_the_question_after_a_label_in_a_single_message() -> None:
    text = "Use these documents:\n[a] Text.\n\nQuestion: What is\nthat?\nAnswer:"
    assert inquiry([Message(text, "user")]) == Inquiry("What is that?", (Passage("Text.", "a"),))


def test_the_last_paragraph_is_the_question_if_it_asks() -> None:
    found = inquiry([Message("Some context here.\n\nWhat does it say?", "user")])
    assert found == Inquiry("What does it say?", (Passage("Some context here."),))


def test_the_first_paragraph_is_the_question_if_it_asks() -> None:
    found = inquiry([Message("What does it say?\n\n[a] Some context.", "user")])
    assert found == Inquiry("What does it say?", (Passage("Some context.", "a"),))


def test_a_request_without_question_mark_before_its_documents() -> None:
    found = inquiry([Message("Summarise these.\n\n[a] One.\n\n[b] Two.", "user")])
    assert found == Inquiry("Summarise these.", (Passage("One.", "a"), Passage("Two.", "b")))


def test_a_question_alone_has_no_material() -> None:
    assert inquiry([Message("Why is the sky blue?", "user")]) == Inquiry("Why is the sky blue?", ())


@pytest.mark.parametrize("messages", [[], [Message("Only rules.", "system")]])
def test_without_a_users_message_there_is_no_question(messages: list[Message]) -> None:
    assert inquiry(messages).question == ""


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("- [a.txt] One\n2. [b.txt]: Two", [Passage("One", "a.txt"), Passage("Two", "b.txt")]),
        ("See [the site](https://x.example) for more.", [Passage("See [the site](https://x.example) for more.")]),
        ("Rules.\n<documents>\nOne.\n</documents>\nMore rules.", [Passage("One.")]),
        ("<context>[a] One.</context> Be brief.", [Passage("One.", "a")]),
        ("<context>\n[a] One.\n</context>\nBe brief.", [Passage("One.", "a")]),
        ('Rules.\n"""One."""', [Passage("One.")]),
        ("Use this context:\nOne.\nTwo.", [Passage("One.\nTwo.")]),
        ("Just text.", [Passage("Just text.")]),
        ("[a]\n[b] Two", [Passage("Two", "b")]),
        ("  \n", []),
    ],
)
def test_passages(text: str, passages: list[Passage]) -> None:
    assert passages_of(text) == passages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("He said “Stop.” Then he left.", ["He said “Stop.”", "Then he left."]),
        ("See Dr. Jansen, e.g. on p. 7. She knows.", ["See Dr. Jansen, e.g. on p. 7.", "She knows."]),
        ("It costs 12.50 euros. Really.", ["It costs 12.50 euros.", "Really."]),
        ("A heading\n\nA paragraph over\ntwo lines.", ["A heading", "A paragraph over two lines."]),
        ("List:\n- one\n- two", ["List:", "- one", "- two"]),
        ("これは文です。次の文。", ["これは文です。", "次の文。"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text())
def test_no_word_is_lost_or_changed_by_splitting(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(st.sampled_from("ab c."), min_size=LONGEST, max_size=3 * LONGEST))
def test_no_sentence_is_longer_than_the_longest(text: str) -> None:
    assert all(len(sentence) <= LONGEST for sentence in sentences(text))

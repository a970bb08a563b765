"""Finding the question and the documents in a prompt.

The prompt understood best has the documents in the system message, each beginning a line with its source in square
brackets, and the question alone in the user's message. See docs/ai-services.md for the other shapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langstream.services.ai.contract import Message


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the documents. `source` is what stood in brackets before it, or empty."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked, and what may be quoted."""

    question: str
    passages: tuple[Passage, ...]


# A source begins its line: "[notes.pdf] text", "- [notes.pdf]: text"; "[text](address)" is a link.
_SOURCE: Final = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*\[([^\[\]\n]{1,200})\](?!\()[ \t]*:?[ \t]*", re.MULTILINE)
_TAGGED: Final = re.compile(r"<(documents?|context|passages?|sources?)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_FENCED: Final = re.compile(r"\"\"\"(.*?)\"\"\"|```[^\n]*\n(.*?)```", re.DOTALL)
_HEADING: Final = re.compile(r"^[^\n]{0,160}:[ \t]*$", re.MULTILINE)
_QUESTION: Final = re.compile(r"^[ \t]*(?:user )?(?:question|query|frage)[ \t]*:[ \t]*", re.MULTILINE | re.IGNORECASE)
_ANSWER: Final = re.compile(r"^[ \t]*(?:helpful )?(?:answer|antwort)[ \t]*:[ \t]*$", re.MULTILINE | re.IGNORECASE)


def inquiry(messages: Sequence[Message]) -> Inquiry:
    """The question is in the last message of the user; what stands elsewhere, answers aside, is material."""
    asking = _asking(messages)
    if asking is None:
        return Inquiry("", ())
    material = [
        message.content
        for position, message in enumerate(messages)
        if position != asking and message.role in ("system", "developer", "tool", None)
    ]
    question, rest = _split(messages[asking].content)
    passages = [passage for text in (*material, rest) for passage in passages_of(text)]
    return Inquiry(question, tuple(passages))


def passages_of(text: str) -> list[Passage]:
    """The passages in a text: those with sources, else what is fenced, else what follows a heading, else all of it.

    Where tags such as `<documents>` mark the documents, nothing outside of them counts.
    """
    tagged = [match.group(2) for match in _TAGGED.finditer(text)]
    found = [passage for part in tagged or [text] for passage in _passages(part, plain=bool(tagged))]
    return [passage for passage in found if passage.text]


def _passages(text: str, *, plain: bool) -> list[Passage]:
    marks = list(_SOURCE.finditer(text))
    if marks:
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        return [
            Passage(text[mark.end() : end].strip(), mark.group(1).strip())
            for mark, end in zip(marks, ends, strict=True)
        ]
    if plain:
        return [Passage(text.strip())]
    if fenced := list(_FENCED.finditer(text)):
        return [Passage((match.group(1) or match.group(2) or "").strip()) for match in fenced]
    heading = _HEADING.search(text)
    return [Passage(text[heading.end() if heading else 0 :].strip())]


def _asking(messages: Sequence[Message]) -> int | None:
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].role in ("user", None):
            return position
    return None


def _split(text: str) -> tuple[str, str]:
    """The question in the user's message, and the rest of it."""
    labels = list(_QUESTION.finditer(text))
    if labels:
        label = labels[-1]
        question = _ANSWER.split(text[label.end() :])[0]
        line, _, after = question.partition("\n\n")
        return " ".join(line.split()), f"{text[: label.start()]}\n\n{after}".strip()
    paragraphs = re.split(r"\n\s*\n", text.strip())
    if len(paragraphs) > 1:
        for position in (len(paragraphs) - 1, 0):
            if paragraphs[position].rstrip().endswith(("?", "？")):
                rest = "\n\n".join(paragraphs[:position] + paragraphs[position + 1 :])
                return " ".join(paragraphs[position].split()), rest
        if _SOURCE.search(text):
            return _around_sources(text)
    return " ".join(text.split()), ""


def _around_sources(text: str) -> tuple[str, str]:
    """Documents and no question mark: what stands before the first source is the question."""
    first = _SOURCE.search(text)
    assert first is not None
    return " ".join(text[: first.start()].split()), text[first.start() :]

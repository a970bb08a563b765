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
_FENCED: Final = re.compile(
    r"<(documents?|context|passages?|sources?)>(.*?)</\1>|\"\"\"(.*?)\"\"\"|```[^\n]*\n(.*?)```",
    re.DOTALL | re.IGNORECASE,
)
_CLOSING: Final = re.compile(r"\s*</(?:documents?|context|passages?|sources?)>", re.IGNORECASE)
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
    """The passages in a text: those with sources, else what is fenced, else what follows a heading, else all of it."""
    marks = list(_SOURCE.finditer(text))
    if marks:
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        found = [
            Passage(_unfenced(text[mark.end() : end]), mark.group(1).strip())
            for mark, end in zip(marks, ends, strict=True)
        ]
    elif fenced := list(_FENCED.finditer(text)):
        found = [Passage((match.group(2) or match.group(3) or match.group(4) or "").strip()) for match in fenced]
    elif heading := _HEADING.search(text):
        found = [Passage(text[heading.end() :].strip())]
    else:
        found = [Passage(text.strip())]
    return [passage for passage in found if passage.text]


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


def _unfenced(text: str) -> str:
    """Without the fence that closes the documents behind the last of them."""
    return _CLOSING.split(text)[0].strip()

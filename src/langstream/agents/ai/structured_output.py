"""Answers of a certain structure: the JSON Schema that they must satisfy, and what a model is told that missed it.

Services enforce parts of JSON Schema, some of them none of it. Every answer is checked here, with a validator that is
made once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from langstream.agents.ai.model_call import Answer, ModelCall
from langstream.agents.ai.response_schema import cut, validator
from langstream.errors import RecordError
from langstream.services.ai.contract import Message

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_VIOLATIONS: Final = 10
LONGEST_QUOTE: Final = 200
MOST_TRIES: Final = 20
"""Places in an answer at which JSON may begin that are looked at."""


class Mismatch(Exception):
    """An answer is not what the schema asks for. `violations` say where and why."""

    def __init__(self, violations: tuple[str, ...]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


class Structure:
    """A compiled schema. The schema must be one in which `schema_findings` finds nothing."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._validator = validator(schema)

    def read(self, text: str) -> Any:
        """The value in an answer. Raises Mismatch."""
        value = json_in(text)
        violations = self.violations(value)
        if violations:
            raise Mismatch(violations)
        return value

    def violations(self, value: Any) -> tuple[str, ...]:
        """What is wrong with the value, at most a handful."""
        try:
            return tuple(_described(error) for error in islice(self._validator.iter_errors(value), MOST_VIOLATIONS))
        except RecursionError:
            return ("the value is nested too deeply",)


def json_in(text: str) -> Any:
    """The JSON value that a text is, or has between words and fences. Raises Mismatch."""
    stripped = text.strip()
    try:
        return orjson.loads(stripped)
    except ValueError as error:
        reason = str(error)
    if not stripped:
        raise Mismatch(("the answer is empty",))
    for value in islice(_candidates(stripped), 1):
        return value
    raise Mismatch((f"the answer is not JSON: {reason}",))


def _candidates(text: str) -> Iterator[Any]:
    """Objects and lists that begin somewhere in the text, the first one first."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    begin, tries = 0, 0
    while tries < MOST_TRIES and (places := [found for mark in "{[" if (found := text.find(mark, begin)) >= 0]):
        begin = min(places)
        tries += 1
        try:
            value, _ = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            begin += 1
            continue
        yield value
        return


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _described(error: ValidationError) -> str:
    from jsonschema.exceptions import best_match

    deepest = best_match([error]) or error
    return f"{deepest.json_path}: {cut(deepest.message)}"


def can_be_repaired(answer: Answer) -> bool:
    """Whether asking once more may help; what was cut off would be cut off again."""
    return answer.finish != "length"


def corrected(call: ModelCall, answer: Answer, mismatch: Mismatch) -> ModelCall:
    """The call that asks for the same answer again, with what was wrong with it."""
    complaint = "\n".join(
        (
            "That is not valid under the JSON Schema of the answer:",
            *(f"- {violation}" for violation in mismatch.violations),
            "Answer again, with the corrected JSON alone.",
        )
    )
    if call.task == "text":
        *others, last = (part for part in call.prompt if isinstance(part, str))
        return replace(call, prompt=(*others, f"{last}\n\n{answer.text}\n\n{complaint}\n"))
    said = (Message(answer.text, "assistant"),) if answer.text.strip() else ()
    return replace(call, prompt=(*_messages(call), *said, Message(complaint, "user")))


def _messages(call: ModelCall) -> tuple[Message, ...]:
    return tuple(part for part in call.prompt if isinstance(part, Message))


def missed(answer: Answer, mismatch: Mismatch, *, repaired: bool) -> RecordError:
    """The error of a record whose answer does not satisfy the schema."""
    again = ", also after it was told so" if repaired else ""
    cut_off = " It was cut off: raise `max-tokens`." if answer.finish == "length" else ""
    beginning = cut(answer.text, LONGEST_QUOTE)
    return RecordError(
        f"the answer is not valid under `response-schema`{again}: {mismatch}.{cut_off} It begins: {beginning!r}"
    )

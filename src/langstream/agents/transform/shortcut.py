"""One function for a whole chain of `compute`, `drop-fields` and `drop` that concerns members of the value only.

Most chains are such, and most records are JSON objects in text on which nothing goes wrong. For these, the function
does at once what the steps do one after the other, without a working record. It leaves all others to the steps: values
that are no such text, and records on which anything raises an error (a record stays as it is until its result is
made, so the steps begin anew and find the error). It is source made by `Source` (see `expressions.generation`); for

    compute {when: value.a > 10, fields: [{name: value.b, expression: value.a * 2}]}, drop-fields {fields: [c]}

it is

    def process(records, parse, other):
        outcomes = []
        for record in records:
            outcome = None
            if type(record._value) is str:
                try:
                    content = parse(record._value)
                    if type(content) is dict:
                        changed = False
                        …  # t2 = content["a"] > 10
                        if t2 is True or t2 is not False and to_boolean(t2):
                            …  # t3 = content["a"] * 2, converted if it is not what JSON holds
                            content[c5] = t3
                            changed = True
                        if c6 in content:
                            del content[c6]
                            changed = True
                        …  # outcome = (the record with the content,)
                except Exception:
                    outcome = None
            outcomes.append(other(record) if outcome is None else outcome)
        return outcomes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langstream.agents.working_record import CONTAINERS
from langstream.expressions.functions import HOLDING, LIBRARY
from langstream.expressions.generation import FITS, Source
from langstream.expressions.syntax import Binary, Call, Choice, Literal, Logic, Member, Name, Node, Unary
from langstream.expressions.tree import descendants
from langstream.records import Document, SimpleRecord

MOST_STEPS: Final = 20
Process: TypeAlias = Callable[[Sequence[SimpleRecord], Callable[[str], Any], Callable[[SimpleRecord], Any]], list[Any]]
"""Records, what parses their texts, and what works on a record that is left to the steps; gives outcomes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A member to be set. `convert` makes other results than texts, floats, booleans and short integers fit."""

    member: str
    expression: Node
    kept: frozenset[type]
    integers: bool
    convert: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What a step does to the members of a value: drop the record, or set some members and remove others."""

    when: Node | None = None
    drops: bool = False
    settings: tuple[Setting, ...] = ()
    removed: tuple[str, ...] = ()

    def is_simple(self) -> bool:
        """Whether its expressions look at the value only, and have nothing but statements in them."""
        expressions = [setting.expression for setting in self.settings]
        return all(
            _is_written(node)
            for expression in (expressions if self.when is None else [*expressions, self.when])
            for node in descendants(expression)
        )


def _is_written(node: Node) -> bool:
    if isinstance(node, Name):
        return node.name == "value"
    if isinstance(node, Call):  # what holds the value cannot become its member as it is
        return node.function in LIBRARY and node.function not in HOLDING
    return isinstance(node, _WRITTEN)


_WRITTEN: Final = (Literal, Member, Unary, Binary, Logic, Choice)


def shortcut_of(steps: Sequence[Shortcut | None]) -> Process | None:
    """The function of the chain, or None if the chain is none for it."""
    known = [step for step in steps if step is not None and step.is_simple()]
    if not known or len(known) < len(steps) or len(steps) > MOST_STEPS:
        return None
    source = Source(_never, "process(records, parse, other)", {"value": "content"})
    source.line(1, "outcomes = []")
    source.line(1, "for record in records:")
    source.line(2, "outcome = None")
    source.line(2, "if type(record._value) is str:")
    source.line(3, "try:")
    source.line(4, "content = parse(record._value)")
    source.line(4, "if type(content) is dict:")
    source.line(5, "changed = False")
    depth = 5
    for step in known:
        depth = _write(source, step, depth)
    _write_outcome(source, depth)
    source.line(3, f"except {source.bound(Exception)}:")
    source.line(4, "outcome = None")
    source.line(2, "outcomes.append(other(record) if outcome is None else outcome)")
    source.line(1, "return outcomes")
    return source.function()


def _write(source: Source, step: Shortcut, depth: int) -> int:
    """The statements of a step. Those of the next one stand at the depth that is returned."""
    inner = depth
    if step.when is not None:
        holds = source.write(step.when, depth)
        source.line(depth, f"if {holds} is True or {holds} is not False and to_boolean({holds}):")
        inner += 1
    if step.drops:
        source.line(inner, "outcome = ()")
        source.line(depth, "else:" if step.when is not None else "if outcome is None:")
        return depth + 1
    results = [_write_result(source, setting, inner) for setting in step.settings]
    for setting, result in zip(step.settings, results, strict=True):
        source.line(inner, f"content[{source.bound(setting.member)}] = {result}")
    if results:
        source.line(inner, "changed = True")
    for name in step.removed:
        bound = source.bound(name)
        source.line(inner, f"if {bound} in content:")
        source.line(inner + 1, f"del content[{bound}]")
        source.line(inner + 1, "changed = True")
    if not results and not step.removed:
        source.line(inner, "changed = changed")
    return depth


def _write_result(source: Source, setting: Setting, depth: int) -> str:
    result = source.variable()
    source.line(depth, f"{result} = {source.write(setting.expression, depth)}")
    kept, convert = source.bound(setting.kept), source.bound(_converted(setting.convert))
    integer = f" and not (type({result}) is int and {FITS.format(result)})" if setting.integers else ""
    source.line(depth, f"if type({result}) not in {kept}{integer}:")
    source.line(depth + 1, f"{result} = {convert}({result}, content)")
    return result


def _write_outcome(source: Source, depth: int) -> None:
    """The record with the content; the very record if nothing was changed."""
    new, document, record = source.bound(object.__new__), source.bound(Document), source.bound(SimpleRecord)
    source.line(depth, f"document = {new}({document})")  # not by its constructor, which would take twice the time
    source.line(depth, "document.content, document.binary = content, False")
    source.line(depth, "if changed:")
    source.line(depth + 1, "document._text = None")
    source.line(depth + 1, f"result = {new}({record})")
    source.line(depth + 1, "result._value, result._key, result._headers = document, record._key, record._headers")
    source.line(depth + 1, "result._origin, result._timestamp = record._origin, record._timestamp")
    source.line(depth + 1, "result.destination = record.destination")
    source.line(depth + 1, "outcome = (result,)")
    source.line(depth, "else:")
    source.line(depth + 1, "document._text, record._value = record._value, document")
    source.line(depth + 1, "outcome = (record,)")


def _converted(convert: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def converted(result: Any, content: Any) -> Any:
        found = convert(result)
        if type(found) in CONTAINERS and (found is content or result is content):
            raise ValueError("the value cannot be its own member as it is")  # the steps copy it
        return found

    return converted


def _never(node: Node) -> Any:
    raise TypeError(f"{type(node).__name__} is not written as statements")

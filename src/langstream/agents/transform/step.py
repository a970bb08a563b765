"""Steps: what the transforms do with one record, and the processor that runs a chain of them.

Neighbouring transforms fuse into one `TransformProcessor`: a record is parsed once at the start of the chain, every
step works on the same `WorkingRecord`, and the result is made once at the end. A chain behaves exactly as its agents
would one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from pydantic import Field

from langstream.agents.transform.shortcut import Process, Shortcut, shortcut_of
from langstream.agents.working_record import UnreadRecord, WorkingRecord
from langstream.configuration.model import Configuration, Expression
from langstream.errors import RecordError
from langstream.expressions import compile_condition
from langstream.expressions.parser import parse
from langstream.records import Record, SimpleRecord, parse_object, parser_of
from langstream.sdk.contract import AgentContext, Outcome, Processor

Apply: TypeAlias = Callable[[WorkingRecord], "Sequence[Record] | None"]
"""Works on a record. None: it goes on to the next step; a sequence is all that becomes of it."""

Condition: TypeAlias = Callable[[WorkingRecord], bool]

DROPPED: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One agent's part of a chain. `agent` says whose, for messages; records for which `when` does not hold pass.

    `reads_value` tells that it begins by looking at the value, so that the value may as well be parsed at once.
    `shortcut` says the same as `apply` and `when` together, where that is simple enough.
    """

    apply: Apply
    agent: str
    reads_value: bool = True
    when: Condition | None = None
    shortcut: Shortcut | None = None


class Conditional(Configuration):
    """Options of the transforms that have a condition."""

    when: Expression | None = Field(
        default=None, description="Only records for which this holds are worked on; the others pass unchanged."
    )


class TransformProcessor(Processor):
    """Runs steps on each record; the records of a batch do not affect each other."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    async def start(self, context: AgentContext) -> None:
        """Take the agent's id, to be named in errors."""
        self.steps = tuple(replace(step, agent=f"{context.agent_id} ({step.agent})") for step in self.steps)

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """One outcome per record: its result, nothing if it was dropped, or the error."""
        reads_value = bool(self.steps) and self.steps[0].reads_value
        parse = parser_of([value for record in records if type(value := record._value) is str] if reads_value else ())
        shortcut = self._shortcut
        return self._in_steps(records, parse) if shortcut is None else shortcut(records, parse, self._alone)

    @cached_property
    def _shortcut(self) -> Process | None:
        # a chain that does not begin by looking at the value may never have to parse it
        begins_with_value = bool(self.steps) and self.steps[0].reads_value
        return shortcut_of([step.shortcut for step in self.steps]) if begins_with_value else None

    def _alone(self, record: SimpleRecord) -> Outcome:
        (outcome,) = self._in_steps((record,), parse_object)
        return outcome

    def _in_steps(self, records: Sequence[SimpleRecord], parse: Callable[[Any], Any]) -> Sequence[Outcome]:
        steps = self.steps
        begin = WorkingRecord if steps and steps[0].reads_value else UnreadRecord
        outcomes: list[Outcome] = []
        add = outcomes.append
        for record in records:
            step = None
            try:
                working = begin(record, parse)
                for step in steps:
                    holds = step.when
                    if holds is None or holds(working):
                        results = step.apply(working)
                        if results is not None:
                            break
                else:
                    results = (working.to_record(),)
                add(results if working.emitted is None else (*working.emitted, *results))
            except Exception as error:  # whatever it is, it belongs to this record
                add(error if step is None else _failure(error, step.agent))
        return outcomes

    def fuse(self, following: Processor) -> Processor | None:
        """One chain of both agents' steps."""
        if isinstance(following, TransformProcessor):
            return TransformProcessor(*self.steps, *following.steps)
        return None


def _failure(error: Exception, agent: str) -> RecordError:
    """The error, saying which agent of the chain it comes from. What a record is refused for will not change."""
    if isinstance(error, RecordError):
        failure = RecordError(f"{agent}: {error}")
        failure.retryable = False
    elif isinstance(error, RecursionError):
        failure = RecordError(f"{agent}: the record is nested too deeply")
        failure.retryable = False
    else:
        failure = RecordError(f"{agent}: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def step_when(
    when: str | None, apply: Apply, agent: str, *, reads_value: bool = True, shortcut: Shortcut | None = None
) -> Step:
    """A step for the records for which a condition holds; without one, for all. `shortcut` has no condition yet."""
    if when is None:
        return Step(apply, agent, reads_value, None, shortcut)
    if shortcut is not None:
        shortcut = replace(shortcut, when=parse(when))
    return Step(apply, agent, mentions_value(when), compile_condition(when), shortcut)


def mentions_value(expression: str) -> bool:
    """Whether an expression may look at the value."""
    return "value" in expression

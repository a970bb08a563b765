"""Steps: what the transforms do with one record, and the processor that runs a chain of them.

Neighbouring transforms fuse into one `TransformProcessor`: a record is parsed once at the start of the chain, every
step works on the same `WorkingRecord`, and the result is made once at the end. A chain behaves exactly as its agents
would one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from langstream.agents.working_record import UnreadRecord, WorkingRecord
from langstream.configuration.model import Configuration, Expression
from langstream.errors import RecordError
from langstream.expressions import compile_condition
from langstream.records import Record, SimpleRecord, parser_of
from langstream.sdk.contract import AgentContext, Outcome, Processor

Apply: TypeAlias = Callable[[WorkingRecord], "Sequence[Record] | None"]
"""Works on a record. None: it goes on to the next step; a sequence is all that becomes of it."""

Condition: TypeAlias = Callable[[WorkingRecord], bool]

DROPPED: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One agent's part of a chain. `agent` says whose, for messages; records for which `when` does not hold pass.

    `reads_value` tells that it begins by looking at the value, so that the value may as well be parsed at once.
    """

    apply: Apply
    agent: str
    reads_value: bool = True
    when: Condition | None = None


class Conditional(Configuration):
    """Options of the transforms that have a condition."""

    when: Expression | None = None
    """Only records for which this holds are worked on; the others pass unchanged."""


class TransformProcessor(Processor):
    """Runs steps on each record; the records of a batch do not affect each other."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    async def start(self, context: AgentContext) -> None:
        """Take the agent's id, to be named in errors."""
        self.steps = tuple(replace(step, agent=f"{context.agent_id} ({step.agent})") for step in self.steps)

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """One outcome per record: its result, nothing if it was dropped, or the error."""
        steps = self.steps
        reads_value = bool(steps) and steps[0].reads_value
        begin = WorkingRecord if reads_value else UnreadRecord
        parse = parser_of([value for record in records if type(value := record._value) is str] if reads_value else ())
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


def step_when(when: str | None, apply: Apply, agent: str, *, reads_value: bool = True) -> Step:
    """A step for the records for which a condition holds; without one, for all."""
    if when is None:
        return Step(apply, agent, reads_value)
    return Step(apply, agent, mentions_value(when), compile_condition(when))


def mentions_value(expression: str) -> bool:
    """Whether an expression may look at the value."""
    return "value" in expression

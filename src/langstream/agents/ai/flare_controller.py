"""`flare-controller`: sends an answer with doubtful passages round again, to be improved with more documents.

FLARE (forward-looking active retrieval): where a model was unsure of its words, those words become queries. The record
goes to the topic where the retrieval begins, with the queries in it; when the model is sure, or after so many rounds,
the record goes on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pydantic import Field, field_validator

from langstream.agents.ai.options import FieldName
from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.step import Apply, Step, TransformProcessor
from langstream.agents.working_record import WorkingRecord, described, result_field
from langstream.configuration.model import Configuration, Expression, TopicName
from langstream.errors import RecordError
from langstream.expressions import SchemaType, coerce, compile_expression
from langstream.records import Dispatched, Record

NAME: Final = "flare-controller"

LOWEST_PROBABILITY: Final = 0.2
"""A token that the model gave less than this is doubtful."""
PADDING: Final = 2
"""Tokens that a passage has after its last doubtful one."""
GAP: Final = 5
"""Doubtful tokens closer than this are one passage."""
MOST_ROUNDS: Final = 10
"""A record whose counter is greater goes on, doubtful or not."""
COUNTER: Final = "flare_iterations"
"""The member of the value that counts the rounds."""

_WORD: Final = re.compile(r"\w")


class FlareControllerConfiguration(Configuration):
    """Options of `flare-controller`."""

    tokens_field: Expression = Field(description="The tokens of the answer, a list of texts.")
    logprobs_field: Expression = Field(description="Their log probabilities, a list of as many numbers.")
    loop_topic: TopicName = Field(min_length=1, description="The topic for records that need more documents.")
    retrieve_documents_field: FieldName = Field(
        description="Where the doubtful passages go, a list of texts, in the records of `loop-topic`."
    )

    @field_validator("retrieve_documents_field")
    @classmethod
    def _keeps_the_value(cls, name: str) -> str:
        if name == "value":
            raise ValueError(
                "the passages would take the place of the whole answer: use a member, such as value.queries"
            )
        return name


def create(configuration: FlareControllerConfiguration) -> TransformProcessor:
    """The processor."""
    return TransformProcessor(Step(_control(configuration), NAME))


def _control(configuration: FlareControllerConfiguration) -> Apply:
    tokens_of = compile_expression(configuration.tokens_field)
    logprobs_of = compile_expression(configuration.logprobs_field)
    store = result_field(configuration.retrieve_documents_field)
    topic = configuration.loop_topic

    def control(working: WorkingRecord) -> Sequence[Record] | None:
        rounds = _rounds(working)
        if rounds > MOST_ROUNDS:
            return None
        tokens = _list("tokens-field", tokens_of, working)
        passages = doubtful_passages(tokens, _list("logprobs-field", logprobs_of, working))
        if not passages:
            return None
        again = WorkingRecord(working.to_record())
        store(again, passages)
        again.set_value_field(COUNTER, rounds + 1)
        return (Dispatched.to(topic, again.to_record()),)

    return control


def doubtful_passages(
    tokens: Sequence[Any], logprobs: Sequence[Any], *, padding: int = PADDING, gap: int = GAP
) -> list[str]:
    """The texts around the tokens that the model was unsure of. Raises RecordError for what is no such list."""
    if len(tokens) != len(logprobs):
        raise RecordError(f"there are {len(tokens)} tokens, but {len(logprobs)} log probabilities")
    spans: list[tuple[int, int]] = []
    previous = 0
    for index in _doubtful(tokens, logprobs):
        end = index + 1 + padding
        if spans and index - previous < gap:
            spans[-1] = spans[-1][0], end
        else:
            spans.append((index, end))
        previous = index
    return ["".join(map(_token, tokens[start:end])) for start, end in spans]


def _doubtful(tokens: Sequence[Any], logprobs: Sequence[Any]) -> Iterator[int]:
    """The places of improbable words. Services leave the probability of some tokens open: nothing is known of them."""
    for index, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
        if logprob is None:
            continue
        if isinstance(logprob, bool) or not isinstance(logprob, int | float):
            raise RecordError(f"logprobs-field: item {index + 1} must be a number, not {described(logprob)}")
        if logprob < math.log(LOWEST_PROBABILITY) and _WORD.search(_token(token)):
            yield index


def _token(token: Any) -> str:
    if not isinstance(token, str):
        raise RecordError(f"tokens-field: a token must be text, not {described(token)}")
    return token


def _list(option: str, evaluate: Callable[[Any], Any], working: WorkingRecord) -> Sequence[Any]:
    found = evaluate(working)
    if isinstance(found, list | tuple):
        return found
    hint = "; let `ai-text-completions` put it there by `logprobs` and `logprobs-field`" if found is None else ""
    raise RecordError(f"{option} must give a list, not {described(found)}{hint}")


def _rounds(working: WorkingRecord) -> int:
    value = working.value
    counted = value.get(COUNTER) if type(value) is dict else None
    if counted is None:
        return 0
    try:
        rounds = coerce(counted, SchemaType.INT64)
    except RecordError as error:
        raise RecordError(f"value.{COUNTER}: {error}") from error
    assert isinstance(rounds, int)
    return rounds


AGENT: Final = AgentType(
    name=NAME,
    component_type=ComponentType.PROCESSOR,
    configuration=FlareControllerConfiguration,
    create=create,
    summary="Sends answers that the model was unsure of back for more documents (FLARE).",
    description=f"""\
Words to which the model gave a probability below {LOWEST_PROBABILITY:g} are doubtful. Each, with the {PADDING} tokens
after it, is a passage; doubtful words fewer than {GAP} tokens apart are one. A record with doubtful passages goes to
`loop-topic`, where a pipeline finds documents for them and asks the model again; all others go on. The rounds are
counted in `value.{COUNTER}`: after {MOST_ROUNDS + 1} of them a record goes on as it is.""",
    family="ai",
    example="""\
- type: flare-controller
  input: drafts
  output: answers
  configuration:
    tokens-field: value.tokens.tokens
    logprobs-field: value.tokens.logprobs
    loop-topic: flare-loop
    retrieve-documents-field: value.documents_to_retrieve
""",
    example_input="""\
- value:
    answer: Basel lies on the Rhine
    tokens: { tokens: [Basel, " lies", " on", " the", " Rhine"], logprobs: [-0.1, -0.2, -0.1, -0.1, -0.3] }
- value:
    answer: It was founded in 374
    tokens: { tokens: [It, " was", " founded", " in", " 374"], logprobs: [-0.1, -0.2, -0.1, -0.1, -2.5] }
""",
    example_output="""\
- value:
    answer: Basel lies on the Rhine
    tokens: { tokens: [Basel, " lies", " on", " the", " Rhine"], logprobs: [-0.1, -0.2, -0.1, -0.1, -0.3] }
- topic: flare-loop
  value:
    answer: It was founded in 374
    tokens: { tokens: [It, " was", " founded", " in", " 374"], logprobs: [-0.1, -0.2, -0.1, -0.1, -2.5] }
    documents_to_retrieve: [" 374"]
    flare_iterations: 1
""",
)

"""The agent `re-rank`: puts a list of documents into a better order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.vector.ranking import Candidate, Parameters, candidate, choose
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Configuration, Expression
from langstream.errors import RecordError
from langstream.expressions import compile_expression
from langstream.records import SimpleRecord
from langstream.sdk.contract import Outcome, Processor


class ReRankConfiguration(Configuration):
    """Options of `re-rank`."""

    field: Annotated[Expression, Field(description="The list of documents.")]
    output_field: Annotated[str, Field(description="Where the ranked list goes.")]
    algorithm: Annotated[
        Literal["none", "MMR"], Field(description="`none` keeps the order; `MMR` is maximal marginal relevance.")
    ] = "none"
    query_text: Annotated[Expression | None, Field(description="The query, for the relevance of a text.")] = None
    query_embeddings: Annotated[
        Expression | None, Field(description="The query's vector; accepted for compatibility, MMR does not need it.")
    ] = None
    text_field: Annotated[Expression | None, Field(description="Text of a document, visible as `record`.")] = None
    embeddings_field: Annotated[Expression | None, Field(description="Vector of a document, visible as `record`.")] = (
        None
    )
    max_: Annotated[int, Field(alias="max", ge=0, description="How many documents MMR keeps.")] = 100
    lambda_: Annotated[
        float, Field(alias="lambda", ge=0, le=1, description="Weight of relevance; the rest is that of diversity.")
    ] = 0.5
    k1: Annotated[float, Field(ge=0, description="BM25: how soon a term's frequency saturates.")] = 1.5
    b: Annotated[float, Field(ge=0, le=1, description="BM25: how much long documents are marked down.")] = 0.75

    @field_validator("output_field")
    @classmethod
    def _is_a_place(cls, name: str) -> str:
        result_field(name)
        return name

    @model_validator(mode="after")
    def _has_what_mmr_needs(self) -> ReRankConfiguration:
        needed = {
            "query-text": self.query_text,
            "text-field": self.text_field,
            "embeddings-field": self.embeddings_field,
        }
        missing = [name for name, value in needed.items() if value is None]
        if self.algorithm == "MMR" and missing:
            raise ValueError(f"algorithm MMR also needs {', '.join(missing)}")
        return self


class ReRank(Processor):
    """Ranks the documents of each record."""

    def __init__(self, configuration: ReRankConfiguration) -> None:
        self._documents = compile_expression(configuration.field)
        self._store = result_field(configuration.output_field)
        self._ranks = configuration.algorithm == "MMR"
        self._query = compile_expression(configuration.query_text or "null")
        self._text = compile_expression(configuration.text_field or "null")
        self._vector = compile_expression(configuration.embeddings_field or "null")
        self._parameters = Parameters(configuration.max_, configuration.lambda_, configuration.k1, configuration.b)

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [self._outcome(record) for record in records]

    def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            working = WorkingRecord(record)
            self._store(working, self._ranked(working))
            return [working.to_record()]
        except Exception as error:
            return error

    def _ranked(self, working: WorkingRecord) -> list[Any]:
        documents = self._documents(working)
        if not isinstance(documents, list | tuple):
            found = "null" if documents is None else type(documents).__name__
            raise RecordError(f"re-rank: `field` must give a list of documents, found {found}")
        query = self._query(working)
        if not self._ranks or query is None or query == "":
            return list(documents)
        return [documents[place] for place in choose(str(query), list(self._candidates(documents)), self._parameters)]

    def _candidates(self, documents: Sequence[Any]) -> Iterable[Candidate]:
        """The documents that can be ranked; those with an empty text or vector are left out."""
        for place, document in enumerate(documents):
            scope: Any = SimpleNamespace(record=document)
            text, vector = self._text(scope), self._vector(scope)
            if text is None or vector is None:
                missing = "text" if text is None else "embeddings"
                raise RecordError(f"re-rank: document {place + 1} of {len(documents)} has no {missing}")
            if text and vector:
                yield candidate(place, str(text), vector)


AGENT = AgentType(
    name="re-rank",
    component_type=ComponentType.PROCESSOR,
    configuration=ReRankConfiguration,
    create=ReRank,
    summary="Puts a list of documents into a better order for a query.",
    description=(
        "MMR repeatedly chooses the document with the greatest `lambda · BM25 − (1 − lambda) · D`: BM25 is its "
        "relevance to the query among the remaining documents, D its mean cosine similarity to those chosen before."
    ),
    family="vector",
    example="""\
- type: re-rank
  input: found-documents
  output: ranked-documents
  configuration:
    algorithm: MMR
    field: value.documents
    query-text: value.question
    text-field: record.text
    embeddings-field: record.embeddings
    output-field: value.documents
    lambda: 0.5
    max: 2
""",
    example_input="""\
- value:
    question: what keeps records
    documents:
      - { text: An agent works on records, embeddings: [0.0, 1.0] }
      - { text: A topic keeps records, embeddings: [1.0, 0.0] }
      - { text: Topics keep all records, embeddings: [0.99, 0.14] }
""",
    example_output="""\
- value:
    question: what keeps records
    documents:
      - { text: A topic keeps records, embeddings: [1.0, 0.0] }
      - { text: An agent works on records, embeddings: [0.0, 1.0] }
""",
)

"""The agent `query-vector-db`: like `query`, for datasources and vector databases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.vector.querying import QueryOptions, QueryProcessor
from langstream.configuration.model import Kind


class QueryVectorDbConfiguration(QueryOptions):
    """Options of `query-vector-db`."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of type `datasource` or `vector-database`."),
    ]


AGENT = AgentType(
    name="query-vector-db",
    component_type=ComponentType.PROCESSOR,
    configuration=QueryVectorDbConfiguration,
    create=QueryProcessor,
    summary="Searches a vector store and stores the rows found in the record.",
    description=(
        "The query is in the language of the store: SQL, CQL or a JSON object, as the example on the store's page. Its "
        "`?` stand for the values of `fields`, which are bound or quoted: a value can never become part of the query."
    ),
    composable=Composable.OPTIONAL,
    family="vector",
    example="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: documents-db
    query: "SELECT text FROM documents ORDER BY cosine_similarity(vector, CAST(? AS FLOAT ARRAY)) DESC LIMIT 20"
    fields: [value.question_embeddings]
    output-field: value.related_documents
""",
)

"""The agent `query`: asks a datasource, once per record or once per item of a list."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.vector.querying import QueryOptions, QueryProcessor
from langstream.configuration.model import Kind


class QueryConfiguration(QueryOptions):
    """Options of `query`."""

    datasource: Annotated[
        str, Kind("resource", of=("datasource",)), Field(description="Resource of type `datasource`.")
    ]


AGENT = AgentType(
    name="query",
    component_type=ComponentType.PROCESSOR,
    configuration=QueryConfiguration,
    create=QueryProcessor,
    summary="Runs a statement on a datasource and stores the rows in the record.",
    description=(
        "Parameters are bound by the driver: a value can never become part of the statement. Without `loop-over` the "
        "expressions of `fields` see the record; with it they also see the item as `record`."
    ),
    composable=Composable.OPTIONAL,
    family="vector",
    example="""\
- type: query
  input: chunks
  configuration:
    datasource: documents-db
    mode: execute
    query: "INSERT INTO documents (filename, chunk_id, text) VALUES (?, ?, ?)"
    fields: [value.filename, value.chunk_id, value.text]
    output-field: value.written
- type: query
  output: counted-chunks
  configuration:
    datasource: documents-db
    query: "SELECT count(*) AS chunks FROM documents WHERE filename = ?"
    fields: [value.filename]
    output-field: value.found
    only-first: true
""",
    example_input="""\
- value: { filename: a.txt, chunk_id: 0, text: First part. }
""",
    example_output="""\
- value: { filename: a.txt, chunk_id: 0, text: First part., written: { count: 1 }, found: { chunks: 1 } }
""",
)

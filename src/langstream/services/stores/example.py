"""What the examples of all stores have in common: chunks of documents are written, and found by a question's vector.

A store adds what is its own: how it is reached, its query, where it writes. The texts are entries of YAML files.
"""

from __future__ import annotations

from textwrap import indent
from typing import Final

_ID: Final = "fn:concat(value.filename, '-', value.chunk_id)"


def resource(service: str, options: str, *, name: str | None = None, type: str = "vector-database") -> str:
    """The entry of `resources`; it has the name of the service unless told otherwise."""
    head = f"- type: {type}\n  name: {name or service}\n  configuration:\n    service: {service}\n"
    return head + indent(options, "    ")


def query(datasource: str, text: str, *parameters: str, type: str = "query-vector-db") -> str:
    """The pipeline entry that asks for documents near to a question's vector; `parameters` are further ones."""
    fields = ", ".join(("value.question_embeddings", *parameters))
    statement = f"|\n{indent(text, '      ')}" if "\n" in text else f'"{text}"\n'
    return f"""\
- type: {type}
  input: questions
  output: related-documents
  configuration:
    datasource: {datasource}
    query: {statement}    fields: [{fields}]
    output-field: value.related_documents
"""


def sink(datasource: str, options: str) -> str:
    """The pipeline entry that writes chunks."""
    head = f"- type: vector-db-sink\n  input: chunks\n  configuration:\n    datasource: {datasource}\n"
    return head + indent(options, "    ")


def fields(*, key: bool = False, text: str = "text") -> str:
    """The `fields` of a sink: id, vector, file name and text; the id is marked as key where stores want that."""
    mark = ", primary-key: true" if key else ""
    return f"""\
fields:
  - {{ name: id, expression: "{_ID}"{mark} }}
  - {{ name: vector, expression: value.embeddings }}
  - {{ name: filename, expression: value.filename }}
  - {{ name: {text}, expression: value.text }}
"""


def asset(type: str, datasource: str, config: str, *, name: str = "documents") -> str:
    """The entry of `assets`."""
    head = f"- name: {name}\n  asset-type: {type}\n  creation-mode: create-if-not-exists\n"
    return f"{head}  config:\n    datasource: {datasource}\n" + indent(config, "    ")

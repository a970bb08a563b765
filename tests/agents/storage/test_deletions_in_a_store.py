"""From a bucket into a table, and out of it again: the recipes of `docs/object-sources.md`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.agents.storage.benches import BucketSources
from tests.apps.application import RunningApp

SOURCE = """
pipeline:
  - type: s3-source
    configuration:
      endpoint: "{endpoint}"
      bucketName: "{bucket}"
      idle-time: 0.05
      delete-objects: false
      emit-deletions: true
"""
CHUNKS = """
  - type: query                 # the chunks of earlier versions
    configuration:
      datasource: Documents
      mode: execute
      query: "DELETE FROM chunks WHERE filename = ?"
      fields: [key]
      output-field: properties.replaced
  - type: drop                  # a deletion is done
    configuration: {{ when: "value == null" }}
  - type: text-extractor
  - type: text-splitter
    configuration: {{ chunk_size: 20, chunk_overlap: 0, length_function: length }}
  - type: vector-db-sink
    configuration:
      datasource: Documents
      table-name: chunks
      fields:
        - {{ name: filename, expression: key, primary-key: true }}
        - {{ name: chunk_id, expression: "fn:toInt(properties.chunk_id)", primary-key: true }}
        - {{ name: text, expression: value }}
"""
WHOLE = """
  - {{ type: text-extractor, configuration: {{ pass-deletions: true }} }}
  - {{ type: text-normaliser, configuration: {{ pass-deletions: true }} }}
  - {{ type: language-detector, configuration: {{ pass-deletions: true }} }}
  - {{ type: document-to-json, configuration: {{ pass-deletions: true }} }}
  - type: compute-ai-embeddings
    configuration: {{ text: "{{{{{{ value.text }}}}}}", embeddings-field: value.vector, pass-deletions: true }}
  - type: vector-db-sink
    configuration:
      datasource: Documents
      table-name: documents
      fields:
        - {{ name: filename, expression: key, primary-key: true }}
        - {{ name: text, expression: value.text }}
        - {{ name: vector, expression: value.vector }}
"""
RESOURCES = """
configuration:
  resources:
    - {{ type: local-ai-configuration, name: AI, configuration: {{}} }}
    - {{ type: datasource, name: Documents, configuration: {{ service: jdbc, url: "jdbc:sqlite:{database}" }} }}
"""
TABLES = """
CREATE TABLE chunks (filename text, chunk_id int, text text, PRIMARY KEY (filename, chunk_id));
CREATE TABLE documents (filename text PRIMARY KEY, text text, vector blob);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with empty tables."""
    database = tmp_path / "documents.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(TABLES)
    return database


@pytest.fixture
def run(s3: BucketSources, tmp_path: Path, database: Path) -> Iterator[Callable[[str], None]]:
    """Runs the application with these agents behind the source."""
    started: list[RunningApp] = []

    def start(agents: str) -> None:
        application = tmp_path / "application"
        application.mkdir()
        places = {"endpoint": s3.store.options()["endpoint"], "bucket": s3.store.bucket, "database": database}
        (application / "pipeline.yaml").write_text((SOURCE + agents).format(**places))
        (application / "configuration.yaml").write_text(RESOURCES.format(**places))
        started.append(RunningApp(application, log=tmp_path / "run.log"))

    yield start
    for app in started:
        app.kill()


async def until(database: Path, query: str, rows: list[tuple[Any, ...]], seconds: float = 60) -> None:
    """Wait until the query gives these rows."""
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(database, timeout=seconds)) as connection:
        while (found := connection.execute(query).fetchall()) != rows:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.05)


async def test_chunks_of_an_object_are_replaced_and_deleted_with_it(
    s3: BucketSources, run: Callable[[str], None], database: Path
) -> None:
    query = "SELECT filename, chunk_id, text FROM chunks ORDER BY 1, 2"
    await s3.source(state=None)
    await s3.put("a.txt", "the first paragraph\n\nthe second one\n\nthe third")
    await s3.put("b.txt", "another text")
    run(CHUNKS)
    chunks = [("a.txt", 0, "the first paragraph"), ("a.txt", 1, "the second one"), ("a.txt", 2, "the third")]
    await until(database, query, [*chunks, ("b.txt", 0, "another text")])
    await s3.put("a.txt", "now it is short")
    await until(database, query, [("a.txt", 0, "now it is short"), ("b.txt", 0, "another text")])
    await s3.remove("a.txt")
    await until(database, query, [("b.txt", 0, "another text")])


async def test_the_row_of_an_object_is_deleted_with_it_in_a_pipeline_of_texts_and_vectors(
    s3: BucketSources, run: Callable[[str], None], database: Path
) -> None:
    query = "SELECT filename, text, length(vector) > 100 FROM documents ORDER BY 1"
    await s3.source(state=None)
    await s3.put("a.txt", "One TEXT")
    await s3.put("b.txt", "Another one")
    run(WHOLE)
    await until(database, query, [("a.txt", "one text", 1), ("b.txt", "another one", 1)])
    await s3.remove("a.txt")
    await until(database, query, [("b.txt", "another one", 1)])

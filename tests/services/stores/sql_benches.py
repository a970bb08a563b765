"""The SQL databases in the contract suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langstream.services.stores.contract import Store
from tests.services.stores.bench import StoreBench, fields


class SqlBench(StoreBench):
    """A table `docs` in an embedded database."""

    by_id = "SELECT id, text, year, vector FROM docs WHERE id = ?"
    nearest = "SELECT id FROM docs ORDER BY cosine_similarity(vector, CAST(? AS FLOAT ARRAY)) DESC LIMIT 2"
    broken = "SELECT id FROM nowhere"
    resource_type = "datasource"
    bad = {"text": "bad", "year": -1, "vector": [1.0, 2.0, 3.0]}  # noqa: RUF012
    create = "CREATE TABLE docs (id VARCHAR(200) PRIMARY KEY, text {text}, year INT CHECK (year >= 0), vector {vector})"
    vector_type = "FLOATA"
    text_type = "VARCHAR"

    def __init__(self, url: str, directory: Path | None = None) -> None:
        self.url = url
        self.directory = directory

    def configuration(self) -> dict[str, Any]:
        return {"service": "jdbc", "url": self.url}

    def sink(self) -> dict[str, Any]:
        return {"table-name": "docs", "fields": fields("id")}

    async def prepare(self, store: Store) -> None:
        await store.execute("DROP TABLE IF EXISTS docs", ())
        await store.execute(self.create.format(text=self.text_type, vector=self.vector_type), ())

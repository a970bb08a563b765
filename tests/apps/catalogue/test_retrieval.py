"""The applications that look things up: chats about a web site, a chat with a memory, and FLARE."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.apps.application import RunningApp
from tests.apps.catalogue.conftest import Launch, Serve, structures
from tests.apps.catalogue.thinking import KEY, Ollama, OpenAI, Pages
from tests.apps.chat import ask, ask_until, listen
from tests.services.ai.fake_server import Reply

SITE = {
    "/robots.txt": "User-agent: *\nDisallow: /hidden\n",
    "/index.html": '<a href="/tides">T</a> <a href="/glaciers">G</a> <a href="/private/x">P</a> <a href="/hidden">H</a>'
    "<p>Welcome to the page about water, which is everywhere and which everybody needs every day.</p>",
    "/tides": "<p>The tides follow the moon, because the moon attracts the water of the oceans below it.</p>",
    "/glaciers": "<p>The glaciers carry stones with them, and where the glaciers melt the stones stay behind.</p>",
    "/private/x": "<p>The tides follow a secret.</p>",
    "/hidden": "<p>The tides follow what is hidden.</p>",
}


def site(request: Mapping[str, Any]) -> Reply:
    """A small web site."""
    text = SITE.get(request["path"])
    if text is None:
        return Reply(status=404, body=b"")
    if request["path"] == "/robots.txt":
        return Reply(body=text.encode(), content_type="text/plain")
    return Reply(body=f"<html lang='en'><body>{text}</body></html>".encode(), content_type="text/html")


def from_documents(body: dict[str, Any]) -> str:
    """Repeat the first document of the system message."""
    passages = [line for line in body["messages"][0]["content"].splitlines() if line.startswith("*")]
    return f"Read: {passages[0] if passages else 'nothing'}"


def exchange(app: RunningApp, question: str, session: str) -> str:
    """One question through the produce gateway, its answer through the consume gateway."""
    parameter = {"param:sessionId": session}
    with (
        app.socket("consume", "bot-output", **parameter, **{"option:position": "latest"}) as answers,
        app.socket("produce", "user-input", **parameter) as questions,
    ):
        questions.send(json.dumps({"value": question}))
        assert json.loads(questions.recv(timeout=60))["status"] == "OK"
        return listen(answers)


@pytest.mark.parametrize("name", ["docker-chatbot", "ollama-chatbot"])
def test_chatbots_answer_from_the_site_they_visited(launch: Launch, serve: Serve, name: str) -> None:
    pages = Pages(site)
    model: Any = OpenAI(from_documents) if name == "docker-chatbot" else Ollama(from_documents)
    serve(pages)
    serve(model)
    secrets = {
        "open-ai": {"url": f"{model.url}/v1", "access-key": KEY},
        "ollama": {"url": model.url, "model": "llama3.2"},
        "database": {"user": "sa", "password": "hdb"},
    }
    app = launch(name, secrets, site=pages.url)
    chunks = structures(app.consume("chunks", 3, seconds=60))
    assert sorted(chunk["filename"].removeprefix(pages.url) for chunk in chunks) == [
        "/glaciers",
        "/index.html",
        "/tides",
    ]
    assert {chunk["language"] for chunk in chunks} == {"en"}
    assert {chunk["chunk_id"] for chunk in chunks} == {"0"}

    deadline = time.monotonic() + 60
    while "moon" not in (answer := exchange(app, "What do the tides follow?", "s1")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "the moon attracts the water" in answer
    while "stones" not in (answer := exchange(app, "What do glaciers carry?", "s2")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "carry stones" in answer
    visited = {request["path"] for request in pages.requests}
    assert visited == {"/robots.txt", "/index.html", "/tides", "/glaciers"}
    if name == "docker-chatbot":
        last = structures(app.consume("llm-debug", 2))[-1]
        assert len(last["related_documents"]) <= 2
        assert last["answer"].startswith("Read: ")


def remembering(body: dict[str, Any]) -> str:
    """Tell what stands in the prompt."""
    lines = body["messages"][0]["content"].splitlines()
    earlier = [line.removeprefix("EARLIER ") for line in lines if line.startswith("EARLIER")]
    documents = [line.removeprefix("DOCUMENT ") for line in lines if line.startswith("DOCUMENT")]
    return f"documents {documents} turns {len(earlier)} last {earlier[0][:20] if earlier else '-'}"


def test_chatbot_rag_memory_knows_the_turns_of_its_session_only(launch: Launch, serve: Serve) -> None:
    model = OpenAI(remembering)
    serve(model)
    app = launch("chatbot-rag-memory", {"open-ai": {"url": f"{model.url}/v1", "access-key": KEY}})
    app.produce("documents", "The lighthouse keeper feeds parrots.", headers={"name": "keeper.txt"})
    app.produce("documents", "Railways need timetables.", headers={"name": "rail.txt"})
    question = "Who feeds parrots?"
    found = "documents ['The lighthouse keeper feeds parrots.']"
    assert " turns 0 last -" in ask(app, "chat", question, session="ann")
    app.consume("remembered", 1)
    answer = ask_until(app, "chat", question, found, session="ann")
    turns = len(model.bodies("/v1/chat/completions"))
    app.consume("remembered", turns)
    answer = ask(app, "chat", "And trains?", session="ann")
    assert f"turns {min(turns, 3)} last Who feeds parrots?" in answer
    assert "turns 0 last -" in ask(app, "chat", question, session="bob")
    (last,) = structures(app.consume("remembered", turns + 2))[-1:]
    assert last["written"] == {"count": 1}
    assert (last["session"], set(last)) == ("bob", {"session", "question", "answer", "written"} | extra(last))


def extra(value: dict[str, Any]) -> set[str]:
    """Members copied from headers."""
    return {name for name in value if name.startswith("langstream-")}


PASSAGES = {
    "question": "The capital of Atlantis was described by Plato.",
    "founder": "Poseidon built the walls of Atlantis, says Plato.",
    "walls": "The orichalcum walls glitter, says Critias.",
}


def flare(body: dict[str, Any]) -> list[tuple[str, float]]:
    """Unsure of a word as long as the passage about it is not in the prompt."""
    (prompt,) = body["prompt"]
    known = [line.removeprefix("KNOWN: ") for line in prompt.splitlines() if line.startswith("KNOWN: ")]
    unsure = -3.0
    founder = -0.1 if PASSAGES["founder"] in known else unsure
    walls = -0.1 if PASSAGES["walls"] in known else unsure
    said = [("It", -0.1), (" was", -0.1), (" Poseidon", founder), (" who", -0.1), (" built", -0.1), (" it", -0.1)]
    return [*said, (",", -5.0), (" with", -0.1), (" orichalcum", walls), (" glitter", -0.1), (".", -0.1)]


def test_flare_looks_up_what_the_model_was_unsure_of_until_it_is_sure(launch: Launch, serve: Serve) -> None:
    model = OpenAI(flare)
    serve(model)
    app = launch("flare", {"open-ai": {"url": f"{model.url}/v1", "access-key": KEY}})
    for id, text in PASSAGES.items():
        app.produce("passages", {"id": id, "text": text})
    app.consume("encoded", len(PASSAGES))
    time_to_store = time.monotonic() + 60
    sure: list[Any] = []
    asked = 0
    while time.monotonic() < time_to_store:  # the table is filled by another node
        app.produce("questions", "What does Plato say of the capital of Atlantis?")
        asked += 1
        sure = structures(app.consume("answers", asked))
        found = sure[-1].get("related_documents") or [{}]
        if sure[-1].get("flare_iterations") == 1 and found[0].get("text") == PASSAGES["question"]:
            break
    value = sure[-1]
    assert value["result"] == "It was Poseidon who built it, with orichalcum glitter."
    assert value["flare_iterations"] == 1
    texts = [document["text"] for document in value["related_documents"]]
    assert texts[0] == PASSAGES["question"]
    assert set(texts) == set(PASSAGES.values())
    assert not {"tokens", "documents_to_retrieve", "retrieved_documents"} & set(value)
    looked_up = [text for body in model.bodies("/v1/embeddings") for text in body["input"]]
    assert " Poseidon who built" in looked_up
    assert " orichalcum glitter." in looked_up

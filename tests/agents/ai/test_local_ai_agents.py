"""The agents on the local AI service: nothing replaced, nothing called outside of this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from langstream.agents.ai import chat_completions, embeddings
from langstream.records import Record, SimpleRecord, header
from langstream.sdk.contract import AgentContext, Resource

QUESTION = {
    "question": "What does express delivery cost?",
    "documents": [
        {"filename": "shipping.md", "text": "Parcels take three to five days. Express delivery costs 12 euros."},
        {"filename": "about.html", "text": "The company was founded in 1987. Its mascot is a heron."},
    ],
}
DOCUMENTS = "Documents:\n{{# value.documents }}\n[{{{ filename }}}] {{{ text }}}\n{{/ value.documents }}"


class Topics:
    def __init__(self) -> None:
        self.sent: list[Record] = []

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        self.sent.extend(records)


async def run(agent_type: Any, configuration: Mapping[str, Any], value: Any, topics: Topics, cache: Any) -> Any:
    agent = agent_type.create(agent_type.configuration.model_validate(configuration))
    resource = Resource("local", "local", "local-ai-configuration", {"threads": 1, "cache-directory": cache})
    await agent.start(AgentContext("a", "app", resources={"local": resource}, topics=topics))
    try:
        (((record),),) = await agent.process_batch([SimpleRecord(json.dumps(value), "k")])
    finally:
        await agent.close()
    return json.loads(record.value())


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.getbasetemp() / "local-ai"


async def test_a_question_is_answered_with_a_quote_streamed_word_by_word(cache: Any) -> None:
    topics = Topics()
    configuration = {
        "model": "extractive-quotes",
        "completion-field": "value.answer",
        "stream-to-topic": "chunks",
        "stream-response-completion-field": "value",
        "min-chunks-per-message": 4,
        "messages": [{"role": "system", "content": DOCUMENTS}, {"role": "user", "content": "{{{ value.question }}}"}],
    }
    found = await run(chat_completions.AGENT, configuration, QUESTION, topics, cache)
    assert found["answer"].startswith("Quoted from the documents (no language model is running):")
    assert "Express delivery costs 12 euros.” [shipping.md]" in found["answer"]
    assert "".join(record.value() for record in topics.sent) == found["answer"]
    assert topics.sent[0].value() == "Quoted"
    assert header(topics.sent[0].headers(), "stream-id").startswith("local-")
    assert header(topics.sent[-1].headers(), "stream-last-message") == "true"


async def test_embeddings_need_no_model_name(cache: Any) -> None:
    configuration = {"text": "{{{ record.text }}}", "embeddings-field": "record.vector", "loop-over": "value.documents"}
    found = await run(embeddings.AGENT, configuration, QUESTION, Topics(), cache)
    assert [len(document["vector"]) for document in found["documents"]] == [384, 384]

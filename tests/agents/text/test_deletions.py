"""Records without value: failures, or deletions that pass every text agent on their way to a sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Outcome, Processor

AGENTS: dict[str, dict[str, Any]] = {
    "text-extractor": {},
    "text-normaliser": {},
    "language-detector": {"allowedLanguages": ["de"]},
    "text-splitter": {"length_function": "length"},
}
DELETION = SimpleRecord(None, "a.pdf", [("chunk_id", "7")])


async def outcomes(agent_type: str, **more: Any) -> Sequence[Outcome]:
    """Those of a record without value and of one that has a text."""
    declared = AGENT_TYPES.load(agent_type)
    model, problems = check(declared.configuration, {**AGENTS[agent_type], **more}, subject="agent")
    assert model is not None, problems
    agent = declared.create(model)
    await agent.start(AgentContext("a", "app"))
    records = [DELETION, SimpleRecord("Ein Satz, der ganz gewiss in deutscher Sprache geschrieben wurde.")]
    found: Sequence[Outcome]
    found = agent.process_batch(records) if isinstance(agent, Processor) else await agent.process_batch(records)
    await agent.close()
    return found


@pytest.mark.parametrize("agent_type", AGENTS)
async def test_a_record_without_value_fails_alone(agent_type: str) -> None:
    bad, good = await outcomes(agent_type)
    assert isinstance(bad, RecordError)
    assert "no value (null)" in str(bad)
    assert "pass-deletions" in str(bad)
    assert not isinstance(good, Exception)
    assert len(good) == 1


@pytest.mark.parametrize("agent_type", AGENTS)
async def test_deletions_can_be_let_pass(agent_type: str) -> None:
    passed, good = await outcomes(agent_type, **{"pass-deletions": True})
    assert passed == [DELETION]
    assert not isinstance(good, Exception)
    assert len(good) == 1

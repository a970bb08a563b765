"""What agents did in the original, record by record: options, a record, and what became of it (`facts.jsonl`).

A result is written as its difference to the record: `=` is the record itself, `+value` and `+object` have members that
were added, `+headers` headers. JSON is compared as what it says, headers as text. `sent` has what went to other topics,
`chunks` text, length and characters of each chunk, `order` the places of re-ranked documents.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.errors import LangStreamError
from langstream.records import Dispatched, Record, SimpleRecord
from langstream.sdk.contract import AgentContext

FACTS = [json.loads(line) for line in Path(__file__).with_name("facts.jsonl").read_text("utf-8").splitlines()]


class Topics:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Record]] = {}

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        self.sent.setdefault(topic, []).extend(records)


def plain(value: Any) -> Any:
    """Bytes are written as `{"$bytes": TEXT}` or `{"$bytes_hex": DIGITS}`."""
    if isinstance(value, dict) and "$bytes" in value:
        return value["$bytes"].encode()
    return bytes.fromhex(value["$bytes_hex"]) if isinstance(value, dict) and "$bytes_hex" in value else value


def record_of(fact: Mapping[str, Any]) -> SimpleRecord:
    headers = fact.get("headers") or {}
    pairs = headers.items() if isinstance(headers, dict) else headers
    named = [(name, plain(value)) for name, value in pairs]
    return SimpleRecord(plain(fact.get("value")), plain(fact.get("key")), named, fact.get("origin"))


def meant(value: Any) -> Any:
    """JSON objects and lists as such, everything else as it is."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if isinstance(text, str) and text.strip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return value
    return value


def headers_of(record: Record) -> dict[str, str]:
    return {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in record.headers()}


def expected(result: Any, record: SimpleRecord) -> tuple[Any, dict[str, str]]:
    """The value and the headers that a result is to have."""
    value, headers = meant(record.value()), headers_of(record)
    if result == "=":
        return value, headers
    if "value" in result:
        value = meant(plain(result["value"]))
    elif added := result.get("+value") or result.get("+object"):
        value = {**value, **added}
    if "headers" in result:
        headers = {name: str(text) for name, text in result["headers"].items()}
    return value, {**headers, **result.get("+headers", {})}


async def outcome_of(fact: Mapping[str, Any], record: SimpleRecord) -> tuple[Any, dict[str, list[Any]]]:
    """What becomes of the record, and what is sent elsewhere."""
    declared = AGENT_TYPES.load(fact["agent"])
    configuration, problems = check(declared.configuration, fact["configuration"], subject="agent")
    assert not problems, problems
    agent: Any = declared.create(configuration)
    topics = Topics()
    await agent.start(AgentContext("a", "app", topics=topics))
    found = agent.process_batch([record])
    (outcome,) = await found if inspect.isawaitable(found) else found
    await agent.close()
    if not isinstance(outcome, Exception):
        for dispatched in (result for result in outcome if isinstance(result, Dispatched)):
            topics.sent.setdefault(str(dispatched.destination), []).append(dispatched)
        outcome = [result for result in outcome if not isinstance(result, Dispatched)]
    return outcome, topics.sent


def compare(results: Sequence[Any], found: Sequence[Any], record: SimpleRecord) -> None:
    assert len(found) == len(results)
    for result, one in zip(results, found, strict=True):
        assert (meant(one.value()), headers_of(one)) == expected(result, record)
        if result != "=" and "key" in result:
            assert meant(one.key()) == meant(plain(result["key"]))


@pytest.mark.parametrize("fact", [fact for fact in FACTS if "record" in fact], ids=lambda fact: fact["agent"])
async def test_records(fact: Mapping[str, Any]) -> None:
    record = record_of(fact["record"])
    outcome, sent = await outcome_of(fact, record)
    if fact.get("fails"):
        assert isinstance(outcome, LangStreamError)
        return
    assert not isinstance(outcome, Exception), outcome
    if "chunks" in fact:
        headers = [dict(chunk.headers()) for chunk in outcome]
        lengths = [(int(own["chunk_num_tokens"]), int(own["chunk_text_length"])) for own in headers]
        texts = [chunk.value() for chunk in outcome]
        assert [[text, *length] for text, length in zip(texts, lengths, strict=True)] == fact["chunks"]
        assert [own["chunk_id"] for own in headers] == [str(n) for n in range(len(outcome))]
    elif "order" in fact:
        value = meant(outcome[0].value())
        assert [value["docs"].index(document) for document in value["out"]] == fact["order"]
    else:
        compare(fact["results"], outcome, record)
    for topic, results in fact.get("sent", {}).items():
        compare(results, sent[topic], record)


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.get("refused")], ids=lambda fact: fact["agent"])
def test_options_that_cannot_work_are_refused(fact: Mapping[str, Any]) -> None:
    declared = AGENT_TYPES.load(fact["agent"])
    assert check(declared.configuration, fact["configuration"], subject="agent")[1]

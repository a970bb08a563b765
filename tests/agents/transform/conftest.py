"""Running agents as the runtime does, for facts about single records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.errors import Problem
from langstream.records import SimpleRecord
from langstream.sdk.contract import Processor

Make: TypeAlias = Callable[..., Processor]


@pytest.fixture
def make() -> Make:
    """The processor of an agent type, from its options as they stand in a file."""

    def make(agent: str, configuration: Mapping[str, Any] | None = None) -> Processor:
        declared = AGENT_TYPES.load(agent)
        model, problems = check(declared.configuration, configuration, subject=agent)
        assert not problems, problems
        processor = declared.create(model)
        assert isinstance(processor, Processor)
        return processor

    return make


@pytest.fixture
def refusals() -> Callable[[str, Mapping[str, Any]], list[Problem]]:
    """What is found wrong with the options of an agent."""

    def refusals(agent: str, configuration: Mapping[str, Any]) -> list[Problem]:
        return check(AGENT_TYPES.load(agent).configuration, configuration, subject=agent)[1]

    return refusals


@pytest.fixture
def outcome(make: Make) -> Callable[..., Any]:
    """What becomes of one record: its results, or its error."""

    def outcome(agent: str, configuration: Mapping[str, Any] | None, record: SimpleRecord) -> Any:
        (result,) = make(agent, configuration).process_batch([record])
        return result

    return outcome


@pytest.fixture
def result(outcome: Callable[..., Any]) -> Callable[..., SimpleRecord]:
    """The only result of one record."""

    def result(agent: str, configuration: Mapping[str, Any] | None, record: SimpleRecord) -> SimpleRecord:
        results = outcome(agent, configuration, record)
        if isinstance(results, Exception):
            raise results
        (only,) = results
        assert isinstance(only, SimpleRecord)
        return only

    return result

"""What offers tools and makes their calls; and how a call fails, in words for the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from langstream.records import SimpleRecord, dump_json
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import Tool, ToolCall


class ToolFailed(Exception):
    """A call failed. The model is told the message: it can do something else, or say so."""


class Toolbox(ABC):
    """Some tools. Opened and closed with the agent."""

    timeout_seconds: float | None = None
    """Limit for one call, where it is not the agent's."""
    checks_arguments: bool = False
    """The box, or the server behind it, checks arguments itself, and knows better what fits."""

    async def start(self, context: AgentContext) -> None:
        """Get ready. Raises AgentFailed."""

    async def close(self) -> None:
        """Let go. Called once, also after a failed start."""

    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """What there is at present."""

    @abstractmethod
    async def call(
        self, call: ToolCall, arguments: Mapping[str, Any], record: SimpleRecord, timeout_seconds: float
    ) -> str:
        """The result of a tool of this box, as text. Raises ToolFailed.

        It may be cancelled; it need not watch the clock unless what it started must be told.
        """


def result_text(result: Any) -> str:
    """A result as the model sees it: text as it is, everything else as JSON. Raises ToolFailed for what is neither."""
    if isinstance(result, str):
        return result
    if hasattr(result, "model_dump"):
        result = result.model_dump(mode="json")
    try:
        return dump_json(result).decode()
    except (TypeError, ValueError) as error:
        raise ToolFailed(f"the result of the tool is neither text nor JSON: {error}") from None

"""Reading the answers of OpenAI servers, event by event or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langstream.services.ai.contract import Chunk
from langstream.services.ai.failures import Source
from langstream.services.ai.openai.answers import DONE, piece_of_event, whole_answer
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece


@dataclass(frozen=True, slots=True)
class OpenAIReader:
    """Keeps nothing: every event says all about itself."""

    source: Source

    def piece(self, event: Event) -> Piece | None:
        """What the event adds, or None at `[DONE]`."""
        return None if event.data.strip() == DONE else piece_of_event(event, self.source)

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""
        return whole_answer(content, self.source)

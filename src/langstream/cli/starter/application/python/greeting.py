"""An agent of your own: change it while `langstream run --watch` is on, and ask again."""

from __future__ import annotations

import json
from typing import Any

from langstream import AgentContext, Processor, Record, SimpleRecord


class Greeter(Processor):
    """Greets whoever asks."""

    def init(self, config: dict[str, Any], context: AgentContext) -> None:
        """Take the options written in the pipeline."""
        self.greeting = config["greeting"]

    def process(self, record: Record) -> list[Record]:
        """Answer one question; the headers tie the answer to it."""
        question = json.loads(record.value())["question"]
        return [SimpleRecord(f"{self.greeting}! You asked: {question}", key=record.key(), headers=record.headers())]

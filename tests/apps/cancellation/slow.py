"""An application of two kinds of gateways, and the slow model that it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.services.ai.fake_server import FakeServer, Reply

CONFIGURATION = """
configuration:
  resources:
  - type: open-ai-configuration
    name: model
    configuration: {{url: "{url}", access-key: the-key}}
"""
PIPELINE = """
topics:
- {name: questions, creation-mode: create-if-not-exists}
- {name: answers, creation-mode: create-if-not-exists}
- {name: log, creation-mode: create-if-not-exists}
errors: {on-failure: dead-letter, retries: 3}
pipeline:
- type: ai-chat-completions
  id: chat
  input: questions
  output: log
  configuration:
    model: slow
    completion-field: value.answer
    stream-to-topic: answers
    stream-response-completion-field: value
    min-chunks-per-message: 1
    concurrency: CONCURRENCY
    messages: [{role: user, content: "{{ value.question }}"}]
"""
SPLIT = """
topics:
- {name: questions, creation-mode: create-if-not-exists}
- {name: parts, creation-mode: create-if-not-exists}
- {name: answers, creation-mode: create-if-not-exists}
- {name: log, creation-mode: create-if-not-exists}
- {name: history, creation-mode: create-if-not-exists}
pipeline:
- {type: text-splitter, id: split, input: questions, output: parts, configuration: {
    chunk_size: 8, chunk_overlap: 0, length_function: length, separators: [";"]}}
- {type: document-to-json, id: chat, input: parts, configuration: {text-field: question}}
- type: ai-chat-completions
  output: log
  configuration:
    model: slow
    completion-field: value.answer
    stream-to-topic: answers
    stream-response-completion-field: value
    min-chunks-per-message: 1
    concurrency: CONCURRENCY
    messages: [{role: user, content: "{{ value.question }}"}]
- {type: http-request, id: history, input: log, output: history, configuration: {
    url: "${globals.history}", method: POST, output-field: value.kept}}
"""
"""A question of several parts, in a node of its own; and a node that keeps the answers somewhere else."""

GATEWAYS = """
gateways:
- id: talk
  type: chat
  chat-options:
    questions-topic: questions
    answers-topic: answers
    cancel-after-seconds: AFTER
    headers: [{key: session, value-from-parameters: session}]
- id: patient
  type: chat
  chat-options:
    questions-topic: questions
    answers-topic: answers
    headers: [{key: visitor, value-from-parameters: session}]
- id: ask
  type: service
  service-options: {input-topic: questions, output-topic: answers, timeout-seconds: 1, cancel-after-seconds: AFTER}
- id: ask-long
  type: service
  service-options: {input-topic: questions, output-topic: answers, cancel-after-seconds: AFTER}
- {id: all, type: consume, topic: answers}
"""


class SlowModel(FakeServer):
    """Answers `echo QUESTION`; to questions that begin with `slow` the second word comes only after `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.questions: list[str] = []
        self.left_alone: list[str] = []
        """Questions whose askers hung up."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        if request["body"] is None:  # somebody keeps an answer here
            return Reply(headers={"Question": "slow history"})
        question = request["body"]["messages"][-1]["content"]
        self.questions.append(question)
        return Reply(headers={"Question": question})

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        question = reply.headers["Question"]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            await response.write(self._piece("echo "))
            if question.startswith("slow"):
                await self.go_on.wait()
            await response.write(self._piece(question) + self._piece(None) + self.event("[DONE]"))
        except (asyncio.CancelledError, ConnectionError):
            self.left_alone.append(question)
            raise
        return response

    def _piece(self, text: str | None) -> bytes:
        delta = {} if text is None else {"content": text}
        finish = {"finish_reason": "stop"} if text is None else {}
        return self.event({"id": "answer", "choices": [{"index": 0, "delta": delta, **finish}]})


def files(url: str, after: float = 0, concurrency: int = 8, pipeline: str = PIPELINE) -> dict[str, str]:
    """The application's files."""
    return {
        "configuration.yaml": CONFIGURATION.format(url=url),
        "pipeline.yaml": pipeline.replace("CONCURRENCY", str(concurrency)).replace("${globals.history}", url),
        "gateways.yaml": GATEWAYS.replace("AFTER", str(after)),
    }

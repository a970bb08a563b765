"""`ai-chat-completions`: sends a conversation made from the record to a chat model and stores the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import Field

from langstream.agents.ai.completion import CompletionAgent
from langstream.agents.ai.memory import MemoryOptions
from langstream.agents.ai.model_call import ModelCall
from langstream.agents.ai.options import CompletionConfiguration, LegacyTemplate, completion_options
from langstream.agents.ai.reference import check_ai_service, check_fallback
from langstream.agents.ai.response_schema import schema_findings
from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration, Text
from langstream.services.ai.contract import Message
from langstream.templates import compile_template

NAME: Final = "ai-chat-completions"


class MessageTemplate(Configuration):
    """One message of the prompt."""

    role: Text | None = Field(None, description="Who speaks: `system`, `user` or `assistant`.")
    content: LegacyTemplate = Field(description="The text, a template.")


class ChatCompletionsConfiguration(CompletionConfiguration):
    """Options of `ai-chat-completions`."""

    messages: list[MessageTemplate] = Field(description="The conversation.")
    memory: MemoryOptions | None = Field(None, description="Tell the model what was said before; by default nothing.")


class ChatCompletions(CompletionAgent):
    """Asks a chat model."""

    agent_type = NAME
    task = "chat_completions"

    def __init__(self, configuration: ChatCompletionsConfiguration) -> None:
        super().__init__(configuration, configuration.memory)
        self._messages = [
            (message.role, compile_template(message.content, legacy=True)) for message in configuration.messages
        ]
        self._options = completion_options(configuration)

    def render(self, working: WorkingRecord) -> Sequence[Message]:
        return [Message(template(working), role) for role, template in self._messages]

    def request(self, prompt: Sequence[Message]) -> ModelCall:
        return ModelCall("chat", tuple(prompt), self._options, self._configuration.stream)

    def logged(self, prompt: Sequence[Message]) -> Sequence[Any]:
        return [{"role": message.role, "content": message.content} for message in prompt]


def _check(configuration: ChatCompletionsConfiguration, context: PlanContext) -> Iterator[Finding]:
    yield from check_ai_service(configuration.ai_service, configuration.model, "completions", context)
    services = [(entry.ai_service, entry.model) for entry in configuration.fallback]
    yield from check_fallback(services, configuration.model, "completions", context)
    if configuration.response_schema is not None:
        yield from schema_findings(configuration.response_schema, ("response-schema",))


AGENT: Final = AgentType(
    name=NAME,
    component_type=ComponentType.PROCESSOR,
    configuration=ChatCompletionsConfiguration,
    create=ChatCompletions,
    summary="Sends a conversation to a chat model and stores the answer.",
    description="""\
The messages are templates over the record. The answer goes to `completion-field`; with `stream-to-topic` its pieces go
to that topic as they come, with the headers `stream-id`, `stream-index` and `stream-last-message`.""",
    composable=Composable.OPTIONAL,
    check=_check,
    family="ai",
    keeps_state=True,
    example="""\
- type: ai-chat-completions
  output: answers
  configuration:
    model: gpt-4o-mini
    completion-field: value.answer
    stream-to-topic: answer-chunks
    stream-response-completion-field: value
    min-chunks-per-message: 10
    messages:
    - role: system
      content: Answer in one sentence.
    - role: user
      content: "{{{ value.question }}}"
""",
)

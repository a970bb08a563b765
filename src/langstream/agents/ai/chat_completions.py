"""`ai-chat-completions`: sends a conversation made from the record to a chat model and stores the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import Field

from langstream.agents.ai.chunks import Publisher
from langstream.agents.ai.completion import CompletionAgent
from langstream.agents.ai.exchange import Exchange
from langstream.agents.ai.memory import MemoryOptions
from langstream.agents.ai.model_call import Answer, ModelCall
from langstream.agents.ai.options import CompletionConfiguration, LegacyTemplate, completion_options
from langstream.agents.ai.reference import check_ai_service, check_fallback
from langstream.agents.ai.response_schema import schema_findings
from langstream.agents.ai.tools.boxes import caller_of
from langstream.agents.ai.tools.checks import tool_findings
from langstream.agents.ai.tools.configuration import ToolOptions
from langstream.agents.ai.tools.rounds import answered
from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Configuration, Text
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import Message
from langstream.templates import compile_template

NAME: Final = "ai-chat-completions"


class MessageTemplate(Configuration):
    """One message of the prompt."""

    role: Text | None = Field(None, description="Who speaks: `system`, `user` or `assistant`.")
    content: LegacyTemplate = Field(description="The text, a template.")


class ChatCompletionsConfiguration(ToolOptions, CompletionConfiguration):
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
        options = completion_options(configuration)
        self._caller = caller_of(configuration)
        self._options = replace(options, tool_choice=configuration.tool_choice) if self._caller else options
        self._most_rounds = configuration.max_tool_rounds
        self._store_calls = result_field(configuration.tool_log_field) if configuration.tool_log_field else None

    async def start(self, context: AgentContext) -> None:
        await super().start(context)
        if self._caller is not None:
            await self._caller.start(context)

    async def close(self) -> None:
        if self._caller is not None:
            await self._caller.close()
        await super().close()

    def render(self, working: WorkingRecord) -> Sequence[Message]:
        return [Message(template(working), role) for role, template in self._messages]

    def request(self, prompt: Sequence[Message]) -> ModelCall:
        return ModelCall("chat", tuple(prompt), self._options, self._configuration.stream)

    async def reply(
        self, call: ModelCall, working: WorkingRecord, exchange: Exchange, publisher: Publisher
    ) -> tuple[ModelCall, Answer]:
        if self._caller is None:
            return await super().reply(call, working, exchange, publisher)
        return await answered(call, self._caller, self._most_rounds, exchange, publisher)

    async def converse(self, prompt: Sequence[Message], working: WorkingRecord, exchange: Exchange) -> Answer:
        answer = await super().converse(prompt, working, exchange)
        if self._store_calls is not None:
            self._store_calls(working, exchange.tool_log)
        return answer

    def logged(self, prompt: Sequence[Message]) -> Sequence[Any]:
        return [{"role": message.role, "content": message.content} for message in prompt]


def _check(configuration: ChatCompletionsConfiguration, context: PlanContext) -> Iterator[Finding]:
    yield from check_ai_service(configuration.ai_service, configuration.model, "completions", context)
    services = [(entry.ai_service, entry.model) for entry in configuration.fallback]
    yield from check_fallback(services, configuration.model, "completions", context)
    if configuration.response_schema is not None:
        yield from schema_findings(configuration.response_schema, ("response-schema",))
    fallback = [entry.ai_service for entry in configuration.fallback]
    yield from tool_findings(configuration, configuration.ai_service, fallback, context)


AGENT: Final = AgentType(
    name=NAME,
    component_type=ComponentType.PROCESSOR,
    configuration=ChatCompletionsConfiguration,
    create=ChatCompletions,
    summary="Sends a conversation to a chat model and stores the answer.",
    description="""\
The messages are templates over the record. The answer goes to `completion-field`; with `stream-to-topic` its pieces go
to that topic as they come, with the headers `stream-id`, `stream-index` and `stream-last-message`. With `tools`
the model may call functions of the application, MCP servers and other pipelines before it answers.""",
    composable=Composable.OPTIONAL,
    check=_check,
    family="ai",
    keeps_state=True,
    example="""\
- type: ai-chat-completions
  input: questions
  output: answers
  configuration:
    ai-service: openai
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

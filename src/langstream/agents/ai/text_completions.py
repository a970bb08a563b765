"""`ai-text-completions`: lets a model continue a text made from the record and stores the continuation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import Field

from langstream.agents.ai.completion import CompletionAgent
from langstream.agents.ai.model_call import Answer, ModelCall
from langstream.agents.ai.options import CompletionConfiguration, FieldName, completion_options
from langstream.agents.ai.reference import check_ai_service, check_fallback
from langstream.agents.ai.response_schema import schema_findings
from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Template
from langstream.templates import compile_template

NAME: Final = "ai-text-completions"


class TextCompletionsConfiguration(CompletionConfiguration):
    """Options of `ai-text-completions`."""

    prompt: list[Template] = Field(description="The texts to continue, sent together; the first answer counts.")
    logprobs: int | None = Field(None, description="How many log probabilities to ask for.")
    logprobs_field: FieldName | None = Field(
        None, description="Where the tokens and their log probabilities go: `{tokens: […], logprobs: […]}`."
    )


class TextCompletions(CompletionAgent):
    """Asks a completion model."""

    agent_type = NAME
    task = "text_completions"

    def __init__(self, configuration: TextCompletionsConfiguration) -> None:
        super().__init__(configuration)
        self._prompt = [compile_template(text) for text in configuration.prompt]
        self._options = completion_options(configuration, configuration.logprobs)
        self._store_logprobs = result_field(configuration.logprobs_field) if configuration.logprobs_field else None

    def render(self, working: WorkingRecord) -> Sequence[str]:
        return [template(working) for template in self._prompt]

    def request(self, prompt: Sequence[str]) -> ModelCall:
        return ModelCall("text", tuple(prompt), self._options, self._configuration.stream)

    def store(self, working: WorkingRecord, answer: Answer) -> None:
        if self._store_logprobs is not None:
            self._store_logprobs(working, {"tokens": answer.tokens, "logprobs": answer.logprobs})


def _check(configuration: TextCompletionsConfiguration, context: PlanContext) -> Iterator[Finding]:
    yield from check_ai_service(configuration.ai_service, configuration.model, "completions", context)
    services = [(entry.ai_service, entry.model) for entry in configuration.fallback]
    yield from check_fallback(services, configuration.model, "completions", context)
    if configuration.response_schema is not None:
        yield from schema_findings(configuration.response_schema, ("response-schema",))


AGENT: Final = AgentType(
    name=NAME,
    component_type=ComponentType.PROCESSOR,
    configuration=TextCompletionsConfiguration,
    create=TextCompletions,
    summary="Lets a model continue a text and stores the continuation.",
    description="""\
The prompts are templates over the record. Streaming works as with `ai-chat-completions`; a blank first piece is left
out.""",
    composable=Composable.OPTIONAL,
    check=_check,
    family="ai",
    keeps_state=True,
    example="""\
- type: ai-text-completions
  input: subjects
  output: texts
  configuration:
    ai-service: openai
    model: gpt-3.5-turbo-instruct
    completion-field: value.text
    logprobs: 5
    logprobs-field: value.logprobs
    prompt:
      - "Tell me about {{{ value.subject }}}"
""",
)

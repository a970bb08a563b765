"""The options that `ai-chat-completions` and `ai-text-completions` share, and the kinds of text in them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from langstream.agents.ai.operations import (
    MOVES_ON,
    BudgetWait,
    CacheOptions,
    Category,
    CircuitOptions,
    FallbackService,
    JournalOptions,
    RequestsPerMinute,
    TokensPerMinute,
)
from langstream.agents.ai.reference import AIServiceName
from langstream.agents.ai.response_schema import Schema
from langstream.agents.working_record import result_field
from langstream.configuration.model import Configuration, Expression, Kind, Text, TopicName
from langstream.services.ai.contract import CompletionOptions
from langstream.services.ai.prices import Price
from langstream.templates import TemplateSyntaxError, compile_template


def _compiles_as_legacy_template(text: str) -> str:
    try:
        compile_template(text, legacy=True)
    except TemplateSyntaxError as error:
        raise ValueError(f"not a valid template: {error}") from None
    return text


def _is_result_field(name: str) -> str:
    result_field(name)
    return name


LegacyTemplate = Annotated[str, AfterValidator(_compiles_as_legacy_template), Kind("template")]
"""A template in which `{{%` still means `{{`, as in the first versions of the platform."""

FieldName = Annotated[str, AfterValidator(_is_result_field)]
"""Where a result is put: `value`, `key`, `value.NAME`, `key.NAME`, `properties.NAME` …"""


class CompletionConfiguration(Configuration):
    """Everything about completions but the prompt."""

    model: Text = Field(description="The model; with Azure the name of the deployment.")
    ai_service: AIServiceName | None = Field(
        None, description="The AI resource to use. Without it the first one of the application, by type."
    )
    when: Expression | None = Field(None, description="Only records for which this holds; the others pass unchanged.")
    completion_field: FieldName = Field("value", description="Where the answer goes.")
    stream: bool = Field(True, description="Ask for the answer in pieces.")
    stream_to_topic: TopicName | None = Field(None, description="The topic that gets the pieces as they come.")
    stream_response_completion_field: FieldName | None = Field(
        None, description="Where the text goes in the records of `stream-to-topic`; as `completion-field` if absent."
    )
    min_chunks_per_message: int = Field(
        20, ge=1, description="Pieces per record of `stream-to-topic` grow 1, 2, 4 … up to this many."
    )
    concurrency: int = Field(
        1024, ge=1, description="Answers under way at one time. Fewer suit a service that limits requests."
    )
    log_field: FieldName | None = Field(
        None, description="Where the options, the prompt and the model go, as JSON text. It holds the whole prompt."
    )
    max_tokens: int | None = Field(None, description="Limit for the length of the answer.")
    temperature: float | None = Field(None, description="Sampling temperature.")
    top_p: float | None = Field(None, description="Nucleus sampling.")
    logit_bias: dict[str, int] | None = Field(None, description="Bias of tokens by id.")
    user: Text | None = Field(None, description="The end user, for the service's own records.")
    stop: list[Text] | None = Field(None, description="Texts that end the answer.")
    presence_penalty: float | None = Field(None, description="Penalty on tokens that occurred.")
    frequency_penalty: float | None = Field(None, description="Penalty on tokens by how often they occurred.")
    options: dict[str, Any] | None = Field(
        None, description="Further options of the service, passed on under the names that it gives them."
    )
    response_schema: Schema | None = Field(
        None,
        description="The JSON Schema of the answer. The answer is then stored as the value that it is, not as text.",
    )
    fallback: list[FallbackService] = Field([], description="Services asked, in this order, when the first one fails.")
    fallback_on: list[Category] = Field(list(MOVES_ON), description="Failures after which the next service is asked.")
    circuit: CircuitOptions = Field(
        CircuitOptions(), description="When a service that fails is left alone. Where there is a `fallback` only."
    )
    requests_per_minute: RequestsPerMinute = None
    tokens_per_minute: TokensPerMinute = None
    budget_wait_seconds: BudgetWait = 600.0
    usage_headers: bool = Field(
        False,
        description="Tell in headers of the record what the answer took: `langstream-prompt-tokens`, "
        "`langstream-completion-tokens`, `langstream-model`, `langstream-service` and, where it has a price, "
        "`langstream-cost`.",
    )
    prices: dict[str, Price] = Field(
        {}, description="Prices of models, per million tokens; they go before those of the service."
    )
    cache: CacheOptions | None = Field(None, description="Answer identical questions from a cache; by default not.")
    journal: JournalOptions = Field(
        JournalOptions(), description="Answers are kept until their record is committed, to be asked for once only."
    )


def completion_options(configuration: CompletionConfiguration, logprobs: int | None = None) -> CompletionOptions:
    """The options to pass on to the service."""
    return CompletionOptions(
        max_tokens=configuration.max_tokens,
        temperature=configuration.temperature,
        top_p=configuration.top_p,
        logit_bias=configuration.logit_bias,
        user=configuration.user,
        stop=configuration.stop,
        presence_penalty=configuration.presence_penalty,
        frequency_penalty=configuration.frequency_penalty,
        logprobs=logprobs,
        extra=configuration.options or {},
        response_schema=configuration.response_schema,
    )

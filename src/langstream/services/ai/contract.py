"""What an AI service is: chat and text completions, streamed, and embeddings; and how a provider is declared."""

from __future__ import annotations

from abc import ABC
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from langstream.configuration.model import Configuration

AI_RESOURCE_TYPES: Final = (
    "open-ai-configuration",
    "vertex-configuration",
    "hugging-face-configuration",
    "bedrock-configuration",
    "ollama-configuration",
    "anthropic-configuration",
    "local-ai-configuration",
)
"""In the order in which a service is chosen where `ai-service` names none."""

Task: TypeAlias = Literal["completions", "embeddings"]
"""What an agent wants of a service."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call. `parameters` is the JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model wants made. `arguments` is JSON text as the model wrote it, which may be wrong.

    `signature` is the service's; it wants it back with the call.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that an agent of the application asks for, and what for."""

    model: str
    task: Task


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `role` None lets the service decide.

    `tool_calls` are those that this answer of the model asked for, `thoughts` the blocks that the service wants back
    with them, as it gave them (JSON). `tool_call` is the call of which `content` is the result; its role is `tool`.
    """

    content: str
    role: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Mapping[str, Any], ...] = ()
    tool_call: ToolCall | None = None
    failed: bool = False
    """Whether the call failed; `content` then tells the model why."""


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Options passed on as they are; None means: not sent. `extra` is provider specific."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    logit_bias: Mapping[str, int] | None = None
    user: str | None = None
    stop: Sequence[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    response_schema: Mapping[str, Any] | None = None
    """The JSON Schema of the answer, which is then JSON. The service does what it can; the agent checks the answer."""
    tools: tuple[Tool, ...] = ()
    """What the model may call; chat only, and only where the provider has `tools`."""
    tool_choice: str | None = None
    """`auto`, `required`, `none`, or the name of the only tool it shall call."""


FinishReason: TypeAlias = Literal["stop", "length", "tool-calls", "filtered"]
"""Why an answer ends: the model was done, the limit of tokens, it wants calls made, a content filter."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the service."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer. `answer_id` is the service's, the same for all pieces of one answer.

    `last` marks the end; only one chunk of an answer has it. `usage`, `tool_calls` (put together from their pieces),
    `thoughts` and `finish` come with the last chunk, if at all.
    """

    text: str
    answer_id: str = ""
    last: bool = False
    tokens: Sequence[str] = ()
    logprobs: Sequence[float] = ()
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Mapping[str, Any], ...] = ()
    finish: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector per text, in order."""

    vectors: Sequence[Sequence[float]]
    usage: Usage | None = None


class AIService(ABC):
    """A connection to one configured service. Failures are `ServiceError`s, retried inside as the service asks."""

    async def start(self) -> None:
        """Open connections."""

    async def close(self) -> None:
        """Let go."""

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """Find out, by the cheapest calls there are, whether the service answers and takes the key: ServiceError
        (`authentication`, `transient` …) if not. Nothing is repeated, nothing generated.

        The result has the models that the service does not have, with its reason; those of which it cannot tell are
        not in it.
        """
        return {}

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces; a single one where `stream` is false or the service cannot stream.

        Closing the generator abandons the answer, and the connection it comes by.
        """
        raise NotImplementedError

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        """The continuation of the prompts, in pieces."""
        raise NotImplementedError

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        """The vectors of the texts."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AIProvider:
    """The declaration of a provider, registered in `langstream.ai` under its resource type."""

    resource_type: str
    configuration: type[Configuration]
    connect: Callable[[Any], AIService]
    """Makes the service from the validated configuration; opens nothing before `start`."""
    summary: str
    metrics_prefix: str = "ai"
    """Begins the names of the counters, as in `openai_chat_completions_num_calls`."""
    embeddings_model: str | None = None
    """The model of embeddings where the agent names none; None: it must name one."""
    completion_models: tuple[str, ...] = ()
    """The only models of completions that there are; empty: the service knows."""
    embeddings_models: tuple[str, ...] = ()
    """The only models of embeddings that there are; empty: the service knows."""
    tasks: tuple[Task, ...] = ("completions", "embeddings")
    """What the service can do."""
    tools: bool = False
    """Whether its chat models can call tools."""
    example_resource: str = ""
    """The entry of `resources` in `configuration.yaml`: a YAML list of one. Its name is that of no other example."""
    example: str = ""
    """Pipeline entries that use it."""

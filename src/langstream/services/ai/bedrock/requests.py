"""The body of a request to Converse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langstream.services.ai.contract import CompletionOptions
from langstream.services.ai.conversation import Conversation, present

_TOP: Final = frozenset(
    (
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "outputConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
        "toolConfig",
    )
)
"""Members of requests that are not for the model."""

_OWN: Final = frozenset(("messages", "modelId", "system"))


def converse_body(conversation: Conversation, options: CompletionOptions) -> dict[str, Any]:
    """The agent's `options` are members of the request where it knows them, else `additionalModelRequestFields`."""
    extra = options.extra
    body: dict[str, Any] = {name: value for name, value in extra.items() if name in _TOP}
    body["messages"] = [{"role": turn.speaker, "content": _texts(turn.texts)} for turn in conversation.turns]
    if conversation.instructions:
        body["system"] = _texts(conversation.instructions)
    if inference := {**_mapping(extra.get("inferenceConfig")), **_tuning(options)}:
        body["inferenceConfig"] = inference
    known = _TOP | _OWN | {"inferenceConfig", "additionalModelRequestFields"}
    loose = {name: value for name, value in extra.items() if name not in known}
    if fields := {**_mapping(extra.get("additionalModelRequestFields")), **loose}:
        body["additionalModelRequestFields"] = fields
    return body


def _tuning(options: CompletionOptions) -> dict[str, Any]:
    return present(
        {
            "maxTokens": options.max_tokens,
            "temperature": options.temperature,
            "topP": options.top_p,
            "stopSequences": list(options.stop) if options.stop is not None else None,
        }
    )


def _texts(texts: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

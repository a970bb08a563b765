"""The bodies of requests to Gemini: tuning goes to `generationConfig`, the rest to the top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langstream.services.ai.contract import CompletionOptions
from langstream.services.ai.conversation import Conversation, present

_TOP: Final = frozenset(("cachedContent", "labels", "safetySettings", "systemInstruction", "toolConfig", "tools"))
"""Members of requests that are not part of `generationConfig`."""

_OWN: Final = frozenset(("contents", "generationConfig", "model"))


def gemini_body(conversation: Conversation, options: CompletionOptions) -> dict[str, Any]:
    """The body for `generateContent`. Options of the agent go before members of its `options`."""
    body: dict[str, Any] = {name: value for name, value in options.extra.items() if name in _TOP}
    if conversation.instructions:
        body["systemInstruction"] = {"parts": _parts(conversation.instructions)}
    body["contents"] = [
        {"role": "model" if turn.speaker == "assistant" else "user", "parts": _parts(turn.texts)}
        for turn in conversation.turns
    ]
    generation = _generation(options)
    return {**body, "generationConfig": generation} if generation else body


def _generation(options: CompletionOptions) -> dict[str, Any]:
    nested = options.extra.get("generationConfig")
    loose = {name: value for name, value in options.extra.items() if name not in _TOP | _OWN}
    known = {
        "maxOutputTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": list(options.stop) if options.stop is not None else None,
        "presencePenalty": options.presence_penalty,
        "frequencyPenalty": options.frequency_penalty,
        "responseLogprobs": True if options.logprobs is not None else None,
        "logprobs": options.logprobs or None,
    }
    return {**loose, **(nested if isinstance(nested, Mapping) else {}), **present(known)}


def _parts(texts: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]

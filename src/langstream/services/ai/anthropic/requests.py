"""The body of a request to the Messages API."""

from __future__ import annotations

from typing import Any, Final

from langstream.services.ai.contract import CompletionOptions
from langstream.services.ai.conversation import Conversation, present

_OWN: Final = frozenset(("model", "messages", "stream"))
"""Members that `options` cannot set: they are the agent's."""


def messages_body(
    model: str, conversation: Conversation, options: CompletionOptions, max_tokens: int, *, stream: bool
) -> dict[str, Any]:
    """Members that the agent has options for go before those of `options`; `system` and `metadata` too."""
    extra = {name: value for name, value in options.extra.items() if name not in _OWN}
    known = present(
        {
            "max_tokens": options.max_tokens,
            "system": "\n\n".join(conversation.instructions) or None,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "stop_sequences": list(options.stop) if options.stop is not None else None,
            "metadata": {"user_id": options.user} if options.user is not None else None,
        }
    )
    messages = [{"role": turn.speaker, "content": "\n\n".join(turn.texts)} for turn in conversation.turns]
    return {"model": model, "max_tokens": max_tokens, **extra, **known, "messages": messages, "stream": stream}

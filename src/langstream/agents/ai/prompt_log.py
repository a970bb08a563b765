"""The text stored in `log-field`: options, rendered prompt and model, members in a fixed order.

It holds whatever the prompt holds; it goes into the record and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from langstream.agents.ai.options import CompletionConfiguration
from langstream.records import dump_json

_BEFORE: Final = ("type", "when", "model")
_MIDDLE: Final = (
    "stream-to-topic",
    "stream-response-completion-field",
    "min-chunks-per-message",
    "completion-field",
    "stream",
    "log-field",
)
_LOGPROBS: Final = ("logprobs-field", "logprobs")
_AFTER: Final = (
    "max-tokens",
    "temperature",
    "top-p",
    "logit-bias",
    "user",
    "stop",
    "presence-penalty",
    "frequency-penalty",
    "options",
)


def logged_options(agent_type: str, configuration: CompletionConfiguration) -> dict[str, Any]:
    """The options as written in the pipeline, absent ones as null. `logprobs` is a floating-point number, as ever."""
    written = {"type": agent_type, **configuration.model_dump(by_alias=True)}
    prompt = "messages" if "messages" in written else "prompt"
    names = (*_BEFORE, prompt, *_MIDDLE, *(_LOGPROBS if prompt == "prompt" else ()), *_AFTER)
    options = {name: written[name] for name in names}
    if options.get("logprobs") is not None:
        options["logprobs"] = float(options["logprobs"])
    return options


def log_text(options: dict[str, Any], messages: Sequence[Any], model: str) -> str:
    """The JSON text for one call."""
    return dump_json({"options": options, "messages": messages, "model": model}).decode()

"""The exchange between a model and its tools: rounds of calls and results until the model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langstream.agents.ai.chunks import Publisher
from langstream.agents.ai.exchange import Exchange
from langstream.agents.ai.model_call import Answer, ModelCall
from langstream.agents.ai.tools.calling import Called, Caller
from langstream.errors import RecordError
from langstream.services.ai.contract import Message


async def answered(
    call: ModelCall, caller: Caller, most_rounds: int, exchange: Exchange, publisher: Publisher
) -> tuple[ModelCall, Answer]:
    """The final answer, and the conversation that led to it. Raises RecordError where the model does not stop calling.

    A `tool_choice` other than `auto` and `none` holds for the first turn only: the model could not answer otherwise.
    """
    call = replace(call, options=replace(call.options, tools=caller.tools()))
    rounds = 0
    while True:
        answer = await exchange.ask(call, publisher)
        if not answer.tool_calls:
            return call, answer
        if rounds == most_rounds:
            names = ", ".join(sorted({wanted.name for wanted in answer.tool_calls}))
            raise RecordError(
                f"the model still calls tools after {most_rounds} rounds ({names}): raise `max-tool-rounds`, or "
                "tell it in the prompt when to stop"
            )
        rounds += 1
        results = await caller.make(answer.tool_calls, exchange.record)
        exchange.tool_log += [_logged(rounds, called) for called in results]
        call = _continued(call, answer, results)


def _continued(call: ModelCall, answer: Answer, results: Sequence[Called]) -> ModelCall:
    said = Message(answer.text, "assistant", answer.tool_calls, answer.thoughts)
    told = (Message(item.result, "tool", tool_call=item.call, failed=item.failed) for item in results)
    messages = tuple(part for part in call.prompt if isinstance(part, Message))
    choice = call.options.tool_choice
    options = call.options if choice in (None, "auto", "none") else replace(call.options, tool_choice="auto")
    return replace(call, prompt=(*messages, said, *told), options=options)


def _logged(number: int, called: Called) -> dict[str, Any]:
    """A call as `tool-log-field` shows it."""
    return {
        "round": number,
        "name": called.call.name,
        "arguments": called.arguments,
        "result": called.result,
        "failed": called.failed,
        "milliseconds": round(called.seconds * 1000, 3),
    }

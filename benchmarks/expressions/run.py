"""How long expressions and templates take, beside hand-written Python and beside other libraries.

    python benchmarks/expressions/run.py

Prints microseconds per evaluation and ratios; all figures come from the same run, by the processor's time.
"""

from __future__ import annotations

import importlib.util
import time
import timeit
from collections.abc import Callable
from typing import Any

from langstream.agents.working_record import WorkingRecord
from langstream.expressions import compile_condition, compile_expression
from langstream.records import SimpleRecord
from langstream.templates import compile_template

TEXT = '{"n": 21, "user": {"address": {"city": "Oslo"}}, "name": "Ada", "items": [{"t": "x"}, {"t": "y"}, {"t": "z"}]}'
RECORD = WorkingRecord(SimpleRecord(TEXT, "k", [("lang", "en")]))

CONDITIONS: list[tuple[str, Callable[[Any], Any]]] = [
    ("value.n > 10", lambda r: r.value["n"] > 10),
    ("value.n > 10 && properties.lang == 'en'", lambda r: r.value["n"] > 10 and r.properties["lang"] == "en"),
]
EXPRESSIONS: list[tuple[str, Callable[[Any], Any]]] = [
    ("value.n", lambda r: r.value.get("n")),
    ("value.user.address.city", lambda r: r.value.get("user").get("address").get("city")),
    ("value.n * 2 + 1", lambda r: r.value["n"] * 2 + 1),
    ("fn:uppercase(value.name)", lambda r: r.value["name"].upper()),
    ("fn:concat(value.name, ' ', value.n)", lambda r: f"{r.value['name']} {r.value['n']}"),
    ("fn:filter(value.items, \"record.t != 'y'\")", lambda r: [i for i in r.value["items"] if i["t"] != "y"]),
]
TEMPLATES: list[tuple[str, Callable[[Any], Any]]] = [
    ("Hello {{{ value.name }}}!", lambda r: f"Hello {r.value['name']}!"),
    (
        "{{ value.name }}: {{# value.items }}{{ t }}, {{/ value.items }}",
        lambda r: f"{r.value['name']}: " + "".join([f"{i['t']}, " for i in r.value["items"]]),
    ),
]
PYTHON_OF: dict[str, str] = {
    "value.n > 10": "value.n > 10",
    "value.n > 10 && properties.lang == 'en'": "value.n > 10 and properties.lang == 'en'",
    "value.n": "value.n",
    "value.user.address.city": "value.user.address.city",
    "value.n * 2 + 1": "value.n * 2 + 1",
}
"""The same for simpleeval."""


def micros(function: Callable[[Any], Any], argument: Any) -> float:
    """Microseconds per call: the best of many short runs, which other work on the machine disturbs least."""
    timer = timeit.Timer(lambda: function(argument), timer=time.process_time)
    number = max(1, int(0.005 / max(timer.timeit(5) / 5, 1e-7)))
    return min(timer.repeat(25, number)) / number * 1e6


def line(text: str, ours: float, by_hand: float, peer: tuple[str, float] | None) -> None:
    beside = f"{peer[0]} {peer[1]:8.2f} µs ({peer[1] / ours:5.1f} × ours)" if peer else ""
    print(f"{text[:46]:46} {ours:7.2f} µs   {ours / by_hand:5.1f} × Python by hand   {beside}")


def simpleeval_of(text: str) -> tuple[str, float] | None:
    """simpleeval with the expression parsed beforehand, if it is installed and knows the expression."""
    if importlib.util.find_spec("simpleeval") is None or text not in PYTHON_OF:
        return None
    import simpleeval

    source = PYTHON_OF[text]
    evaluator = simpleeval.EvalWithCompoundTypes()
    parsed = evaluator.parse(source)

    def evaluate(record: WorkingRecord) -> Any:
        evaluator.names = {"value": record.value, "properties": record.properties}
        return evaluator.eval(source, previously_parsed=parsed)

    return "simpleeval", micros(evaluate, RECORD)


def chevron_of(text: str) -> tuple[str, float] | None:
    """chevron, if it is installed."""
    if importlib.util.find_spec("chevron") is None:
        return None
    import chevron

    return "chevron", micros(lambda record: chevron.render(text, {"value": record.value}), RECORD)


def main() -> None:
    for text, by_hand in CONDITIONS:
        line(text, micros(compile_condition(text), RECORD), micros(by_hand, RECORD), simpleeval_of(text))
    for text, by_hand in EXPRESSIONS:
        line(text, micros(compile_expression(text), RECORD), micros(by_hand, RECORD), simpleeval_of(text))
    for text, by_hand in TEMPLATES:
        line(text, micros(compile_template(text), RECORD), micros(by_hand, RECORD), chevron_of(text))


if __name__ == "__main__":
    main()

"""What the original's templates do, row by row; `DIFFERENT` lists where LangStream does something better on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.working_record import WorkingRecord
from langstream.records import SimpleRecord
from langstream.templates import TemplateError, TemplateSyntaxError, compile_template

FACTS = Path(__file__).parent / "facts"

DIFFERENT = {
    # lists and maps are JSON
    "{{{ value.m }}}": '{"k":"v"}',
    "{{ value.m }}": "{&quot;k&quot;:&quot;v&quot;}",
    "{{{ value.names }}}": '["p","q"]',
}


def record() -> WorkingRecord:
    parts = json.loads((FACTS / "record.json").read_text())
    headers = list(parts["headers"].items())
    return WorkingRecord(SimpleRecord(parts["value"], parts["key"], headers, parts["origin"], parts["timestamp"]))


def rows() -> list[Any]:
    lines = (FACTS / "mustache.jsonl").read_text().splitlines()
    return [pytest.param(json.loads(line), id=f"mustache-{number}") for number, line in enumerate(lines, 1)]


@pytest.mark.parametrize("row", rows())
def test_the_template_gives_what_the_original_gives_or_something_better(row: dict[str, Any]) -> None:
    text = row["tpl"]
    if "start_err" in row or row.get("err") == "template-partial":
        with pytest.raises(TemplateSyntaxError) as refused:
            compile_template(text)
        assert refused.value.line == 1
    elif "err" in row:
        with pytest.raises(TemplateError, match="template line 1"):
            compile_template(text)(record())
    else:
        assert compile_template(text)(record()) == DIFFERENT.get(text, row["out"])

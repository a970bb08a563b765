"""Every option of the original's sources, sinks, queries, stores and assets is there, with its default (`options.txt`).

Where it is not the same, the difference stands here with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.options import Option, options
from langstream.registry import ASSETS, STORES, Registry

DIFFERENT: Final = {
    "webcrawler-source seed-urls": ("!", "without seeds nothing was ever emitted"),
    "webcrawler-source allowed-domains": ("!", "without them nothing was allowed"),
    "webcrawler-source state-storage": (
        "",
        "where the state is kept follows from the other options; a disk needs none",
    ),
    "webcrawler-source bucketName": ("", "without it that of the original, where the state goes to a bucket at all"),
    "webcrawler-source endpoint": ("", "the default was an address that cannot exist"),
    "webcrawler-source access-key": ("", "as the original's, where the state goes to a bucket"),
    "webcrawler-source secret-key": ("", "as the original's, where the state goes to a bucket"),
    "cassandra keyspace": ('= ""', "none"),
    "cassandra maxConcurrentRequests": ("= 128", "rows are written at the same time"),
    "astra keyspace": ('= ""', "none"),
    "milvus collection-name": ("!", "a sink without it did not start"),
    "opensearch flush-interval": ("", "nothing is held back"),
    "opensearch batch-size": ("", "what is there goes together"),
    "pinecone vector.id": ("!", "without it every record failed"),
    "pinecone vector.vector": ("!", "without it every record failed"),
    "astra-vector-db endpoint": ("!", "without it agents did not start"),
    "astra-vector-db token": ("!", "without it agents did not start"),
    "jdbc driverClass": ('= ""', "the URL says which database it is"),
    "pinecone environment": ("", "indexes have addresses without one now; the address is looked up"),
    "pinecone project-name": ("", "as environment"),
}
"""`TYPE OPTION` → what is declared instead, and why."""


def facts() -> list[tuple[str, str, str]]:
    """Kind and name of the type, and a line of it."""
    found = []
    paragraphs = Path(__file__).with_name("options.txt").read_text("utf-8").split("\n\n")
    for paragraph in paragraphs:
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        found += [(*lines[0].partition(" ")[::2], line) for line in lines[1:]]
    return found


def declared(kind: str, name: str) -> dict[str, Option]:
    if kind == "agent":
        model: Any = AGENT_TYPES.load(name).configuration
    elif kind == "asset":
        model = Registry(ASSETS).load(name).configuration
    else:
        store = Registry(STORES).load(name)
        model = store.configuration if kind == "store" else store.sink_configuration
    return {option.name: option for option in options(model)}


@pytest.mark.parametrize(("kind", "name", "line"), facts())
def test_options_of_the_original(kind: str, name: str, line: str) -> None:
    option, _, said = line.partition(" ")
    expected, _reason = DIFFERENT.get(f"{name} {option}", (said, ""))
    found = declared(kind, name)[option]
    assert found.required is (expected == "!")
    if expected.startswith("= "):
        assert json.loads(found.default.strip("`")) == json.loads(expected.removeprefix("= "))
    else:
        assert found.default == ""


def test_every_difference_is_one() -> None:
    lines = {f"{name} {line.partition(' ')[0]}": line.partition(" ")[2] for _, name, line in facts()}
    assert DIFFERENT.keys() <= lines.keys()
    assert [option for option, (declared, _) in DIFFERENT.items() if lines[option] == declared] == []

"""Every code block of the guide to custom agents is a file that does what the guide says."""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from langstream.agents.custom import code
from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, NotAttempted, Service, Sink, Source
from tests.servers.ports import free_port

GUIDE = Path(__file__).parents[3] / "docs" / "custom-agents.md"
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(language, title, text) for language, title, text in BLOCK.findall(GUIDE.read_text())]
PIPELINES = {title: yaml.safe_load(text) for language, title, text in BLOCKS if language == "yaml"}


class Guide:
    """The application made of all blocks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent: list[tuple[str, Record]] = []
        self._started: list[Any] = []
        for _, title, text in BLOCKS:
            file = directory / title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """The topics that agents write to by themselves."""
        self.sent += [(topic, record) for record in records]

    async def agent(self, type_name: str, **configuration: Any) -> Any:
        """A started agent."""
        kind = AGENT_TYPES.load(type_name)
        model, problems = check(kind.configuration, configuration, subject="guide")
        assert model is not None, problems
        agent = kind.create(model)
        self._started.append(agent)
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        await agent.start(
            AgentContext("guide", "app", topics=self, state_directory=state, code_directory=self.directory)
        )
        return agent

    async def pipeline(self, title: str) -> Any:
        """The agent of a pipeline of the guide, started."""
        [agent] = PIPELINES[title]["pipeline"]
        return await self.agent(agent["type"], **agent["configuration"])

    async def close(self) -> None:
        """Close everything."""
        for agent in self._started:
            await agent.close()
        self._started.clear()


@pytest.fixture
async def guide(tmp_path: Path) -> AsyncIterator[Guide]:
    """The files of the guide."""
    guide = Guide(tmp_path)
    yield guide
    await guide.close()
    code.remove(tmp_path)


async def results(agent: AsyncProcessor, *values: Any, headers: Sequence[tuple[str, Any]] = ()) -> list[list[Record]]:
    """The results of records with different keys."""
    records = [SimpleRecord(value, f"k{number}", headers) for number, value in enumerate(values)]
    found = []
    for record in records:
        [outcome] = await agent.process_batch([record])
        assert not isinstance(outcome, Exception), outcome
        found.append(list(outcome))
    return found


async def values(agent: AsyncProcessor, *given: Any) -> list[Any]:
    """The values of all results."""
    return [record.value() for found in await results(agent, *given) for record in found]


def test_every_block_has_a_name_so_that_none_escapes_the_tests() -> None:
    assert [text for _, title, text in BLOCKS if not title] == []
    text = Path(__file__).read_text()
    modules = {
        Path(title).stem
        for language, title, _ in BLOCKS
        if language == "python" and not title.startswith("python/lib/")
    }
    missing = {name for name in modules if f"{name}." not in text and f'"{name}.yaml"' not in text}
    assert missing == set()


async def test_shout(guide: Guide) -> None:
    assert await values(await guide.pipeline("shout.yaml"), "ciao") == ["CIAO"]


async def test_shapes(guide: Guide) -> None:
    [[one, two, three]] = await results(
        await guide.agent("python-function", className="shapes.Shapes"), "v", headers=[("a", "b")]
    )
    assert one == two == three == SimpleRecord("v", "k0", [("a", "b"), ("seen", "yes")])


async def test_prices(guide: Guide) -> None:
    assert await values(await guide.pipeline("prices.yaml"), '{"net": 10}') == [{"net": 10, "total": 12.0}]


async def test_keeper(guide: Guide) -> None:
    agent = await guide.pipeline("keeper.yaml")
    assert await values(agent, "a", "b") == ["1 a", "2 b"]
    await agent.close()
    again = await guide.pipeline("keeper.yaml")
    assert again.info() == {"className": "keeper.Keeper", "count": 2}
    assert await values(again, "c") == ["3 c"]


async def test_lookup(guide: Guide) -> None:
    agent = await guide.agent("python-processor", className="lookup.Lookup", delay=0)
    assert agent.batching.concurrency == 64
    assert await values(agent, "a", "b") == ["a found", "b found"]


async def test_reverse(guide: Guide) -> None:
    agent = await guide.agent("python-processor", className="reverse.Reverse")
    assert await values(agent, "stressed") == ["desserts"]
    assert agent.batching.concurrency == 64


async def test_fussy(guide: Guide) -> None:
    agent = await guide.pipeline("fussy.yaml")
    bread, spinach, cheese = await agent.process_batch([SimpleRecord(meal) for meal in ("bread", "spinach", "cheese")])
    assert bread == [SimpleRecord("bread")]
    assert (type(spinach), str(spinach)) == (ValueError, "too green to eat")
    assert isinstance(cheese, NotAttempted)


async def test_countdown(guide: Guide, capsys: pytest.CaptureFixture[str]) -> None:
    agent: Source = await guide.pipeline("countdown.yaml")
    records: list[Record] = []
    while len(records) < 3:
        records += await agent.read(10)
    assert [record.value() for record in records] == ["3", "2", "1"]
    await agent.commit(records[:2])
    await agent.permanent_failure(records[2], ValueError("no"))
    assert agent._agent.instance.safe == ["3", "2"]  # type: ignore[attr-defined]
    assert capsys.readouterr().out == "1 is lost: no\n"


async def test_archive(guide: Guide) -> None:
    agent: Sink = await guide.pipeline("archive.yaml")
    assert await agent.write_batch([SimpleRecord("paper", "k")]) == [None]
    assert [(topic, record.value(), record.key()) for topic, record in guide.sent] == [("receipts", "stored", "k")]


async def test_hello(guide: Guide) -> None:
    agent: Service = await guide.agent("python-service", className="hello.Hello", **{"service-port": free_port()})
    running = asyncio.create_task(agent.main())
    address = f"{agent.address()}/world"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(address).read())
    assert body == b"hello from /world"
    await agent.close()
    await running


async def test_pricing_with_a_library(guide: Guide) -> None:
    assert await values(await guide.agent("python-processor", className="shop.pricing.Discount"), "90") == ["45"]


async def test_test_shout(guide: Guide) -> None:
    code.load_class("shout.Shout", guide.directory)
    module: dict[str, Any] = {}
    exec((guide.directory / "python/test_shout.py").read_text(), module)
    module["test_it_shouts"]()
    assert "shout" in sys.modules


@pytest.mark.parametrize("title", sorted(PIPELINES))
def test_the_options_of_every_pipeline_are_accepted(title: str) -> None:
    for agent in PIPELINES[title]["pipeline"]:
        kind = AGENT_TYPES.load(agent["type"])
        model, problems = check(kind.configuration, agent["configuration"], subject=title)
        assert model is not None, problems

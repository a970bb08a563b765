"""The life of a custom agent: configuration, context, calls in order, information, the end."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.custom import instance, processor
from langstream.agents.custom.configuration import PythonAgentConfiguration
from langstream.configuration.validation import check
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord

Application = Any

ECHO_CALLS = """
class Agent:
    def __init__(self):
        self.calls = ["new"]

    {prefix}def init(self{parameters}):
        self.calls.append("init")
        self.seen = ({arguments})

    {prefix}def start(self):
        self.calls.append("start")

    {prefix}def process(self, record):
        return [{{"value": {{"calls": self.calls, "seen": list(self.seen)}}}}]

    {prefix}def close(self):
        from pathlib import Path
        Path(__file__).with_name("closed").write_text("yes")
"""


async def seen_by(agent: processor.CustomProcessor) -> dict[str, Any]:
    """What the class above tells."""
    [outcome] = await agent.process_batch([SimpleRecord("x")])
    assert not isinstance(outcome, Exception), outcome
    seen: dict[str, Any] = outcome[0].value()
    return seen


@pytest.mark.parametrize("prefix", ["", "async "])
@pytest.mark.parametrize(
    ("parameters", "arguments", "seen"),
    [
        ("", "()", []),
        (", config", "config['greeting'],", ["Salut"]),
        (", config, context", "config['greeting'], context.get_persistent_state_directory()", ["Salut", None]),
        (", *everything", "len(everything),", [2]),
        (", config, context=None, more=7", "more,", [7]),
    ],
)
async def test_methods_get_as_many_arguments_as_they_declare_in_the_order_of_life(
    application: Application, prefix: str, parameters: str, arguments: str, seen: list[Any]
) -> None:
    source = ECHO_CALLS.format(prefix=prefix, parameters=parameters, arguments=arguments)
    agent = await application.processor(source, greeting="Salut")
    assert await seen_by(agent) == {"calls": ["new", "init", "start"], "seen": seen}
    await agent.close()
    assert (application.directory / "python/closed").read_text() == "yes"


async def test_init_receives_the_options_the_resources_and_the_globals(application: Application) -> None:
    agent = await application.processor(
        ECHO_CALLS.format(prefix="", parameters=", config", arguments="config,"), limits={"low": 1, "list": ["a", 2.5]}
    )
    assert (await seen_by(agent))["seen"] == [
        {
            "className": "mine.Agent",
            "limits": {"low": 1, "list": ["a", 2.5]},
            "resources": {"db": {"url": "u", "password": "hush"}},
            "globals": {"region": "south"},
        }
    ]


async def test_the_configuration_is_the_agents_own_copy(application: Application) -> None:
    source = "class Agent:\n    def init(self, config):\n        self.list = config['list']\n        self.list += [1]\n"
    source += "    def process(self, record):\n        return [(self.list,)]\n"
    options = {"list": [0]}
    for _ in range(2):
        agent = await application.processor(source, **options)
        [outcome] = await agent.process_batch([SimpleRecord("x")])
        assert outcome == [SimpleRecord([0, 1])]
    assert options == {"list": [0]}


async def test_an_agent_with_a_disk_gets_its_directory(application: Application, tmp_path: Path) -> None:
    application.write(
        "python/mine.py",
        """
        class Agent:
            def init(self, config, context):
                self.place = context.get_persistent_state_directory()

            def process(self, record):
                return [(self.place,)]
        """,
    )
    agent = await application.start(processor.AGENT, "mine.Agent", state_directory=tmp_path / "state")
    [outcome] = await agent.process_batch([SimpleRecord("x")])
    assert outcome == [SimpleRecord(str(tmp_path / "state"))]


async def test_the_environment_is_set_before_the_import(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOM_AGENT_COLOUR", "grey")
    agent = await application.processor(
        """
        import os

        COLOUR = os.environ["CUSTOM_AGENT_COLOUR"]

        class Agent:
            def process(self, record):
                return [(COLOUR,)]
        """,
        environment=[{"key": "CUSTOM_AGENT_COLOUR", "value": "teal"}],
    )
    [outcome] = await agent.process_batch([SimpleRecord("x")])
    assert outcome == [SimpleRecord("teal")]
    assert os.environ["CUSTOM_AGENT_COLOUR"] == "teal"


@pytest.mark.parametrize("method", ["init", "start"])
@pytest.mark.parametrize("prefix", ["", "async "])
async def test_a_failing_start_names_the_method_the_reason_and_the_line(
    application: Application, method: str, prefix: str
) -> None:
    source = f"class Agent:\n    {prefix}def {method}(self):\n        raise ConnectionError('no route')\n"
    with pytest.raises(AgentFailed) as caught:
        await application.processor(source + "    def process(self, record):\n        return []\n")
    assert str(caught.value) == (f"{method}() of mine.Agent raised ConnectionError: no route (python/mine.py, line 3)")


async def test_a_failing_constructor_names_the_line(application: Application) -> None:
    with pytest.raises(AgentFailed, match=r"the constructor of mine.Agent raised TypeError: .* 'x'"):
        await application.processor("class Agent:\n    def __init__(self, x):\n        pass\n")


async def test_exiting_in_init_ends_the_agent_and_not_the_process(application: Application) -> None:
    with pytest.raises(AgentFailed, match="SystemExit: 2"):
        await application.processor(
            "import sys\nclass Agent:\n    def init(self):\n        sys.exit(2)\n    process = 1\n"
            + " " * 4
            + "def process(self, r): pass\n"
        )


async def test_a_class_without_the_method_of_its_type_is_refused(application: Application) -> None:
    with pytest.raises(AgentFailed, match=r"the class mine.Agent has no method 'process'"):
        await application.processor("class Agent:\n    def write(self, record):\n        pass\n")


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_agent_info_is_part_of_the_information(application: Application, prefix: str) -> None:
    agent = await application.processor(
        f"class Agent:\n    n = 0\n    {prefix}def agent_info(self):\n        self.n += 1\n"
        "        return {'calls': self.n}\n    def process(self, record):\n        return []\n"
    )
    assert agent.info() == {"className": "mine.Agent", "calls": 1}
    for _ in range(1000):
        if agent.info()["calls"] > 1:
            break
        await asyncio.sleep(0.001)
    assert agent.info()["calls"] > 1


@pytest.mark.parametrize("returned", ["None", "5", "{'x': object()}", "1 / 0"])
async def test_nonsense_from_agent_info_is_left_out(
    application: Application, returned: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await application.processor(
        f"class Agent:\n    def agent_info(self):\n        return {returned}\n"
        "    def process(self, record):\n        return []\n"
    )
    assert agent.info() == {"className": "mine.Agent"}


async def test_a_failing_close_is_logged_and_harms_nothing(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await application.processor(
        "class Agent:\n    def close(self):\n        raise OSError('stuck')\n"
        "    def process(self, record):\n        return []\n"
    )
    await agent.close()
    assert any("close() raised OSError: stuck" in entry.message for entry in caplog.records)


async def test_a_call_that_never_ends_does_not_hold_up_the_end(
    application: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(instance, "CLOSE_SECONDS", 0.05)
    agent = await application.processor(
        """
        import threading
        import time

        BEGAN, ENDED = threading.Event(), threading.Event()

        class Agent:
            def process(self, record):
                BEGAN.set()
                try:
                    while True:
                        time.sleep(0.001)
                finally:
                    ENDED.set()

            def close(self):
                while True:
                    time.sleep(0.001)
        """
    )
    names = agent._agent.instance.process.__globals__
    task = asyncio.create_task(agent.process_batch([SimpleRecord("x")]))
    await asyncio.to_thread(names["BEGAN"].wait)
    task.cancel()
    await agent.close()
    assert await asyncio.to_thread(names["ENDED"].wait, 30)  # interrupted
    assert any("close() took longer" in entry.message for entry in caplog.records)


async def test_a_main_beside_another_role_runs_in_the_background_and_its_failure_is_reported(
    application: Application,
) -> None:
    await application.processor(
        "class Agent:\n    def main(self):\n        raise OSError('lost')\n"
        "    def process(self, record):\n        return []\n"
    )
    for _ in range(1000):
        if application.failures:
            break
        await asyncio.sleep(0.001)
    assert [str(failure) for failure in application.failures] == ["lost"]


async def test_secrets_of_the_configuration_are_never_logged_or_shown(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    options = {"className": "mine.Agent", "token": "hush", "environment": [{"key": "K", "value": "hush"}]}
    model, _ = check(PythonAgentConfiguration, options, subject="agent")
    assert "hush" not in f"{model!r} {model}"
    agent = await application.processor(
        "class Agent:\n    def process(self, record):\n        raise ValueError('no')\n", token="hush"
    )
    await agent.process_batch([SimpleRecord("x")])
    assert "hush" not in caplog.text + repr(agent.info())


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (None, "Property 'className' is required"),
        ("Agent", "'Agent' does not name a class: expected MODULE.CLASS"),
        ("mine.", "does not name a class"),
    ],
)
def test_a_missing_or_malformed_class_name_is_refused(name: str | None, complaint: str) -> None:
    model, problems = check(PythonAgentConfiguration, {"className": name} if name else {}, subject="agent")
    assert model is None
    assert complaint in str(problems[0])

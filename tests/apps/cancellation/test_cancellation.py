"""What clients asked for that have left: the model is no longer kept busy with it, and nobody else notices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.apps.cancellation.slow import SPLIT

if TYPE_CHECKING:
    from tests.apps.cancellation.conftest import Running


async def test_the_model_is_hung_up_on_when_the_client_leaves_and_other_answers_are_whole(launch: Any) -> None:
    app: Running = await launch()
    leaving, staying = await app.join("talk", "s1"), await app.join("talk", "s2")
    await leaving.ask("slow one")
    await staying.ask("slow two")
    assert (await leaving.receive())["value"] == "echo "
    assert (await staying.receive())["value"] == "echo "
    await leaving.leave()
    await app.until(lambda: app.model.left_alone)
    app.model.go_on.set()
    assert await staying.answer() == "slow two"
    await app.until_done(2)
    assert app.model.left_alone == ["slow one"]
    status = app.status()
    assert (status.cancelled, status.errors, status.retries, status.dead_letters) == (1, 0, 0, 0)
    assert [record.headers()[0] for record in await app.records("log")] == [("session", "s2")]
    assert await app.records("questions-deadletter") == []


async def test_other_readers_of_a_streamed_answer_are_told_that_it_was_cancelled(launch: Any) -> None:
    app: Running = await launch()
    client = await app.join("talk", "s1")
    await client.ask("slow one")
    await client.receive()
    await client.leave()
    await app.until_done(1)
    first, last = [dict(record.headers()) for record in await app.records("answers")]
    assert (first["stream-last-message"], last["stream-last-message"]) == ("false", "true")
    assert ("stream-cancelled" in first, last["stream-cancelled"]) == (False, "true")
    assert (last["session"], last["stream-id"], last["stream-index"]) == ("s1", first["stream-id"], "2")


async def test_a_client_that_comes_back_in_time_gets_its_answer(launch: Any) -> None:
    app: Running = await launch(after=3600)
    client = await app.join("talk", "s1")
    await client.ask("slow one")
    await client.receive()
    await client.leave()
    again = await app.join("talk", "s1", "earliest")
    app.model.go_on.set()
    assert await again.answer() == "echo slow one"
    assert app.model.left_alone == []


async def test_a_client_that_stays_away_for_longer_does_not(launch: Any) -> None:
    app: Running = await launch(after=0.2)
    client = await app.join("talk", "s1")
    await client.ask("slow one")
    await client.receive()
    await client.leave()
    await app.until(lambda: app.model.left_alone)
    again = await app.join("talk", "s1", "earliest")
    await again.ask("two")
    texts = [(await again.receive())["value"] for _ in range(5)]
    assert "".join(texts) == "echo echo two"


async def test_a_question_that_nobody_waits_for_any_more_is_never_asked(launch: Any) -> None:
    app: Running = await launch(concurrency=1)
    first, leaving, last = [await app.join("talk", f"s{number}") for number in range(3)]
    await first.ask("slow one")
    await first.receive()
    await leaving.ask("two")
    await asyncio.wait_for(leaving.socket.recv(), 60)  # the broker has it
    await last.ask("three")
    await leaving.leave()
    await app.until(lambda: app.registry.get_sample_value("langstream_gateway_cancellations_total"))
    await app.until(lambda: app.status().cancelled == 1)
    app.model.go_on.set()
    assert (await first.answer(), await last.answer()) == ("slow one", "echo three")
    await app.until_done(3)
    assert app.model.questions == ["slow one", "three"]


async def test_as_long_as_a_client_of_the_session_is_there_nothing_is_cancelled(launch: Any) -> None:
    app: Running = await launch()
    one, two = await app.join("talk", "s1"), await app.join("talk", "s1")
    await one.ask("slow one")
    await one.receive()
    await one.leave()
    await two.receive()
    app.model.go_on.set()
    assert await two.answer() == "slow one"
    await one.leave()
    assert app.model.left_alone == []


async def test_gateways_that_do_not_ask_for_it_cancel_nothing(launch: Any) -> None:
    app: Running = await launch()
    patient, leaving = await app.join("patient", "s1"), await app.join("talk", "s1")
    for client, question in ((patient, "slow one"), (leaving, "slow two")):
        await client.ask(question)
        await client.receive()
        await client.leave()
    await app.until(lambda: app.model.left_alone)
    app.model.go_on.set()
    await app.until_done(2)
    assert app.model.left_alone == ["slow two"]
    assert [dict(record.headers())["visitor"] for record in await app.records("log")] == ["s1"]


async def test_a_question_over_server_sent_events_is_cancelled_with_its_connection(launch: Any) -> None:
    app: Running = await launch()
    url = app.url("chat", "talk", **{"param:session": "s1"})
    async with app.http.post(url, json={"value": {"question": "slow one"}}) as response:
        while b"echo" not in await response.content.readline():
            pass
        response.close()
    await app.until(lambda: app.model.left_alone)
    async with app.http.post(url, json={"value": {"question": "two"}}) as response:
        assert "two" in await response.text()
    await app.until_done(2)
    assert app.registry.get_sample_value("langstream_gateway_cancellations_total") == 1


async def test_a_service_call_that_timed_out_is_cancelled_at_once(launch: Any) -> None:
    app: Running = await launch(after=3600)
    accept = {"Accept": "text/event-stream"}
    async with app.http.post(
        app.url("service", "ask"), json={"value": {"question": "slow one"}}, headers=accept
    ) as answer:
        assert '"status":504' in await answer.text()
    await app.until(lambda: app.status().cancelled == 1)
    await app.until_done(1)
    await app.until(lambda: app.model.left_alone == app.model.questions)


async def test_a_service_call_whose_client_leaves_is_cancelled_and_one_that_is_answered_is_not(launch: Any) -> None:
    app: Running = await launch()
    url = app.url("service", "ask-long")
    async with app.http.post(url, json={"value": {"question": "one"}}) as answer:
        assert (await answer.json())["record"]["value"] == "echo "

    async def call() -> None:
        async with app.http.post(
            url, json={"value": {"question": "slow two"}}, headers={"Accept": "text/event-stream"}
        ) as answer:
            await answer.text()

    calling = asyncio.create_task(call())
    await app.until(lambda: "slow two" in app.model.questions)
    calling.cancel()
    await asyncio.wait([calling])
    await app.until(lambda: app.model.left_alone)
    await app.until_done(2)
    assert app.model.left_alone == ["slow two"]
    assert app.registry.get_sample_value("langstream_gateway_cancellations_total") == 1


async def test_the_parts_of_a_question_are_cancelled_with_it_and_what_keeps_answers_is_left_alone(launch: Any) -> None:
    app: Running = await launch(pipeline=SPLIT, concurrency=1)
    assert {node.id: set(node.answers) for node in app.plan.nodes} == {
        "split": {"answers"},
        "chat": {"answers"},
        "history": set(),
    }
    leaving, staying = await app.join("talk", "s1"), await app.join("talk", "s2")
    await leaving.say("one")
    await app.until(lambda: len(app.model.requests) == 2)  # answered, and under way to its place
    assert [(await leaving.receive())["value"] for _ in range(2)] == ["echo ", "one"]
    await leaving.say("slow two;three;four")
    assert [(await leaving.receive())["value"] for _ in range(2)] == ["", "echo "]
    await leaving.leave()
    await app.until(lambda: app.status().cancelled == 3)
    await staying.say("five")
    assert await staying.answer() == "echo five"
    assert app.model.questions == ["one", "slow two", "five"]
    app.model.go_on.set()
    await app.until(lambda: app.status("history").records_out == 2)
    assert (app.status("history").cancelled, app.status("split").cancelled) == (0, 0)
    assert app.model.left_alone == ["slow two"]

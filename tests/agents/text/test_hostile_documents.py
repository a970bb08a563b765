"""Documents made to hurt: each is one failed record with a reason, and the agent and the event loop go on."""

from __future__ import annotations

import asyncio
import email.mime.multipart
import email.mime.text
import io
import os
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any, TypeAlias

import psutil
import pytest

from langstream.agents.text import extraction
from langstream.agents.text.extraction import Extractor
from langstream.agents.text.text_extractor import TextExtractor, TextExtractorConfiguration
from langstream.agents.text.workers import Limits
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, NoMetrics

Started: TypeAlias = Callable[[Limits], Awaitable[TextExtractor]]

ENDLESS = b"<html><body>" + b"<div>" * 300_000 + b"deep"
"""Every level of it makes the parser walk through all the others: it takes minutes."""

MEGABYTE = 1024 * 1024


class Ended(NoMetrics):
    """Counts what the agents count."""

    def __init__(self) -> None:
        self.count = 0.0

    def counter(self, name: str, description: str = "") -> Any:
        assert name == "text_processes_ended"
        return self

    def inc(self, amount: float = 1) -> None:
        self.count += amount


ENDED = Ended()


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    """Starts agents with limits; closed in the end, with their processes."""
    agents: list[TextExtractor] = []

    async def started(limits: Limits) -> TextExtractor:
        agent = TextExtractor(TextExtractorConfiguration(), limits)
        agents.append(agent)
        await agent.start(AgentContext("a", "app", metrics=ENDED))
        return agent

    yield started
    for agent in agents:
        await agent.close()


async def outcome_of(agent: TextExtractor, value: Any) -> Any:
    """The outcome for a record of that value."""
    [outcome] = await agent.process_batch([SimpleRecord(value)])
    return outcome


def children() -> list[psutil.Process]:
    """The processes that read documents."""
    found = []
    for process in psutil.Process().children():
        try:
            if "langstream.agents.text.worker" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_document_that_hangs_is_one_failed_record_while_the_loop_goes_on(
    started: Started, documents: ModuleType
) -> None:
    agent = await started(Limits(seconds=1.0, grace_seconds=0.5))
    beats = 0

    async def heartbeat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    heart = asyncio.create_task(heartbeat())
    error = await outcome_of(agent, ENDLESS)
    heart.cancel()
    assert isinstance(error, RecordError)
    assert "longer than 1 s" in str(error)
    assert beats > 50  # more than a second's worth, however slow the machine
    agent = await started(Limits())
    assert await outcome_of(agent, documents.pdf("fine")) == [SimpleRecord("fine")]


async def test_a_worker_that_is_killed_is_one_failed_record(started: Started, documents: ModuleType) -> None:
    agent = await started(Limits())
    assert await outcome_of(agent, documents.pdf("before")) == [SimpleRecord("before")]
    reading = asyncio.create_task(outcome_of(agent, ENDLESS))
    (process,) = children()
    await until(lambda: process.cpu_times().user > 0.2)
    process.kill()
    before = ENDED.count
    error = await reading
    assert ENDED.count == before + 1
    assert isinstance(error, RecordError)
    assert "its process was ended" in str(error)
    assert await outcome_of(agent, documents.pdf("after")) == [SimpleRecord("after")]


async def test_a_document_that_needs_too_much_memory_is_refused(started: Started, documents: ModuleType) -> None:
    agent = await started(Limits(memory_bytes=48 * MEGABYTE))
    error = await outcome_of(agent, documents.archive({"a.txt": os.urandom(30 * MEGABYTE).hex()}))
    assert isinstance(error, RecordError)
    assert "memory" in str(error) or "crash" in str(error)
    assert await outcome_of(agent, documents.pdf("fine")) == [SimpleRecord("fine")]


async def test_closing_ends_the_processes(started: Started, documents: ModuleType) -> None:
    agent = await started(Limits())
    await outcome_of(agent, documents.pdf("x"))
    assert children()
    await agent.close()
    assert not children()


async def test_a_cancelled_document_lets_its_process_go(started: Started) -> None:
    agent = await started(Limits())
    reading = asyncio.create_task(outcome_of(agent, ENDLESS))
    await until(children)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not children()


async def test_documents_are_read_at_the_same_time_in_several_processes(
    started: Started, documents: ModuleType
) -> None:
    agent = await started(Limits())
    outcomes = await asyncio.gather(*(outcome_of(agent, documents.pdf(f"page {n}")) for n in range(6)))
    assert [outcome[0].value() for outcome in outcomes] == [f"page {n}" for n in range(6)]
    assert 2 <= len(children()) <= 6


def test_archives_in_archives_are_unpacked_to_a_limit_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_UNPACKED_BYTES", 2 * MEGABYTE)
    inner = zipped({f"{n}.txt": b"a" * MEGABYTE for n in range(3)})
    with pytest.raises(RecordError, match="unpack to more than"):
        Extractor(1e12).text_of(zipped({"inner.zip": inner}))


def test_the_text_of_a_document_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_CHARACTERS", 1000)
    with pytest.raises(RecordError, match="more than 1,000 characters"):
        Extractor(1e12).text_of(zipped({f"{n}.txt": b"word " * 60 for n in range(10)}))


def test_deeply_nested_mail_is_read_to_a_depth() -> None:
    message: email.mime.multipart.MIMEMultipart | email.mime.text.MIMEText = email.mime.text.MIMEText("innermost")
    for _ in range(40):
        outer = email.mime.multipart.MIMEMultipart()
        outer.attach(message)
        message = outer
    message["From"], message["Subject"], message["Date"] = "a@example.com", "Russian dolls", "today"
    assert Extractor(1e12).text_of(message.as_bytes()) == "Russian dolls"


async def test_billion_laughs_in_an_office_file_stay_small(started: Started) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    document = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e0 "ha">{levels}]>{WORD}<w:t>&e11;</w:t>{WORD_END}'
    files = {"[Content_Types].xml": TYPES, "_rels/.rels": RELATIONS, "word/document.xml": document}
    agent = await started(Limits())
    outcome = await outcome_of(agent, zipped({name: text.encode() for name, text in files.items()}))
    assert isinstance(outcome, RecordError) or len(outcome[0].value()) < 10_000


async def test_ten_thousand_pages_are_read(started: Started, documents: ModuleType) -> None:
    agent = await started(Limits())
    (record,) = await outcome_of(agent, pages(10_000))
    assert len(record.value().splitlines()) == 10_000


async def test_a_text_of_one_endless_line_passes_and_a_larger_one_is_refused(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await started(Limits())
    line = b"x" * (8 * MEGABYTE)
    assert await outcome_of(agent, line) == [SimpleRecord(line.decode())]
    monkeypatch.setattr(extraction, "MAX_DOCUMENT_BYTES", MEGABYTE)
    assert "at most 1,048,576 are read" in str(await outcome_of(agent, line))


WORD = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
WORD_END = "</w:r></w:p></w:body></w:document>"
TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pages(count: int) -> bytes:
    """A PDF of so many pages, each with its number."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(count))
    objects += [
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n in range(count):
        text = b"BT /F1 12 Tf 50 700 Td (page %d) Tj ET" % n
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (5 + 2 * n)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(text), text))
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        body += b"%010d 00000 n \n" % place
    body += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(body)

"""text-extractor gives the text of documents, and tells why where it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zipfile
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langstream.agents.text import archives, extraction
from langstream.agents.text.document_kinds import DocumentKind, decoded, kind_of
from langstream.agents.text.extraction import Extractor
from langstream.agents.text.html_text import html_text
from langstream.agents.text.text_extractor import TextExtractor, TextExtractorConfiguration
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext

FOREVER = 1e12

PAGE = """<!doctype html><html><head><title>Tides</title><style>p {color: red}</style></head><body><h1>High  water</h1>
<p>at <b>noon</b> &amp; mid<i>night</i></p><pre>a
  b</pre><ul><li>x<li>y</ul><table><tr><td>1</td><td>2</td></tr><tr><td>3<td>4</table>one<br>two
<script>var hidden = 1;</script><noscript>no</noscript></body></html>"""
PAGE_TEXT = "Tides\n\nHigh water\n\nat noon & midnight\n\na\n  b\n\nx\ny\n\n1\t2\n3\t4\n\none\ntwo"


@pytest.fixture
async def extractor() -> AsyncIterator[TextExtractor]:
    """A started agent."""
    agent = TextExtractor(TextExtractorConfiguration())
    await agent.start(AgentContext("a", "app"))
    yield agent
    await agent.close()


def text_of(data: bytes) -> str:
    """The text, without a limit of time."""
    return Extractor(FOREVER).text_of(data)


async def outcome_of(agent: TextExtractor, value: Any) -> Any:
    """The outcome for a record of that value."""
    [outcome] = await agent.process_batch([SimpleRecord(value, "k", [("h", 1)])])
    return outcome


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Nothing to extract here, really.", "Nothing to extract here, really."),
        (b"plain\r\nbytes", "plain\r\nbytes"),
        ("a < b and c > d", "a < b and c > d"),
        ("# Markdown\n\n* a", "# Markdown\n\n* a"),
        ("BM is no picture", "BM is no picture"),
        ("Subject: no mail\nhello", "Subject: no mail\nhello"),
        ('{"json": 1}', '{"json": 1}'),
        ({"a": 1}, '{"a":1}'),
        (5, "5"),
        ("", ""),
        (b"", ""),
        ("ünï".encode("cp1252"), "ünï"),
        ("ünï".encode("utf-16"), "ünï"),
        ("ünï".encode("utf-8-sig"), "ünï"),
        (PAGE, PAGE_TEXT),
        (PAGE.encode(), PAGE_TEXT),
        ("<p>Grüße</p>".encode("cp1252"), "Grüße"),
        ('<?xml version="1.0"?>\n<a><b>one</b>two<c x="y"/></a>', "one\ntwo"),
        ("<note>not closed", "<note>not closed"),
        (rb"{\rtf1\ansi Hello {\b bold} world.}", "Hello bold world."),
        (b"\x89PNG\r\n\x1a\nxx", ""),
    ],
)
async def test_texts(extractor: TextExtractor, value: Any, text: str) -> None:
    assert await outcome_of(extractor, value) == [SimpleRecord(text, "k", [("h", 1)])]


def test_pdf(documents: ModuleType) -> None:
    assert text_of(documents.pdf("The lighthouse keeper")) == "The lighthouse keeper"
    assert text_of(b"\n\njunk before" + documents.pdf("x")) is not None


def test_office_documents(documents: ModuleType) -> None:
    assert text_of(documents.word("Minutes of the meeting", "Nobody came.")) == "Minutes of the meeting\n\nNobody came."
    assert text_of(documents.spreadsheet()).split() == ["Prices", "apple", "3.5"]
    assert text_of(documents.slides()) == "Slide words"
    assert text_of(documents.open_document()).split("\n\n") == ["Head", "Open document words."]


def test_mail_gives_the_subject_one_alternative_and_the_attachments(documents: ModuleType) -> None:
    assert text_of(documents.mail(documents.pdf("inside"))) == "Café hours\n\nplain hello\n\ninside"


def test_mail_with_html_only() -> None:
    data = b"From: a@example.org\nSubject: s\nContent-Type: text/html; charset=latin-1\n\n<p>caf\xe9</p>"
    assert text_of(data) == "s\n\ncafé"


def test_mail_with_an_unknown_charset_and_a_broken_header() -> None:
    data = b"From: a@example.org\nMIME-Version: 1.0\nSubject: =?x?q?y\nContent-Type: text/plain; charset=nope\n\nbody"
    assert "body" in text_of(data)


def test_the_files_of_an_archive_are_read_those_without_text_left_out(documents: ModuleType) -> None:
    inner = documents.archive({"deep.txt": "deep"})
    data = documents.archive({"a.txt": "one", "b.pdf": documents.pdf("two"), "c.bin": b"\x00\x01", "d.zip": inner})
    assert text_of(data) == "one\n\ntwo\n\ndeep"


def test_archives_in_archives_are_followed_so_deep_only(documents: ModuleType) -> None:
    data = documents.archive({"x.txt": "bottom"})
    for _ in range(extraction.MAX_DEPTH + 1):
        data = documents.archive({"next.zip": data})
    assert text_of(data) == ""


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"%PDF-1.4 junk", "the PDF is damaged"),
        (b"PK\x03\x04junk", "begins like a zip file but"),
        (b"\x00\x01\x02\x03", "of no known kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "OLE container without text"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
            "is encrypted: it cannot be read without its password",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "WordDocument".encode("utf-16-le"), "application/msword"),
    ],
)
async def test_what_cannot_be_read_is_an_error_of_the_record(
    extractor: TextExtractor, value: Any, complaint: str
) -> None:
    error = await outcome_of(extractor, value)
    assert isinstance(error, RecordError)
    assert complaint in str(error)


def refusal(data: bytes) -> str:
    """Why the document is refused."""
    with pytest.raises(RecordError) as caught:
        text_of(data)
    return str(caught.value)


def test_an_encrypted_pdf_is_refused(documents: ModuleType) -> None:
    assert "the PDF is encrypted" in refusal(documents.encrypted_pdf())


def test_a_damaged_word_document_is_refused(documents: ModuleType) -> None:
    whole = documents.word("x" * 1000)
    position = whole.index(b"word/document.xml") + 30
    assert refusal(whole[:position] + b"\xff" * 30 + whole[position + 30 :])


def test_a_zip_bomb_is_refused_by_its_directory(documents: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb, large = documents.archive({"x": b"\0" * 40_000_000}), documents.archive({"x": bytes(range(256)) * 5})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("unpacked"))
    assert "zip bomb" in refusal(bomb)
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    assert "at most 1,000 are unpacked" in refusal(large)


def test_an_archive_of_too_many_entries_is_refused(documents: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    assert "zip file of 4 entries" in refusal(documents.archive({str(number): "" for number in range(4)}))


def test_overlapping_entries_are_refused(documents: ModuleType) -> None:
    data = bytearray(documents.archive({"x": b"abc" * 100}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = struct.pack("<I", 10_000_000)  # the compressed size in the directory
    assert "overlap" in refusal(bytes(data))


def test_encrypted_archives_are_refused(documents: ModuleType) -> None:
    data = bytearray(documents.archive({"x": "y"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refusal(bytes(data))


def test_a_gigantic_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_DOCUMENT_BYTES", 10)
    assert refusal(b"x" * 11) == "the document has 11 bytes: at most 10 are read"


def test_entities_do_not_explode() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><x>&e11;</x>'
    assert len(text_of(bomb.encode())) < 10_000


def test_time_is_limited(documents: ModuleType) -> None:
    with pytest.raises(RecordError, match="takes too long"):
        Extractor(0.0).text_of(documents.pdf("x"))


async def test_a_failing_document_does_not_harm_its_neighbours(extractor: TextExtractor, documents: ModuleType) -> None:
    values = ["one", b"%PDF-1.4 junk", documents.pdf("three")]
    first, bad, third = await extractor.process_batch([SimpleRecord(value) for value in values])
    assert (first, third) == ([SimpleRecord("one")], [SimpleRecord("three")])
    assert isinstance(bad, RecordError)


async def test_batches_run_beside_each_other(extractor: TextExtractor, documents: ModuleType) -> None:
    batches = [[SimpleRecord(documents.word(f"{number}"))] for number in range(4)]
    outcomes = await asyncio.gather(*map(extractor.process_batch, batches))
    assert [outcome[0].value() for [outcome] in outcomes] == ["0", "1", "2", "3"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!-- x -->\n<HTML>", DocumentKind.HTML),
        (b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="x"></html>', DocumentKind.HTML),
        (b"<article>x</article>", DocumentKind.XML),
        (b"From: a\nTo: b\n\nhello", DocumentKind.MAIL),
        (b"From: a\nThis is no header\nTo: b\n\nhello", DocumentKind.TEXT),
        (b"\x00\x00\x00\x18ftypmp42", DocumentKind.MEDIA),
        (b"RIFF\x00\x01\x00\x00WAVE", DocumentKind.MEDIA),
    ],
)
def test_kinds(data: bytes, kind: DocumentKind) -> None:
    assert kind_of(data) is kind


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
def test_utf8_is_always_understood(text: str) -> None:
    plain = text.removeprefix("\ufeff")
    assert decoded(plain.encode()) == plain.removeprefix("\ufeff")


@settings(max_examples=60)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"%PDF-", b"PK\x03\x04", b"{\\rtf1", b"From: a\nTo: b\n", b"<?xml"])
)
def test_no_bytes_raise_anything_but_record_errors(data: bytes, start: bytes) -> None:
    with contextlib.suppress(RecordError):
        assert isinstance(text_of(start + data), str)


@given(st.text(alphabet="abc <>&/;\n", max_size=60))
def test_any_html_gives_text_without_markers(source: str) -> None:
    assert not set(html_text(f"<div>{source}</div>")) & {chr(code) for code in range(0xE000, 0xE005)}

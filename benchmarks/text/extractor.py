"""Getting the text out of documents: `text-extractor` against libraries that read the same formats.

    python benchmarks/text/extractor.py [--seconds 3]

One PDF, one web page and one Word document are made on the spot. The agent is measured as it runs: every document goes
to another process and its text comes back; `in this process` is the same without. Libraries that are not installed are
left out. The runs alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from measuring import measured

from langstream.agents.text.extraction import Extractor
from langstream.agents.text.text_extractor import TextExtractor, TextExtractorConfiguration
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext

SENTENCE = "The quick record jumps over the lazy broker, and nobody waits for it, number {}. "
FOREVER = 1e12
Read = Callable[[bytes], str]


def main() -> None:
    """Measure every format and print the ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seconds", type=float, default=3.0)
    seconds = arguments.parse_args().seconds
    loop = asyncio.new_event_loop()
    agent = TextExtractor(TextExtractorConfiguration())
    loop.run_until_complete(agent.start(AgentContext("a", "benchmark")))
    try:
        for name, document, peers in (
            ("PDF, 200 pages", pdf(200), pdf_readers()),
            ("web page, 600 kB", page(6_000), page_readers()),
            ("Word, 3,000 paragraphs", word(3_000), word_readers()),
        ):
            report(name, document, {"text-extractor": partial(extracted, loop, agent), **OURS, **peers}, seconds)
    finally:
        loop.run_until_complete(agent.close())
        loop.close()


def report(title: str, document: bytes, readers: Mapping[str, Read], seconds: float) -> None:
    """Read the document with each, and print how they compare."""
    words = {name: len(read(document).split()) for name, read in readers.items()}
    best = measured({name: partial(read, document) for name, read in readers.items()}, seconds)
    print(f"{title} ({len(document) / 1e3:,.0f} kB)")
    for name, took in best.items():
        ratio = took / best["text-extractor"]
        print(f"  {name:24} {took * 1e3:9.1f} ms   takes {ratio:6.2f} times as long   {words[name]:,} words")


def extracted(loop: asyncio.AbstractEventLoop, agent: TextExtractor, document: bytes) -> str:
    """The text by way of the agent."""
    (outcome,) = loop.run_until_complete(agent.process_batch([SimpleRecord(document)]))
    if isinstance(outcome, Exception):
        raise outcome
    return str(outcome[0].value())


OURS: Mapping[str, Read] = {"in this process": lambda document: Extractor(FOREVER).text_of(document)}


def pdf_readers() -> dict[str, Read]:
    """Libraries that read PDF."""
    found: dict[str, Read] = {}
    try:
        import pypdf

        found["pypdf"] = lambda data: "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    except ImportError:
        pass
    try:
        from pdfminer.high_level import extract_text

        found["pdfminer.six"] = lambda data: str(extract_text(io.BytesIO(data)))
    except ImportError:
        pass
    return {**found, **markitdown(".pdf")}


def page_readers() -> dict[str, Read]:
    """Libraries that read HTML."""
    try:
        import bs4
    except ImportError:
        return markitdown(".html")
    return {"beautifulsoup4": lambda data: bs4.BeautifulSoup(data, "html.parser").get_text(" "), **markitdown(".html")}


def word_readers() -> dict[str, Read]:
    """Libraries that read Word documents."""
    try:
        import docx
    except ImportError:
        return markitdown(".docx")
    return {
        "python-docx": lambda data: "\n".join(part.text for part in docx.Document(io.BytesIO(data)).paragraphs),
        **markitdown(".docx"),
    }


def markitdown(extension: str) -> dict[str, Read]:
    """MarkItDown, which turns everything into Markdown."""
    try:
        from markitdown import MarkItDown
    except ImportError:
        return {}
    converter: Any = MarkItDown(enable_plugins=False)
    return {
        "markitdown": lambda data: str(
            converter.convert_stream(io.BytesIO(data), file_extension=extension).text_content
        )
    }


def page(paragraphs: int) -> bytes:
    """A web page with headings, lists and links."""
    parts = [
        f"<h2>Part {n}</h2><p>{SENTENCE.format(n)}<a href='/{n}'>link</a></p><ul><li>one<li>two</ul>"
        for n in range(paragraphs // 2)
    ]
    return f"<!doctype html><html><head><title>T</title></head><body>{''.join(parts)}</body></html>".encode()


def word(paragraphs: int) -> bytes:
    """A Word document."""
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    body = "".join(f"<w:p><w:r><w:t>{SENTENCE.format(n)}</w:t></w:r></w:p>" for n in range(paragraphs))
    files = {
        "[Content_Types].xml": f'<?xml version="1.0"?><Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        "_rels/.rels": f'<?xml version="1.0"?><Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/'
        f'wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def pdf(pages: int) -> bytes:
    """A PDF with forty lines on each page."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n in range(pages):
        lines = b" T* ".join(b"(%s) Tj" % SENTENCE.format(n * 40 + line).encode() for line in range(40))
        content = b"BT /F1 9 Tf 12 TL 40 750 Td %s ET" % lines
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (5 + 2 * n)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, item in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, item)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(body)


if __name__ == "__main__":
    main()

"""Small documents of many kinds, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A zip file."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return written.getvalue()


def pdf(text: str, *, trailer: str = "") -> bytes:
    """A PDF of one page."""
    stream = f"BT /F1 18 Tf 20 80 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 144] /Contents 4 0 R /Resources 6 0 R >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        "<< /Font << /F1 5 0 R >> >>",
    ]
    body = "%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(body)
    body += f"xref\n0 7\n0000000000 65535 f \n{table}trailer\n<< /Size 7 /Root 1 0 R {trailer} >>\n"
    return f"{body}startxref\n{start}\n%%EOF\n".encode("latin-1")


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password."""
    secret = "00" * 32
    return pdf(
        "secret",
        trailer=f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{secret}> /U <{secret}> /P -4 >> /ID [<00> <00>]",
    )


def word(*paragraphs: str) -> bytes:
    """A Word document."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return _open_xml(
        "word/document.xml",
        "wordprocessingml.document",
        {"word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'},
    )


def spreadsheet() -> bytes:
    """An Excel file with one row."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return _open_xml(
        "xl/workbook.xml",
        "spreadsheetml.sheet",
        {
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{R}"><sheets>'
            '<sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relationship("rId1", f"{R}/worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData><row r="1"><c r="A1" t="inlineStr">'
            '<is><t>apple</t></is></c><c r="B1"><v>3.5</v></c></row></sheetData></worksheet>',
        },
    )


def slides() -> bytes:
    """A presentation with one slide."""
    p, a = (f"http://schemas.openxmlformats.org/{kind}/2006/main" for kind in ("presentationml", "drawingml"))
    return _open_xml(
        "ppt/presentation.xml",
        "presentationml.presentation",
        {
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{p}" xmlns:r="{R}"><p:sldIdLst>'
            '<p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": _relationship("rId1", f"{R}/slide", "slides/slide1.xml"),
            "ppt/slides/slide1.xml": f'<p:sld xmlns:p="{p}" xmlns:a="{a}"><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r>'
            "<a:t>Slide words</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>",
        },
    )


def open_document() -> bytes:
    """An OpenDocument text."""
    office, text = (f"urn:oasis:names:tc:opendocument:xmlns:{kind}:1.0" for kind in ("office", "text"))
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f'<office:document-content xmlns:office="{office}" xmlns:text="{text}"><office:body>'
            "<office:text><text:h>Head</text:h><text:p>Open document words.</text:p></office:text></office:body>"
            "</office:document-content>",
        }
    )


def mail(attachment: bytes) -> bytes:
    """A message with two alternatives and an attachment."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Café hours"
    message.set_content("plain hello")
    message.add_alternative("<p>html hello</p>", subtype="html")
    message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="x")
    return message.as_bytes()


def _open_xml(part: str, kind: str, files: Mapping[str, str]) -> bytes:
    media = f"application/vnd.openxmlformats-officedocument.{kind}.main+xml"
    return archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
            f'ContentType="application/xml"/><Override PartName="/{part}" ContentType="{media}"/></Types>',
            "_rels/.rels": _relationship("rId1", f"{R}/officeDocument", part),
            **files,
        }
    )


def _relationship(name: str, kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="{name}" Type="{kind}" Target="{target}"/>'
        "</Relationships>"
    )

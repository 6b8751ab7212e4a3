"""Files of each kind that is taken, as small as they can be, and those that must not be."""

from __future__ import annotations

import asyncio
import io
import uuid
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.requests import ClientDisconnect

from tests.makers.world import Agency, World

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"
EICAR = (
    b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
)  # apart: or scanners take this file for it


def pdf(size: int) -> bytes:
    """A PDF of exactly this size, no two of its stretches alike."""
    middle = b"".join(b"%%%020d\n" % number for number in range((size - len(PDF)) // 22 + 1))
    return (PDF[:-6] + middle)[: size - 6] + b"%%EOF\n"


def archive(parts: dict[str, bytes], *, stored_first: bool = True) -> bytes:
    """A ZIP archive of these parts, in this order."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for place, (name, part) in enumerate(parts.items()):
            file.writestr(name, part, zipfile.ZIP_STORED if place == 0 and stored_first else zipfile.ZIP_DEFLATED)
    return made.getvalue()


def office(main: str, **more: bytes) -> bytes:
    """An Office document."""
    return archive({"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<R/>", main: b"<d/>", **more})


def open_document(kind: str = "text") -> bytes:
    """An OpenDocument file."""
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
            "content.xml": b"<c/>",
            "META-INF/manifest.xml": b"<m/>",
        }
    )


def mp4(brand: bytes, *tracks: bytes) -> bytes:
    """An MP4 file with these kinds of tracks."""
    handlers = b"".join(b"\0\0\0\x20hdlr\0\0\0\0\0\0\0\0" + track + bytes(12) for track in tracks)
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0isommp42" + b"\0\0\x40\0free" + bytes(0x4000 - 8) + handlers


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(60) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40) + b"\0\0\0\0IEND\xaeB`\x82"
OFFICE = "application/vnd.openxmlformats-officedocument"
TAKEN: dict[str, tuple[str, bytes]] = {
    "a PDF": ("application/pdf", PDF),
    "a JPEG": ("image/jpeg", JPEG),
    "a PNG": ("image/png", PNG),
    "a WebP": ("image/webp", b"RIFF\x40\0\0\0WEBPVP8 " + bytes(60)),
    "a HEIC": ("image/heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60)),
    "a TIFF": ("image/tiff", b"II*\0\x08\0\0\0" + bytes(60)),
    "a text": ("text/plain", "Keterangan: dibawa ke Tual, 3 hari — “takut”.\r\n\tBaris dua.\n".encode()),
    "a text of one letter": ("text/plain", b"x"),
    "a DOCX": (f"{OFFICE}.wordprocessingml.document", office("word/document.xml")),
    "an XLSX": (f"{OFFICE}.spreadsheetml.sheet", office("xl/workbook.xml")),
    "an ODT": ("application/vnd.oasis.opendocument.text", open_document()),
    "an OGG": ("audio/ogg", b"OggS\0\x02" + bytes(22) + b"\x01\x13OpusHead" + bytes(40)),
    "an MP3": ("audio/mpeg", b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0" + bytes(60)),
    "an MP3 without a tag": ("audio/mpeg", b"\xff\xfb\x90\0" + bytes(60)),
    "an M4A": ("audio/mp4", mp4(b"M4A ", b"soun")),
    "a recording by a telephone": ("audio/mp4", mp4(b"mp42", b"soun")),
    "a WAV": ("audio/wav", b"RIFF\x40\0\0\0WAVEfmt " + bytes(60)),
}
"""Each with its kind."""
REFUSED: dict[str, tuple[str, bytes]] = {
    "a page": ("html", b"<!DOCTYPE html><html><script>alert(1)</script>"),
    "a page after blanks": ("html", b"\n\n  <ScRipt>alert(1)</script>"),
    "a page after a text": ("html", b"Dear all,\n<iframe src=//x>"),
    "an SVG": ("html", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    "an SVG with a declaration": ("html", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    "a shell script": ("script", b"#!/bin/sh\nrm -rf /\n"),
    "a batch file": ("script", b"@echo off\r\ndel *.*\r\n"),
    "a program for Windows": ("executable", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff" + bytes(300)),
    "a program for Linux": ("executable", b"\x7fELF\x02\x01\x01" + bytes(100)),
    "a ZIP archive": ("archive", archive({"a.txt": b"a"})),
    "a ZIP archive with a word/document.xml": ("archive", archive({"word/document.xml": b"<d/>"})),
    "a DOCX cut off": ("archive", office("word/document.xml")[:-30]),
    "a DOCX with something before it": ("archive", b"PK\x03\x04" + bytes(60) + office("word/document.xml")),
    "a DOCX with macros": ("macros", office("word/document.xml", **{"word/vbaProject.bin": b"\0"})),
    "a DOCX with a control": ("macros", office("word/document.xml", **{"word/activeX/activeX1.bin": b"\0"})),
    "a DOCX with a program": ("macros", office("word/document.xml", **{"word/embeddings/a.EXE": b"\0"})),
    "an ODT with macros": (
        "macros",
        archive(
            {
                "mimetype": b"application/vnd.oasis.opendocument.text",
                "Basic/script-lc.xml": b"",
                "META-INF/manifest.xml": b"",
            }
        ),
    ),
    "a presentation": ("not_allowed", office("ppt/presentation.xml")),
    "an open spreadsheet": ("not_allowed", open_document("spreadsheet")),
    "a 7z archive": ("archive", b"7z\xbc\xaf'\x1c\0\x04" + bytes(60)),
    "a RAR archive": ("archive", b"Rar!\x1a\x07\x01\0" + bytes(60)),
    "a gzip archive": ("archive", b"\x1f\x8b\x08\0" + bytes(60)),
    "an old DOC": ("not_allowed", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)),
    "an RTF": ("script", b"{\\rtf1\\ansi a}"),
    "a video": ("not_allowed", mp4(b"isom", b"soun", b"vide")),
    "an MP4 with no track": ("damaged", mp4(b"isom")),
    "a PDF that is a page": ("two_in_one", PDF.replace(b"1 0 obj", b"<html><script>alert(1)</script>1 0 obj")),
    "a PDF that is an archive": ("two_in_one", PDF + archive({"a.js": b"a"})),
    "a PDF with something before it": ("two_in_one", b"\n\n" + PDF),
    "a PDF cut off": ("damaged", PDF[:-6]),
    "a picture that is an archive": ("two_in_one", JPEG + archive({"a.js": b"a"})),
    "a picture that is a RAR archive": ("two_in_one", JPEG + bytes(5000) + b"Rar!\x1a\x07\x01\0" + bytes(60)),
    "a picture that is a page": ("two_in_one", JPEG[:30] + b"<script>alert(1)</script>"),
    "bytes": ("unknown", bytes(range(1, 9)) * 40),
    "a text with a control character": ("unknown", b"a" * 5000 + b"\0b"),
    "a text that is not UTF-8": ("unknown", b"a" * 5000 + b"\xff"),
}
"""Each with the reason."""


async def upload(
    who: Agency,
    content: bytes = PDF,
    *,
    section: str = "health",
    kind: str | None = None,
    key: str | None = None,
    **headers: str,
) -> httpx.Response:
    """Upload a file; a header is given as `content_digest=…`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        sent["content-type"] = kind
    return await who.client.request(
        "POST",
        f"/v1/attachments?section={section}",
        content=content,
        headers=sent,
        actor=who.actor,
        idempotency_key=key,
    )


@contextmanager
def settings(world: World, **update: Any) -> Iterator[None]:
    """The service runs with other settings for a while."""
    state = world.exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update=update)
    try:
        yield
    finally:
        state.settings = before


async def cut_off() -> AsyncIterator[bytes]:
    """What comes where the connection ends."""
    yield PDF
    raise ClientDisconnect


async def drop_by_drop() -> AsyncIterator[bytes]:
    """What comes over a very slow line."""
    for byte in PDF:
        yield bytes([byte])
        await asyncio.sleep(0.02)


async def streamed(who: Agency, world: World, content: AsyncIterator[bytes]) -> httpx.Response:
    """Upload what comes piece by piece."""
    headers = await who.client.authorization("POST", "/v1/attachments")
    headers |= {"Rujukan-Actor": who.actor, "Idempotency-Key": str(uuid.uuid4())}
    reply: httpx.Response = await world.exchange.http.post(
        "/v1/attachments?section=health", content=content, headers=headers
    )
    return reply


async def uploaded(who: Agency, content: bytes = PDF, **more: Any) -> dict[str, Any]:
    """Upload a file that is taken."""
    reply = await upload(who, content, **more)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def content_of(who: Agency, attachment_id: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Download a file the agency uploaded."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await who.client.request(method, f"/v1/attachments/{attachment_id}/content", headers=sent, actor=who.actor)


async def delete(who: Agency, attachment_id: str) -> httpx.Response:
    """Delete a file the agency uploaded."""
    return await who.client.request("DELETE", f"/v1/attachments/{attachment_id}", actor=who.actor)

"""What a file is, by its content; which kinds are taken; and what is looked for in each while it goes by.

puremagic names the kind by the first bytes. What it cannot tell is told here: text, which has no first bytes; what kind of office document a ZIP
archive is; whether an MP4 file holds pictures or only sound; and whether a file is something else besides. It is seen piece by piece and never held
whole: the first bytes, the last ones, and a few marks in between.

What this cannot see: programs in the compressed parts of a PDF, and harm in a well-formed file of a kind that is taken. That is for the scan.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

import puremagic

from app.exchange.attachments.problems import AttachmentTypeContradicted, AttachmentTypeRefused

HEAD: Final = 4096
TAIL: Final = 262_144
"""Enough for the directory of an office document, which stands at its end: some 60 bytes for each of its parts."""
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
KINDS: Final[dict[str, str]] = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "image/tiff": ".tif",
    "text/plain": ".txt",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
}
"""Every kind that can be told, and the ending of its neutral name. Which of them are taken is a setting."""
_SAME: Final = {
    "application/x-pdf": "application/pdf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/heif": "image/heic",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/aac": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "text/csv": "text/plain",
    "text/markdown": "text/plain",
}
"""Other names of the same kind, in `Content-Type` and in puremagic's answers."""
_BY_MAGIC: Final = {
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
    ".heif": "image/heic",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".mpga": "audio/mpeg",
    ".wav": "audio/wav",
}
_REFUSED: Final = {
    ".html": "html", ".htm": "html", ".svg": "html", ".xml": "html", ".exe": "executable", ".dll": "executable", ".elf": "executable",
    ".AppImage": "executable", ".macho": "executable", ".class": "executable", ".7z": "archive", ".rar": "archive", ".gz": "archive",
    ".bz2": "archive", ".xz": "archive", ".tar": "archive", ".cab": "archive", ".zst": "archive", ".iso": "archive", ".doc": "not_allowed",
    ".rtf": "not_allowed", ".gif": "not_allowed",
}  # fmt: skip
_BEGINS: Final = {
    "application/pdf": re.compile(rb"%PDF-[12]\."),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\0|MM\0\*"),
    "audio/ogg": re.compile(rb"OggS\0"),
    "audio/mpeg": re.compile(rb"ID3[\x02-\x04]|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]"),
    "audio/wav": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
}
"""A file that is what it says begins with it, at once: readers that look further on are what files with two meanings are made for."""
_MARKUP: Final = re.compile(
    rb"<(?:!doctype|html|head|body|script|iframe|svg|style|table|img|object|embed|link|meta|a href|\?xml|\?php)",
    re.IGNORECASE,
)
_SNIFFED: Final = 1445
"""How far browsers look for markup (WHATWG MIME Sniffing §5.2, the resource header)."""
_PROGRAM: Final = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:#!|@echo |<\?php|MZ|\x7fELF|WScript\.|Set-ExecutionPolicy|powershell|\{\\rtf)",
    re.IGNORECASE,
)
_ARCHIVES: Final = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_HANDLER: Final = re.compile(rb"hdlr\0\0\0\0.{4}(vide|soun)", re.DOTALL)
_OVERLAP: Final = 32
_MACROS: Final = re.compile(
    r"(?i)(?:vbaproject\.bin|vbadata\.xml|activex/|/macrosheets/|(?:^|/)basic/|(?:^|/)scripts/|\.(?:exe|dll|js|vbs|hta|bat|cmd|ps1|scr|jar|lnk|msi)$)"
)


def ending_of(media_type: str) -> str:
    """Return the ending of the neutral name of a file of this kind."""
    return KINDS.get(media_type, ".bin")


def claimed(content_type: str | None) -> str | None:
    """Return the kind that a `Content-Type` names, by the table's name of it; None: it leaves it to the content."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return None if kind in ("", "application/octet-stream") else _SAME.get(kind, kind)


class Inspector:
    """Sees a file go by. Raises `AttachmentTypeRefused` as soon as that is known, `AttachmentTypeContradicted` when it is not what it was called."""

    def __init__(self, claim: str | None, allowed: tuple[str, ...]) -> None:
        self._claim, self._allowed = claim, allowed
        self._head = bytearray()
        self._tail = bytearray()
        self._size = 0
        self._kind: str | None = None
        self._tracks: set[bytes] = set()
        self._text = codecs.getincrementaldecoder("utf-8")()

    def feed(self, block: bytes) -> None:
        """See the next bytes."""
        if self._kind is None:
            self._head += block
            if len(self._head) < HEAD:
                return
            block = bytes(self._head)
            self._begin()
        self._see(block)

    def end(self) -> str:
        """Return the kind of the file, which is whole now."""
        if self._kind is None:
            self._begin()
            self._see(bytes(self._head))
        assert self._kind is not None
        kind = self._kind
        directory = _zip_directory(bytes(self._tail), self._size)
        if kind == "zip":
            kind = self._office(directory)
        elif directory is not None:
            raise self._refused("two_in_one")
        if kind == "mp4":
            if not self._tracks:
                raise self._refused("damaged")
            kind = "video/mp4" if b"vide" in self._tracks else "audio/mp4"
        if kind == "text/plain":
            self._read(b"", final=True)
        if kind == "application/pdf" and b"%%EOF" not in self._tail[-2048:]:
            raise self._refused("damaged")
        self._settle(kind)
        return kind

    def _begin(self) -> None:
        self._head = self._head[:HEAD]
        head = bytes(self._head)
        kind = self._kind = self._named(head)
        if kind not in ("zip", "mp4"):
            self._settle(kind)
        if kind != "zip" and kind != "text/plain" and _MARKUP.search(head[:_SNIFFED]):
            raise self._refused("two_in_one")

    def _named(self, head: bytes) -> str:
        if head[4:8] == b"ftyp" and head[8:12] not in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"qt  "):
            return "mp4"
        if head.startswith(b"PK\x03\x04"):
            return "zip"
        for kind, begins in _BEGINS.items():
            if begins.match(head):
                return kind
        if b"%PDF-" in head[:1024]:  # where readers still find it, behind something else
            raise self._refused("two_in_one")
        endings = _endings(head)
        if found := next((_BY_MAGIC[each] for each in endings if each in _BY_MAGIC), None):
            if found in _BEGINS:  # it stands further on
                raise self._refused("two_in_one")
            return found
        if _MARKUP.search(head[:_SNIFFED]):
            raise self._refused("html")
        if _PROGRAM.match(head):
            raise self._refused("executable" if head[:2] == b"MZ" or head[:4] == b"\x7fELF" else "script")
        if refused := next((_REFUSED[each] for each in endings if each in _REFUSED), None):
            raise self._refused(refused)
        if _is_text(head):
            return "text/plain"
        raise self._refused("not_allowed" if endings else "unknown")

    def _see(self, block: bytes) -> None:
        seen = bytes(self._tail[-_OVERLAP:]) + block
        if self._kind == "mp4":
            self._tracks.update(_HANDLER.findall(seen))
        elif self._kind == "text/plain":
            self._read(block)
        elif self._kind != "zip" and any(mark in seen for mark in _ARCHIVES):
            raise self._refused("two_in_one")
        self._tail += block
        del self._tail[:-TAIL]
        self._size += len(block)

    def _read(self, block: bytes, *, final: bool = False) -> None:
        try:
            text = self._text.decode(block, final)
        except UnicodeDecodeError:
            raise self._refused("unknown") from None
        if _CONTROL.search(text):
            raise self._refused("unknown")

    def _office(self, names: list[str] | None) -> str:
        if names is None or len(names) != len(set(names)):
            raise self._refused("archive")
        if any(_MACROS.search(name) for name in names):
            raise self._refused("macros")
        head = bytes(self._head)
        if "[Content_Types].xml" in names:
            if "word/document.xml" in names:
                return f"{_OFFICE}.wordprocessingml.document"
            if "xl/workbook.xml" in names:
                return f"{_OFFICE}.spreadsheetml.sheet"
            raise self._refused("not_allowed" if "ppt/presentation.xml" in names else "archive")
        # OpenDocument 1.3, part 2, §3.3: the first entry is `mimetype`, as it is
        if head[30:38] == b"mimetype" and "META-INF/manifest.xml" in names:
            if head[38:].startswith(b"application/vnd.oasis.opendocument.textPK"):
                return "application/vnd.oasis.opendocument.text"
            raise self._refused("not_allowed")
        raise self._refused("archive")

    def _settle(self, kind: str) -> None:
        if kind not in self._allowed:
            raise self._refused("not_allowed")
        if self._claim is not None and self._claim != kind:
            raise AttachmentTypeContradicted(kind)

    def _refused(self, reason: str) -> AttachmentTypeRefused:
        return AttachmentTypeRefused(reason, self._allowed)


def _endings(head: bytes) -> list[str]:
    try:
        return [each.extension for each in puremagic.magic_string(head)]
    except (puremagic.PureError, ValueError):
        return []


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(text) is None


def _zip_directory(tail: bytes, size: int) -> list[str] | None:
    """Return the names in a ZIP archive's directory, or None if what ends here is no whole archive that begins where the file does.

    An archive that something was put before has a directory too, for those who read from the end: it gives an empty list of names, twice.
    """
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        return None
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    begins = int.from_bytes(tail[end + 16 : end + 20], "little")
    if int.from_bytes(tail[end + 20 : end + 22], "little") != len(tail) - end - 22:
        return None
    start = end - length
    if start < 0 or (length and tail[start : start + 4] != b"PK\x01\x02"):
        return None
    if size - len(tail) + start != begins:
        return ["", ""]  # something stands before it
    names = []
    while start < end:
        if tail[start : start + 4] != b"PK\x01\x02" or end - start < 46:
            return ["", ""]
        lengths = [int.from_bytes(tail[start + at : start + at + 2], "little") for at in (28, 30, 32)]
        names.append(tail[start + 46 : start + 46 + lengths[0]].decode("utf-8", "replace"))
        start += 46 + sum(lengths)
    return names

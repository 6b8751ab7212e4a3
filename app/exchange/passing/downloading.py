"""Downloading a file of a record: what the endpoints of referrals, transfers, corrections and consents share."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Header, Path

from app.exchange.attachments.problems import FileStoreUnavailable, RangeNotSatisfiable
from app.exchange.passing import http
from app.foundation.problems import NotFound, answers

AttachmentId = Annotated[UUID, Path(description="The file's id.")]
Range = Annotated[str | None, Header(description="One range of bytes; several are answered with the whole.")]
IfRange = Annotated[str | None, Header(description="The `ETag` of the part you have.")]
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
FILE: Final[dict[int | str, dict[str, Any]]] = {
    **answers(*http.ALWAYS, NotFound, RangeNotSatisfiable, FileStoreUnavailable),
    200: {"description": "The file.", "content": {"*/*": _BINARY}},
    206: {"description": "The range that was asked for (RFC 9110 §14).", "content": {"*/*": _BINARY}},
}
"""What a download is answered with. Whatever is not open to the caller is `NotFound`."""

"""Answering with a file, or a part of it (RFC 9110 §14), in constant memory. Whoever calls this has found that the caller may read it, and logged it.

Nothing is ever shown by a browser: the type is one of the table's, the name is neutral, and the answer is an attachment, not to be sniffed, in a
sandbox, and kept by no cache.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import orjson
import tink
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.dependencies import Acting
from app.exchange.attachments.content import ending_of
from app.exchange.attachments.encryption import CHUNK, ChunkSpoilt, FileKey, chunks_of
from app.exchange.attachments.problems import AttachmentNotReady, FileStoreUnavailable, RangeNotSatisfiable
from app.exchange.attachments.stores import READ_AT_ONCE, Store, Stores, StoreUnavailable, Transaction
from app.foundation.keyring import Keyring, Place
from app.foundation.problems import NotFound

log = logging.getLogger("rujukan.attachments")
_RANGE = re.compile(r"bytes=(?:([0-9]{1,15})-([0-9]{1,15})?|-([0-9]{1,15}))")


def detail_of(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sealed of a file: `sha256` (hex), `size`, and `name` or None. Raises `tink.TinkError`."""
    found: dict[str, Any] = orjson.loads(keyring.open_one(Place("attachment.detail", row["id"]), row["detail"]))
    return found


async def download(
    request: Request, acting: Acting, row: Mapping[str, Any], *, keyring: Keyring, stores: Stores
) -> Response:
    """Answer GET or HEAD with the file of `row` (of the table `attachment`), in whole or the one range asked for.

    Raises `AttachmentNotReady`, `NotFound` where its content is destroyed, `RangeNotSatisfiable`, `FileStoreUnavailable`. Several ranges are
    answered with the whole, as RFC 9110 §14.2 allows. Each read asks the database again as the agency: what is closed meanwhile ends the answer.
    """
    if row["state"] in ("uploading", "scanning", "rejected"):
        raise AttachmentNotReady(row["state"])
    if row["state"] != "ready" or row["wrapped_key"] is None:
        raise NotFound
    attachment_id, size = UUID(str(row["id"])), int(row["size"])
    detail = detail_of(keyring, row)
    if detail["size"] != size:
        raise ChunkSpoilt("the row says another size than what is sealed")
    key = FileKey.kept(attachment_id, row["wrapped_key"], keyring)
    etag = f'"{attachment_id}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="attachment-{attachment_id}{ending_of(row["media_type"])}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Type": row["media_type"],
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(detail['sha256'])).decode()}:",
    }
    asked = _asked(request, etag, size)
    start, end = asked or (0, size)
    headers["Content-Length"] = str(end - start)
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers)
    parts = plain(stores.of(row["store"]), acting.transaction, attachment_id, key, size=size, start=start, end=end)
    try:
        first = await anext(parts)  # what is wrong with store or key shows before the answer begins
    except StoreUnavailable as error:
        log.warning("the store of files does not answer: %s", error)
        raise FileStoreUnavailable from error
    return _Bounded(
        _begun(first, parts),
        206 if asked is not None else 200,
        headers,
        seconds=acting.settings.attachment_seconds,
    )


async def plain(
    store: Store, transaction: Transaction, attachment_id: UUID, key: FileKey, *, size: int, start: int, end: int
) -> AsyncIterator[bytes]:
    """Yield the bytes from `start` up to `end` of a file, reading and decrypting only the chunks that hold them.

    Raises `ChunkSpoilt` where one is missing, and `StoreUnavailable`.
    """
    number, last = start // CHUNK, chunks_of(end) - 1
    while number <= last:
        found = await store.read(transaction, attachment_id, number, min(READ_AT_ONCE, last - number + 1))
        if not found:
            raise ChunkSpoilt(f"chunk {number} is missing")
        for sealed in found:
            chunk = key.open(number, sealed, size=size)
            at = number * CHUNK
            yield chunk[max(start - at, 0) : end - at]
            number += 1


async def _begun(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


class _Bounded(StreamingResponse):
    """An answer that a reader who does not read cannot keep open for ever. What goes wrong in the middle ends the connection before `Content-Length`
    is reached: the reader sees that it is not whole."""

    def __init__(self, parts: AsyncIterator[bytes], status: int, headers: Mapping[str, str], *, seconds: float) -> None:
        super().__init__(parts, status, headers)
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)
        except (ChunkSpoilt, tink.TinkError):
            log.error("a file is damaged: request_id=%s", scope.get("request_id"))
            raise


def _asked(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return the range to answer with, as its beginning and the byte after its end; None: the whole. Raises `RangeNotSatisfiable`."""
    given = request.headers.getlist("range")
    if request.method != "GET" or len(given) != 1:
        return None
    if (unless := request.headers.get("if-range")) is not None and unless != etag:
        return None  # a date too: there is none to compare it with, and the file never changes
    match = _RANGE.fullmatch(given[0].strip())
    if match is None:
        return None  # another unit, several ranges, or none that makes sense: RFC 9110 §14.2 lets all be ignored
    first, last, suffix = match.groups()
    if suffix is not None:
        if int(suffix) == 0:
            raise RangeNotSatisfiable(size)
        return max(size - int(suffix), 0), size
    if last is not None and int(last) < int(first):
        return None
    if int(first) >= size:
        raise RangeNotSatisfiable(size)
    return int(first), min(int(last) + 1, size) if last is not None else size

"""Files: taken in, shown to their uploader, destroyed. What they go with, and who else may read them, is not decided here.

An upload is many short transactions: one that reserves its place, one for each piece, and one that ends it with its log entry and the answer to
its key. Nothing is a file before that last one. A process that ends anywhere before leaves an upload that stands still, and the worker destroys it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import asyncpg
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.dependencies import Acting, IdempotencyKeyReused, RequestInProgress
from app.exchange.attachments import queries
from app.exchange.attachments.content import Inspector, claimed
from app.exchange.attachments.encryption import CHUNK, FileKey
from app.exchange.attachments.problems import (
    AttachmentBound,
    AttachmentEmpty,
    AttachmentTooLarge,
    AttachmentTypeRefused,
    DigestMismatch,
    FileStoreUnavailable,
    QuotaReached,
    UploadCutOff,
    UploadTooSlow,
)
from app.exchange.attachments.serving import detail_of, download
from app.exchange.attachments.stores import Stores, StoreUnavailable
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem

log = logging.getLogger("rujukan.attachments")
Document = dict[str, Any]
IDLE_SECONDS: Final = 30.0
"""How long an upload may send nothing."""
STILL: Final = timedelta(minutes=10)
"""An upload of which no chunk came for so long was left by a process that ended; longer than any chunk may take, and any store."""
TOUCH_SECONDS: Final = 60.0
MAX_NAME: Final = 255
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{1,64}):\s*(?:;|,|$)")
_NAME_STAR: Final = re.compile(r";\s*filename\*\s*=\s*UTF-8'[A-Za-z0-9-]*'([A-Za-z0-9!#$&+.^_`|~%-]+)", re.IGNORECASE)
_NAME: Final = re.compile(r';\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9!#$%&\'*+.^_`|~-]+))', re.IGNORECASE)
_BARRED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]")
"""Not in a name: control characters, separators of folders, and what turns the direction of writing (`fdp.exe` read backwards)."""


@dataclass(frozen=True, slots=True)
class StreamedKey:
    """The idempotency key of a request whose body is a file: what it is compared by is the file's digest, known when it has passed."""

    value: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the headers of an upload say of the file."""

    length: int | None
    claim: str | None
    digest: bytes | None
    name: str | None


async def upload(request: Request, db: Acting, *, section: str, key: StreamedKey, stores: Stores) -> Document:
    """Take a file in, as it comes."""
    said = said_of(request.headers, limit=db.settings.attachment_bytes, allowed=db.settings.attachment_kinds)
    attachment_id = uuid7(db.at)
    file, wrapped = FileKey.new(attachment_id, db.keyring)
    async with db.transaction() as tx:
        repeated = await queries.key_was_used(tx, db, key.value)
        if not repeated:
            await _reserve(tx, db, attachment_id, section=section, said=said, wrapped=wrapped, stores=stores)
    if repeated:
        return await _repeated(request, db, section=section, said=said, key=key)
    finished = False
    try:
        taken = await _take(request, db, attachment_id, file=file, said=said, stores=stores)
        row = await _finish(request, db, attachment_id, section=section, said=said, taken=taken, key=key)
        finished = not row["repeated"]
    except StoreUnavailable as error:
        log.warning("the store of files does not answer: %s", error)
        raise FileStoreUnavailable from error
    finally:
        if not finished:  # whatever happened, the caller's going away included
            await _given_up(db, attachment_id)
    return await _uploaded(db, row)


def said_of(headers: Mapping[str, str], *, limit: int, allowed: tuple[str, ...]) -> Said:
    """Read an upload's headers. Raises `AttachmentTooLarge`, `AttachmentTypeRefused`, `InvalidRequest`."""
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() and len(declared) <= 15 else None
    if length is not None and length > limit:
        raise AttachmentTooLarge(limit)
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise AttachmentTypeRefused("encoded", allowed)
    claim = claimed(headers.get("content-type"))
    if claim is not None and claim not in allowed:
        raise AttachmentTypeRefused("not_allowed", allowed)
    return Said(length, claim, _digest(headers.get("content-digest")), file_name(headers.get("content-disposition")))


def _digest(value: str | None) -> bytes | None:
    if value is None:
        return None
    match = _DIGEST.search(value)
    if match is None:
        return None  # another algorithm: RFC 9530 §2 lets it be ignored
    try:
        found = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        found = b""
    if len(found) != 32:
        raise InvalidRequest([{"header": "Content-Digest", "code": "no_sha256"}])
    return found


def file_name(value: str | None) -> str | None:
    """Return the name in a `Content-Disposition` (RFC 6266), `filename*` before `filename`. Raises `InvalidRequest`."""
    if value is None:
        return None
    try:
        if match := _NAME_STAR.search(value):
            name = unquote(match[1], errors="strict")
        elif match := _NAME.search(value):
            name = re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]
            name = name.encode("latin-1").decode()  # clients write UTF-8 here, whatever the RFC says
        else:
            return None
    except UnicodeError:
        raise InvalidRequest([{"header": "Content-Disposition", "code": "not_utf8"}]) from None
    if not name.strip(" .") or len(name) > MAX_NAME:
        raise InvalidRequest([{"header": "Content-Disposition", "code": "name_length"}])
    if _BARRED.search(name):
        raise InvalidRequest([{"header": "Content-Disposition", "code": "name_characters"}])
    return name


async def _reserve(
    tx: Connection, db: Acting, attachment_id: UUID, *, section: str, said: Said, wrapped: bytes, stores: Stores
) -> None:
    reserved = said.length if said.length is not None else db.settings.attachment_bytes
    quota = db.settings.attachment_quota_bytes
    if await queries.unbound_bytes(tx) + reserved > quota:
        raise QuotaReached(quota)
    await queries.begin(
        tx,
        db,
        id=attachment_id,
        section=section,
        store=stores.for_new.name,
        reserved=reserved,
        wrapped=wrapped,
        due=db.at + STILL,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    size: int
    sha256: bytes
    kind: str


async def _take(
    request: Request, db: Acting, attachment_id: UUID, *, file: FileKey, said: Said, stores: Stores
) -> _Taken:
    loop = asyncio.get_running_loop()
    touched = loop.time()

    async def touch(tx: Connection) -> None:
        nonlocal touched
        touched, now = loop.time(), db.clock.now()
        if not await queries.touch(tx, attachment_id, at=now, due=now + STILL):
            raise UploadTooSlow

    writer = stores.for_new.writer(db.transaction, touch, attachment_id)
    inspector = Inspector(said.claim, db.settings.attachment_kinds)
    digest, size, number, held = hashlib.sha256(), 0, 0, bytearray()
    async with aclosing(_blocks(request, db.settings.attachment_seconds)) as blocks:
        async for block in blocks:
            size += len(block)
            if size > db.settings.attachment_bytes:
                raise AttachmentTooLarge(db.settings.attachment_bytes)
            inspector.feed(block)
            digest.update(block)
            held += block
            while len(held) > CHUNK:  # never the last one, which says how many there are
                await writer.add(file.seal(number, bytes(held[:CHUNK])))
                del held[:CHUNK]
                number += 1
            if loop.time() - touched > TOUCH_SECONDS:  # a bad line, on which a piece takes long
                async with db.transaction() as tx:
                    await touch(tx)
    if not size:
        raise AttachmentEmpty
    if said.digest is not None and digest.digest() != said.digest:
        raise DigestMismatch
    kind = inspector.end()
    await writer.add(file.seal(number, bytes(held), size=size))
    await writer.end()
    return _Taken(size, digest.digest(), kind)


async def _blocks(request: Request, seconds: float) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes. Raises `UploadTooSlow`, `UploadCutOff`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(min(loop.time() + IDLE_SECONDS, end)):
                block = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadTooSlow from None
        except ClientDisconnect:
            raise UploadCutOff from None
        if block:
            yield block


async def _finish(
    request: Request,
    db: Acting,
    attachment_id: UUID,
    *,
    section: str,
    said: Said,
    taken: _Taken,
    key: StreamedKey,
) -> asyncpg.Record:
    now = db.clock.now()
    file = {
        "state": "scanning" if db.settings.clamd else "ready",
        "media_type": taken.kind,
        "size": taken.size,
        "chunks": -(-taken.size // CHUNK),
    }
    detail = {"sha256": taken.sha256.hex(), "size": taken.size, "name": said.name}
    try:
        return await queries.finish(
            db,
            key=key.value,
            request_hash=_request_hash(request, db, section=section, said=said, sha256=taken.sha256),
            id=attachment_id,
            file=file,
            detail=db.keyring.seal_one(Place("attachment.detail", attachment_id), json.dumps(detail)),
            at=now,
            expires=now + db.settings.attachment_unbound_for,
        )
    except asyncpg.PostgresError as error:
        raise _refused(error) from error


def _refused(error: asyncpg.PostgresError) -> Exception:
    known: dict[str, type[Problem]] = {"RJ010": RequestInProgress, "RJ011": IdempotencyKeyReused, "RJ404": NotFound}
    problem = known.get(error.sqlstate or "")
    return problem() if problem is not None else error


async def _given_up(db: Acting, attachment_id: UUID) -> None:
    """Destroy what came so far. Where that fails, the worker does it."""

    async def drop() -> None:
        async with db.transaction() as tx:
            await queries.drop(tx, attachment_id, db.clock.now())

    try:
        await asyncio.shield(asyncio.ensure_future(drop()))
    except Exception as error:
        log.warning("what is left of an upload waits for the worker: %s", type(error).__name__)


async def _repeated(request: Request, db: Acting, *, section: str, said: Said, key: StreamedKey) -> Document:
    """The key was used: read the file again, keeping nothing, to see that it is the same."""
    digest, size = hashlib.sha256(), 0
    async with aclosing(_blocks(request, db.settings.attachment_seconds)) as blocks:
        async for block in blocks:
            size += len(block)
            if size > db.settings.attachment_bytes:
                raise AttachmentTooLarge(db.settings.attachment_bytes)
            digest.update(block)
    try:
        row = await queries.earlier(
            db,
            key=key.value,
            request_hash=_request_hash(request, db, section=section, said=said, sha256=digest.digest()),
        )
    except asyncpg.PostgresError as error:
        raise _refused(error) from error
    return await _uploaded(db, row)


def _request_hash(request: Request, db: Acting, *, section: str, said: Said, sha256: bytes) -> bytes:
    return db.keyring.keyed_hash(
        "idempotency",
        request.method.encode(),
        request.scope["path"].encode(),
        db.recorder_id.bytes,
        request.headers.get("rujukan-acts-for", "").encode(),
        section.encode(),
        (said.claim or "").encode(),
        (said.name or "").encode(),
        sha256,
    )


async def _uploaded(db: Acting, row: asyncpg.Record) -> Document:
    async with db.transaction() as tx:
        found = await queries.own(tx, db.agency_id, row["id"]) if row["id"] is not None else None
    if found is None:  # uploaded under this key, and gone since
        raise NotFound
    return _document(db, found) | {"log_entry": row["log_id"], "receipt": f"/v1/receipts/{row['log_id']}"}


async def list_attachments(db: Acting, *, state: str | None, cursor: str | None, limit: int) -> Document:
    """Return a page of the agency's files."""
    filters = {"state": state, "limit": str(limit)}
    scope = f"/v1/attachments {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.page(tx, db.agency_id, state=state, before=before, limit=limit + 1)
        await tx.fetchval("SELECT log_by($1, 'attachment:list', 'done', NULL, NULL, NULL, '{}')", db.parameter())
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(row) for row in rows], "next": next_link("/v1/attachments", filters, more)}


async def read_attachment(db: Acting, attachment_id: UUID) -> Document:
    """Return what is known of a file of the agency's."""
    return _document(db, await _own(db, attachment_id, "attachment:show"))


async def read_content(request: Request, db: Acting, attachment_id: UUID, *, stores: Stores) -> Response:
    """Answer with a file of the agency's own."""
    row = await _own(db, attachment_id, "attachment:read")
    return await download(request, db, row, keyring=db.keyring, stores=stores)


async def _own(db: Acting, attachment_id: UUID, action: str) -> asyncpg.Record:
    async with db.transaction() as tx:
        row = await queries.own(tx, db.agency_id, attachment_id)
        if row is None:
            raise NotFound
        await tx.fetchval(
            "SELECT log_by($1, $2, 'done', 'attachment', $3, $4, $5)",
            db.parameter(),
            action,
            attachment_id,
            row["case_id"],
            json.text({"sections": [row["section"]]}),
        )
    return row


async def delete_attachment(db: Acting, attachment_id: UUID) -> None:
    """Destroy a file of the agency's that goes with no record."""
    async with db.transaction() as tx:
        found = await queries.drop(tx, attachment_id, db.at)
        if found == "none":
            raise NotFound
        if found == "bound":
            raise AttachmentBound(attachment_id)
        await tx.fetchval(
            "SELECT log_by($1, 'attachment:delete', 'done', 'attachment', $2, NULL, '{}')",
            db.parameter(),
            attachment_id,
        )


async def destroy(
    conn: Connection, attachment_id: UUID, *, at: datetime, state: str = "erased", reason: str | None = None
) -> bool:
    """Destroy a file, in the transaction of `conn`, which is the worker's: its wrapped key, its detail, and what this database holds of it, at once.

    What lies in another store cannot be read any more from then on; the worker removes it after the commit, and again until it has succeeded. Logs
    nothing: whoever decides it does. Returns False where it was done before, so that doing it again is safe.
    """
    return await queries.destroy(conn, attachment_id, state=state, reason=reason, at=at)


def _envelope(row: asyncpg.Record) -> Document:
    return {
        **{name: row[name] for name in ("id", "section", "state", "reason", "media_type", "size", "bound")},
        "uploaded_at": row["completed_at"],
        "expires_at": None if row["bound"] else row["expires_at"],
    }


def _document(db: Acting, row: asyncpg.Record) -> Document:
    return _envelope(row) | sealed_of(db.keyring, row)


def sealed_of(keyring: Keyring, row: Mapping[str, Any]) -> Document:
    """Return what is sealed of a file: its digest and its name; nothing once it is destroyed."""
    if row["detail"] is None:
        return {"digest": None, "file_name": None}
    detail = detail_of(keyring, row)
    digest = base64.b64encode(bytes.fromhex(detail["sha256"])).decode()
    return {"digest": f"sha-256=:{digest}:", "file_name": detail["name"]}

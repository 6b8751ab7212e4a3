"""Taking in an import: a stream cut into lines, which are sealed and stored as they come, and never held whole."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final
from uuid import UUID

import asyncpg
import orjson
from starlette.requests import ClientDisconnect

from app.dependencies import Acting
from app.exchange.bulk import queries
from app.exchange.bulk.problems import ImportIncomplete, ImportNotOpen, ImportTooLarge, LinesElsewhere, TooManyImports
from app.exchange.bulk.queries import NewLine
from app.exchange.passing.problems import IdempotencyKeyReused
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from app.foundation.problems import MalformedBody, NotFound
from auth.problems import InvalidToken
from schemas.exchange.bulk import LINE_KEY, MOST_LINES

AT_ONCE: Final = 200
"""Lines stored in one transaction."""
BYTES_AT_ONCE: Final = 1 << 20
MOST_OPEN: Final = 10
LOOK_EVERY: Final = 1.0
"""Seconds after which an upload looks again whether its token still counts."""
IDLE_SECONDS: Final = 60.0
"""How long an upload may send nothing: then it has broken off, whether or not anybody hung up."""
_KEY: Final = re.compile(LINE_KEY)

Chunks = AsyncIterator[bytes]
StillLetIn = Callable[[], Awaitable[bool]]


class _Stalled(Exception):
    """Nothing more comes."""


async def watched(chunks: Chunks, still: StillLetIn) -> Chunks:
    """Yield a stream as it comes: no longer than its sender is let in, however few whole lines it makes. Raises `InvalidToken`, `_Stalled`."""
    looked_at = time.monotonic()
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _Stalled from None
        if time.monotonic() - looked_at > LOOK_EVERY:
            looked_at = time.monotonic()
            if not await still():
                raise InvalidToken("expired")
        yield chunk


class Cutter:
    """Cuts a stream into lines, of which it holds at most one: what is longer than `most` bytes is passed over and comes as None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()
        self._size = 0
        self.last = 0
        """The bytes of the line that came last, passed over or not."""

    @property
    def unended(self) -> int:
        """The bytes so far of the line that has no end yet."""
        return self._size

    def cut(self, chunk: bytes) -> Iterator[bytes | None]:
        """Yield each line that ends in this chunk."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._keep(chunk[start:end])
            yield self._taken()
            start = end + 1
        self._keep(chunk[start:])

    def rest(self) -> Iterator[bytes | None]:
        """Yield the last line, if the stream did not end in an end of line."""
        if self._size:
            yield self._taken()

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._most:
            self._held += part
        else:
            self._held.clear()

    def _taken(self) -> bytes | None:
        line = bytes(self._held) if self._size <= self._most else None
        self._held.clear()
        self.last, self._size = self._size, 0
        return line


class Digest:
    """A keyed hash of lines, one after the other, that can be gone on with: by it a repeated upload is known."""

    def __init__(self, keyring: Keyring, value: bytes = bytes(32)) -> None:
        self._key = keyring.keyed_hash("import")
        self.value = value

    def add(self, line: bytes | None) -> None:
        """Add a line."""
        self.value = hashlib.blake2b(
            self.value + (b"\0" if line is None else b"\1" + line), key=self._key, digest_size=32
        ).digest()


class Upload:
    """Lines on their way into an import. `after`: how many it holds."""

    def __init__(
        self,
        db: Acting,
        import_id: UUID,
        *,
        key: str | None,
        after: int,
        size: int,
        digest: bytes | None,
        still: StillLetIn,
    ) -> None:
        self._db = db
        self._id = import_id
        self._new_key = key
        """Of an import that is not there yet: it is made with its first lines."""
        self._after, self._size, self._grown = after, size, 0
        self._digest = Digest(db.keyring) if digest is None else Digest(db.keyring, digest)
        self._waiting: list[bytes | None] = []
        self._bytes = 0
        self._still = still

    async def take(self, chunks: Chunks) -> int:
        """Store every line of a stream, and return how many the import holds then. What came before an error is kept, as whole lines."""
        cutter = Cutter(self._db.settings.max_body_bytes)
        try:
            async for chunk in watched(chunks, self._still):
                for line in cutter.cut(chunk):
                    await self._add(line, cutter.last)
                await self._hold_to("bytes", self._size + self._bytes + cutter.unended)
            for line in cutter.rest():
                await self._add(line, cutter.last)
        except (ClientDisconnect, _Stalled):
            await self._store()
            raise MalformedBody("broken_off") from None
        await self._store()
        return self._after

    async def _add(self, line: bytes | None, size: int) -> None:
        await self._hold_to("lines", self._after + len(self._waiting) + 1)
        await self._hold_to("bytes", self._size + self._bytes + size)
        self._waiting.append(line)
        self._bytes += size  # of one that is passed over too: it was sent
        if len(self._waiting) >= AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            await self._store()

    async def _hold_to(self, limit: str, found: int) -> None:
        most = MOST_LINES if limit == "lines" else self._db.settings.import_max_bytes
        if found > most:
            await self._store()
            raise ImportTooLarge(limit=limit, most=most, import_id=self._id if self._new_key is None else None)

    async def _store(self) -> None:
        if not self._waiting:
            return
        lines, db = self._waiting, self._db
        for line in lines:
            self._digest.add(line)
        sealed = await asyncio.to_thread(self._sealed, lines)
        now = db.clock.now()
        async with db.transaction() as tx:
            if self._new_key is not None:
                await self._begin(tx, self._new_key)
            if not await queries.add_lines(
                tx,
                self._id,
                db.agency_id,
                sealed,
                after=self._after,
                size=self._bytes,
                digest=self._digest.value,
                at=now,
            ):
                row = await queries.find_import(tx, self._id)
                if row is None:
                    raise NotFound
                if row["state"] != "receiving":
                    raise ImportNotOpen(state=row["state"])
                raise LinesElsewhere(lines=row["lines"])
        self._new_key = None
        self._after += len(lines)
        self._size += self._bytes
        self._waiting, self._bytes = [], 0

    def _sealed(self, lines: list[bytes | None]) -> list[NewLine]:
        db, made = self._db, []
        for number, line in enumerate(lines, start=self._after + 1):
            line_id = uuid7(db.at)
            content = (
                None if line is None else db.keyring.seal_one(Place("import_line.content", line_id, self._id), line)
            )
            made.append(NewLine(line_id, number, content, key_in(line)))
        return made

    async def _begin(self, tx: Connection, key: str) -> None:
        db = self._db
        client_id = db.caller.client_id
        if await queries.count_open(tx, db.agency_id, client_id) >= MOST_OPEN:
            raise TooManyImports
        assert db.actor is not None, "whoever imports is named"
        parties = (db.agency_id, db.recorder_id)
        if not await queries.begin_import(
            tx,
            self._id,
            parties=parties,
            client_id=client_id,
            actor=db.actor,
            key=key,
            digest=bytes(32),
            at=db.clock.now(),
        ):
            other = await queries.import_by_key(tx, db.agency_id, client_id, key)
            assert other is not None, "its key is taken"
            raise ImportIncomplete(import_id=other["id"], lines=other["lines"])
        await tx.fetchval(
            "SELECT log_by($1, 'import:create', 'done', 'import', $2, NULL, '{}')", db.parameter(), self._id
        )


def key_in(line: bytes | None) -> str | None:
    """Return the key a line has for itself, if it can be read; whether the line is right is looked at later."""
    try:
        found = orjson.loads(line or b"")
        key = found["key"]
        return key if isinstance(key, str) and _KEY.fullmatch(key) else None
    except (ValueError, TypeError, KeyError):
        return None


async def create(db: Acting, key: str, chunks: Chunks, still: StillLetIn) -> asyncpg.Record:
    """Take a whole import and start it; a repeated request gets the one that is there."""
    async with db.transaction() as tx:
        earlier = await queries.import_by_key(tx, db.agency_id, db.caller.client_id, key)
    if earlier is not None:
        return await _repeated(db, earlier, watched(chunks, still))
    import_id = uuid7(db.at)
    upload = Upload(db, import_id, key=key, after=0, size=0, digest=None, still=still)
    if await upload.take(chunks) == 0:
        raise MalformedBody("missing")
    return await start(db, import_id)


async def _repeated(db: Acting, earlier: asyncpg.Record, chunks: Chunks) -> asyncpg.Record:
    if earlier["state"] == "receiving":
        raise ImportIncomplete(import_id=earlier["id"], lines=earlier["lines"])
    cutter, digest, lines, size = Cutter(db.settings.max_body_bytes), Digest(db.keyring), 0, 0
    try:
        async for chunk in chunks:
            for line in cutter.cut(chunk):
                digest.add(line)
                lines += 1
                size += cutter.last
            if lines > earlier["lines"] or size + cutter.unended > earlier["size"]:
                raise IdempotencyKeyReused
        for line in cutter.rest():
            digest.add(line)
    except (ClientDisconnect, _Stalled):
        raise MalformedBody("broken_off") from None
    if digest.value != earlier["digest"]:
        raise IdempotencyKeyReused
    return earlier


async def go_on(db: Acting, import_id: UUID, after: int, chunks: Chunks, still: StillLetIn) -> asyncpg.Record:
    """Take further lines of an import, after those it holds."""
    async with db.transaction() as tx:
        row = await own_import(tx, db, import_id)
        if row["state"] != "receiving":
            raise ImportNotOpen(state=row["state"])
        if row["lines"] != after:
            raise LinesElsewhere(lines=row["lines"])
    upload = Upload(db, import_id, key=None, after=after, size=row["size"], digest=row["digest"], still=still)
    await upload.take(chunks)
    async with db.transaction() as tx:
        return await own_import(tx, db, import_id)


async def own_import(tx: Connection, db: Acting, import_id: UUID) -> asyncpg.Record:
    """Return an import that the caller's own client sent: another's may be looked at and cancelled, not gone on with."""
    row = await queries.find_import(tx, import_id)
    if row is None or row["client_id"] != db.caller.client_id:
        raise NotFound
    return row


async def start(db: Acting, import_id: UUID) -> asyncpg.Record:
    """Have the lines handled; one that was started already is left to go on."""
    async with db.transaction() as tx:
        row = await own_import(tx, db, import_id)
        started = await queries.change_state(
            tx, import_id, client_id=db.caller.client_id, from_states=["receiving"], to="running", at=db.clock.now()
        )
        if started is None:
            if row["state"] in ("running", "finished"):
                return row
            raise ImportNotOpen(state=row["state"])
        await tx.fetchval(
            "SELECT log_by($1, 'import:start', 'done', 'import', $2, NULL, $3)",
            db.parameter(),
            import_id,
            json.text({"lines": started["lines"]}),
        )
    return started

"""Where encrypted chunks are kept: in this database, or in an S3-compatible store. Neither ever sees a file, or a key that opens one.

In S3 a file is a few objects, `<prefix><id>/<number>`, each of 16 chunks (4 MiB) but the last. Not one object by multipart upload: what is left of
such an upload is in no listing of objects, and is paid for until somebody looks. Everything of a file is found by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from app.exchange.attachments import queries
from app.exchange.attachments.encryption import SEALED
from app.exchange.attachments.problems import FileStoreUnavailable
from app.foundation.database import Connection
from app.foundation.settings import Settings

log = logging.getLogger("rujukan.attachments")
StoreName = Literal["database", "s3"]
Transaction = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a transaction as whoever reads or writes."""
Touch = Callable[[Connection], Awaitable[None]]
"""Says, in the transaction in which more is kept, that the upload goes on. Raises if it was given up."""
READ_AT_ONCE: Final = 4
PIECE: Final = 16
"""Chunks in an object of S3."""
S3_SECONDS: Final = 10


class StoreUnavailable(Exception):
    """The store does not answer, or refuses; `why` is a code, never a key or an address."""


class Writer(Protocol):
    """Takes the encrypted chunks of one upload, in their order."""

    async def add(self, chunk: bytes) -> None:
        """Take the next chunk."""

    async def end(self) -> None:
        """Keep what was taken and not yet kept."""


class Store(Protocol):
    """Keeps encrypted chunks."""

    name: StoreName

    def writer(self, transaction: Transaction, touch: Touch, attachment_id: UUID) -> Writer:
        """Return what takes an upload's chunks."""

    async def read(self, transaction: Transaction, attachment_id: UUID, first: int, count: int) -> list[bytes]:
        """Return at least one and at most `count` chunks, from `first` on. Raises `StoreUnavailable` and the database's own errors."""

    async def remove(self, attachment_id: UUID) -> None:
        """Remove what is held of a file; nothing, if there is nothing. In this database, the transaction that destroys the key does it."""


class DatabaseStore:
    """Chunks as rows: one transaction with the key's, in every backup, and no further system to run."""

    name: StoreName = "database"

    def writer(self, transaction: Transaction, touch: Touch, attachment_id: UUID) -> Writer:
        """Keep each chunk at once, in a short transaction of its own."""
        return _Rows(transaction, touch, attachment_id)

    async def read(self, transaction: Transaction, attachment_id: UUID, first: int, count: int) -> list[bytes]:
        """Hold no connection between two reads: a slow reader would keep it from everybody else."""
        async with transaction() as tx:
            return await queries.chunks(tx, attachment_id, first, count)

    async def remove(self, attachment_id: UUID) -> None:
        """Nothing is left to remove."""


class _Rows:
    def __init__(self, transaction: Transaction, touch: Touch, attachment_id: UUID) -> None:
        self._transaction, self._touch, self._id = transaction, touch, attachment_id
        self._number = 0

    async def add(self, chunk: bytes) -> None:
        async with self._transaction() as tx:
            await self._touch(tx)
            await queries.add_chunks(tx, self._id, self._number, [chunk])
        self._number += 1

    async def end(self) -> None:
        pass


@dataclass(frozen=True)
class S3Address:
    """`s3://bucket/prefix?endpoint=https://…&region=…`."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None

    @classmethod
    def of(cls, text: str) -> S3Address:
        """Read the setting."""
        parts = urlsplit(text)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        prefix = parts.path.strip("/")
        return cls(parts.netloc, f"{prefix}/" if prefix else "", query.get("endpoint"), query.get("region"))


class S3Store:
    """Chunks in an S3-compatible store, by boto3 in threads. Credentials come from AWS's own settings."""

    name: StoreName = "s3"

    def __init__(self, address: S3Address) -> None:
        self._at = address

    @cached_property
    def _client(self) -> Any:
        import boto3  # an extra, for those who use it
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self._at.endpoint,
            region_name=self._at.region,
            config=Config(
                connect_timeout=S3_SECONDS,
                read_timeout=S3_SECONDS,
                retries={"total_max_attempts": 3},
                max_pool_connections=16,
                request_checksum_calculation="when_required",  # what other makers' stores do not all know
                response_checksum_validation="when_required",
            ),
        )

    def writer(self, transaction: Transaction, touch: Touch, attachment_id: UUID) -> Writer:
        """Gather a piece, then put it; never in a transaction."""
        return _Pieces(self, transaction, touch, attachment_id)

    async def read(self, transaction: Transaction, attachment_id: UUID, first: int, count: int) -> list[bytes]:
        """Read within one piece."""
        piece, place = divmod(first, PIECE)
        count = min(count, PIECE - place)
        found = await self._do(self._get, self.key(attachment_id, piece), place * SEALED, count * SEALED)
        return [found[start : start + SEALED] for start in range(0, len(found), SEALED)]

    async def remove(self, attachment_id: UUID) -> None:
        """Remove every piece there is."""
        await self._do(self._delete, f"{self._at.prefix}{attachment_id}/")

    async def put(self, key: str, body: bytes) -> None:
        """Put a piece."""
        await self._do(self._put, key, body)

    def key(self, attachment_id: UUID, piece: int) -> str:
        """Return the name of a piece's object."""
        return f"{self._at.prefix}{attachment_id}/{piece}"

    async def _do(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            log.error('the store of files needs what this installation lacks: pip install "rujukan[s3]"')
            raise StoreUnavailable("not_installed") from None
        try:
            return await asyncio.to_thread(act, *arguments)
        except ClientError as error:
            raise StoreUnavailable(str(error.response.get("Error", {}).get("Code", "ClientError"))) from error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error

    def _put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._at.bucket, Key=key, Body=body)

    def _get(self, key: str, start: int, length: int) -> bytes:
        found = self._client.get_object(Bucket=self._at.bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
        with found["Body"] as body:
            return bytes(body.read())

    def _delete(self, prefix: str) -> None:
        while True:
            found = self._client.list_objects_v2(Bucket=self._at.bucket, Prefix=prefix).get("Contents", [])
            for each in found:  # one by one: to delete many at once takes a checksum that not all stores agree on
                self._client.delete_object(Bucket=self._at.bucket, Key=each["Key"])
            if not found:
                return


class _Pieces:
    def __init__(self, store: S3Store, transaction: Transaction, touch: Touch, attachment_id: UUID) -> None:
        self._store, self._transaction, self._touch, self._id = store, transaction, touch, attachment_id
        self._held: list[bytes] = []
        self._piece = 0

    async def add(self, chunk: bytes) -> None:
        self._held.append(chunk)
        if len(self._held) == PIECE:
            await self.end()

    async def end(self) -> None:
        if not self._held:
            return
        async with self._transaction() as tx:
            await self._touch(tx)
        body = b"".join(self._held)
        self._held = []
        await self._store.put(self._store.key(self._id, self._piece), body)
        self._piece += 1


class Stores:
    """The stores of this process: the one for what is new, and those that older files lie in."""

    def __init__(self, settings: Settings) -> None:
        address = settings.attachment_store
        self._all: dict[str, Store] = {"database": DatabaseStore()}
        if address != "database":
            self._all["s3"] = S3Store(S3Address.of(address))
        self.for_new: Store = self._all["database" if address == "database" else "s3"]

    def of(self, name: str) -> Store:
        """Return the store a file lies in. Raises `FileStoreUnavailable` if this process knows of none."""
        try:
            return self._all[name]
        except KeyError:
            log.error("files lie in a store that RUJUKAN_ATTACHMENT_STORE does not name: %s", name)
            raise FileStoreUnavailable from None

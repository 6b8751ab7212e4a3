"""The whole log as a stream of documents, for auditors: entries with their positions, what is stored of the tree, every checkpoint."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from app.foundation.database import Connection
from app.log import keys, queries
from app.log.auditing import FORM
from app.log.leaf import entry_of


async def export(conn: Connection) -> AsyncIterator[dict[str, Any]]:
    """Yield the lines of an export, in one snapshot, whatever is written meanwhile. A few rows are held at a time."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        known = await keys.verifiers(conn)
        yield {
            "type": "log",
            "form": FORM,
            "origin": known[-1].name if known else None,
            "keys": [key.vkey for key in known],
        }
        size = 0
        checkpoints, subtrees = _Ahead(queries.every_checkpoint(conn)), _Ahead(queries.every_subtree(conn))
        await checkpoints.step()
        await subtrees.step()
        async for row in queries.every_leaf(conn):
            size = row["position"] + 1
            yield {
                "type": "entry",
                "position": row["position"],
                "entry_id": str(row["entry_id"]),
                "hash": base64.b64encode(row["hash"]).decode(),
                "entry": entry_of(row) if row["id"] is not None else None,
            }
            while (found := subtrees.row) is not None and (found["position"] + 1) << 8 * found["level"] <= size:
                yield _subtree(found)
                await subtrees.step()
            while (found := checkpoints.row) is not None and found["size"] <= size:
                yield {"type": "checkpoint", "note": found["note"]}
                await checkpoints.step()
        while (found := subtrees.row) is not None:  # of positions that are gone
            yield _subtree(found)
            await subtrees.step()
        while (found := checkpoints.row) is not None:
            yield {"type": "checkpoint", "note": found["note"]}
            await checkpoints.step()
        async for row in queries.every_unplaced(conn):
            yield {"type": "unplaced", "waits": row["waits"], "entry": entry_of(row)}
        yield {"type": "end", "size": size}


def _subtree(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "type": "subtree",
        "level": row["level"],
        "position": row["position"],
        "hash": base64.b64encode(row["hash"]).decode(),
    }


class _Ahead:
    """Rows of which the next one can be looked at."""

    def __init__(self, rows: AsyncIterator[asyncpg.Record]) -> None:
        self._rows = rows
        self.row: asyncpg.Record | None = None

    async def step(self) -> None:
        self.row = await anext(self._rows, None)

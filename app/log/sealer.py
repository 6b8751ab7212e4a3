"""The sealer: gives committed entries their positions, and signs a checkpoint over them.

One transaction a batch, under an advisory lock: positions, subtrees and checkpoint are there together or not at all, whatever crashes,
and no size ever gets two roots. Before it goes on from the last checkpoint it checks that this is signed by a key of the log and is the
root over what is stored: it does not sign for what somebody has rewritten.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.foundation.database import Connection
from app.foundation.keyring import Keyring
from app.log import keys, notes, proofs, queries
from app.log.leaf import leaf_hash_of
from app.log.notes import Checkpoint, NoteRefused
from app.log.queries import BITS
from app.log.tree import Frontier


class LogAltered(Exception):
    """What is stored of the log is not what was sealed: nothing more is sealed until somebody has looked (`rujukan verify log`)."""


async def seal(
    conn: Connection, keyring: Keyring, now: datetime, *, public_url: str, rotate_after: timedelta, limit: int
) -> int:
    """Seal what waits, at most `limit` entries; return how many, or 0 if another process does it. Raises `LogAltered`."""
    if not await queries.is_waiting(conn):
        return 0
    await keys.ensure_active(conn, keyring, now, public_url=public_url, rotate_after=rotate_after)
    async with conn.transaction():
        if not await queries.try_sealing(conn):
            return 0
        rows = await queries.to_seal(conn, limit)
        if not rows:
            return 0
        if any(row["action"] is None for row in rows):
            raise LogAltered("an entry is gone that was never sealed")
        key = await keys.load_active(conn, keyring)
        assert key is not None, "made above"
        frontier = await taken_up(conn)
        first, hashes, subtrees = frontier.size, [], []
        for row in rows:
            hashes.append(leaf_hash_of(row))
            for (height, index), node in frontier.append(hashes[-1]):
                if height and height % BITS == 0:
                    subtrees.append((height // BITS, index, node))
        checkpoint = Checkpoint(key.verifier.name, frontier.size, frontier.root())
        await queries.store_sealed(
            conn,
            rows=rows,
            first=first,
            hashes=hashes,
            subtrees=subtrees,
            size=frontier.size,
            note=notes.sign(checkpoint, key.verifier, key.private),
            at=now,
        )
    return len(rows)


async def taken_up(conn: Connection) -> Frontier:
    """Return the tree of the last checkpoint. Raises `LogAltered` unless it is the tree that was signed."""
    last = await queries.newest_checkpoint(conn)
    size = await queries.end_of_leaves(conn)
    if last is None and size == 0:
        return Frontier()
    try:
        if last is None:
            raise NoteRefused("there is none")
        signed, _ = notes.verify(last["note"], await keys.verifiers(conn))
        frontier = await proofs.frontier_of(conn, signed.size)
    except (NoteRefused, proofs.TreeBroken) as error:
        raise LogAltered(f"the last checkpoint: {error}") from error
    if (signed.size, signed.root) != (size, frontier.root()):
        raise LogAltered("what is stored does not have the root that was signed last")
    return frontier

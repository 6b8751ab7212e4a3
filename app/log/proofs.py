"""Proofs from what is stored of the tree: some hundred rows, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence

from app.foundation.database import Connection
from app.log import queries, tree
from app.log.queries import BITS
from app.log.tree import Frontier, Node, Part


class TreeBroken(Exception):
    """What is stored of the tree is not whole; the message says where."""


async def nodes_of(conn: Connection, wanted: Sequence[Node]) -> dict[Node, bytes]:
    """Return the roots of complete subtrees, from the stored ones below them. Raises `TreeBroken` where one is missing."""
    ranges = [
        (height // BITS, index << (height % BITS), index + 1 << (height % BITS))
        for height, index in dict.fromkeys(wanted)
    ]
    stored = await queries.stored_hashes(conn, ranges)
    found: dict[Node, bytes] = {}
    for (level, first, last), node in zip(ranges, dict.fromkeys(wanted), strict=True):
        hashes = []
        for position in range(first, last):
            if (level * BITS, position) not in stored:
                raise TreeBroken(f"position {position} of level {level} is missing")
            hashes.append(stored[level * BITS, position])
        while len(hashes) > 1:
            hashes = [tree.hash_node(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        found[node] = hashes[0]
    return found


async def frontier_of(conn: Connection, size: int) -> Frontier:
    """Return the tree of a size, ready to go on. Raises `TreeBroken`."""
    wanted = tree.complete_subtrees(0, size)
    found = await nodes_of(conn, wanted)
    return Frontier(size, [found[node] for node in wanted])


async def root_at(conn: Connection, size: int) -> bytes:
    """Return the root of the tree of a size. Raises `TreeBroken`."""
    return (await frontier_of(conn, size)).root()


async def inclusion(conn: Connection, position: int, size: int) -> list[bytes]:
    """Return the proof that a position is in the tree of `size` (RFC 9162 §2.1.3). Raises `TreeBroken`."""
    return await _proof(conn, tree.inclusion_path(position, size))


async def consistency(conn: Connection, earlier: int, later: int) -> list[bytes]:
    """Return the proof that the tree of `later` leaves begins with that of `earlier` (RFC 9162 §2.1.4). Raises `TreeBroken`."""
    return await _proof(conn, tree.consistency_path(earlier, later))


async def _proof(conn: Connection, parts: Sequence[Part]) -> list[bytes]:
    return tree.roots(parts, await nodes_of(conn, tree.nodes_needed(parts)))

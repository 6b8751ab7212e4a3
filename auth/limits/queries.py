"""The SQL of limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.foundation.database import Connection

KEPT_FOR = timedelta(days=90)
"""How long counts of refusals are kept."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process has let through since it last asked."""

    key: str
    permits: float
    """Negative: given back."""
    rate: float
    burst: float


async def spend(conn: Connection, spent: Sequence[Spent], *, at: datetime) -> list[float]:
    """Take what was spent from the buckets, whose keys come sorted; return what is left in each (below zero: owed)."""
    left: list[float] = await conn.fetchval(
        "SELECT spend_permits($1, $2, $3, $4, $5)",
        [each.key for each in spent],
        [each.permits for each in spent],
        [each.rate for each in spent],
        [each.burst for each in spent],
        at,
    )
    return left


async def count_refusals(
    conn: Connection, counts: Sequence[tuple[str, str, int]], *, mild: Sequence[str], often: int, at: datetime
) -> int:
    """Add counts of refusals (client, reason, how many); return how many clients' agencies were told that it was often."""
    told: int = await conn.fetchval(
        "SELECT count_refusals($1, $2, $3, $4, $5, $6)",
        [client_id for client_id, _, _ in counts],
        [reason for _, reason, _ in counts],
        [count for _, _, count in counts],
        list(mild),
        often,
        at,
    )
    return told


async def purge(conn: Connection, *, now: datetime, at_most: int = 10_000) -> int:
    """Forget buckets that are full again, and old counts; returns how many. In bites, so that no lock is held for long.

    A bucket that a process is spending from is left alone: it is not full any more, and whoever spends takes them in another order.
    """
    gone = 0
    for statement, before in (
        (
            "DELETE FROM rate_bucket WHERE key IN"
            " (SELECT key FROM rate_bucket WHERE full_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            now,
        ),
        (
            "DELETE FROM client_refusal WHERE ctid IN (SELECT ctid FROM client_refusal WHERE hour < $1 LIMIT $2)",
            now - KEPT_FOR,
        ),
    ):
        gone += int((await conn.execute(statement, before, at_most)).split()[-1])
    return gone

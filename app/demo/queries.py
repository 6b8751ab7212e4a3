"""The SQL only the demonstration asks."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection


async def remember_proofs_from(conn: Connection, at: datetime) -> None:
    """Let proofs made from `at` on be taken.

    After a crash the exchange refuses all proofs older than the crash, since it forgot which of them were used. The
    demonstration begins weeks before that, with keys nobody has used.
    """
    await conn.execute("UPDATE proof_memory SET complete_from = $1 WHERE complete_from > $1", at)


async def somebody_works(conn: Connection) -> bool:
    """Whether another process runs the jobs on this database; asked as `rujukan_worker`."""
    return bool(
        await conn.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity
                              WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid())"""
        )
    )


async def ensure_partitions(conn: Connection, at: datetime) -> None:
    """Make the monthly partitions around `at`."""
    await conn.fetchval("SELECT ensure_partitions($1)", at)

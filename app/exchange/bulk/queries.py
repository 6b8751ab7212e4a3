"""The SQL of imports and exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from app.foundation import json
from app.foundation.database import Connection

OPEN = "('receiving', 'running')"


class NewLine(NamedTuple):
    """A line as it is stored."""

    id: UUID
    number: int
    content: bytes | None
    key: str | None


# uploading


async def import_by_key(tx: Connection, agency_id: UUID, client_id: str, key: str) -> asyncpg.Record | None:
    """Return the import that a client sent under a key."""
    return await tx.fetchrow(
        "SELECT * FROM bulk_import WHERE agency_id = $1 AND client_id = $2 AND key = $3", agency_id, client_id, key
    )


async def count_open(tx: Connection, agency_id: UUID, client_id: str) -> int:
    """Return how many imports of a client are not ended."""
    found: int = await tx.fetchval(
        f"SELECT count(*) FROM bulk_import WHERE agency_id = $1 AND client_id = $2 AND state IN {OPEN}",  # noqa: S608 -- a constant
        agency_id,
        client_id,
    )
    return found


async def begin_import(
    tx: Connection,
    import_id: UUID,
    *,
    parties: tuple[UUID, UUID],
    client_id: str,
    actor: str,
    key: str,
    digest: bytes,
    at: datetime,
) -> bool:
    """Make an import without a line; False if its key is taken. `parties`: for whom, and by whom."""
    made = await tx.fetchval(
        """INSERT INTO bulk_import (id, agency_id, recorder_id, client_id, actor, key, digest, created_at, touched_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (agency_id, client_id, key) DO NOTHING RETURNING id""",
        import_id,
        *parties,
        client_id,
        actor,
        key,
        digest,
        at,
    )
    return made is not None


async def add_lines(
    tx: Connection,
    import_id: UUID,
    agency_id: UUID,
    lines: Sequence[NewLine],
    *,
    after: int,
    size: int,
    digest: bytes,
    at: datetime,
) -> bool:
    """Append lines to an import that holds `after` of them; False if it holds another number, or is not open for lines."""
    grown = await tx.fetchval(
        """UPDATE bulk_import SET lines = lines + $3, size = size + $4, digest = $5, touched_at = $6
           WHERE id = $1 AND lines = $2 AND state = 'receiving' RETURNING id""",
        import_id,
        after,
        len(lines),
        size,
        digest,
        at,
    )
    if grown is None:
        return False
    await tx.execute(
        """INSERT INTO import_line (id, import_id, agency_id, number, content, key, due_at)
           SELECT l.id, $1, $2, l.number, l.content, l.key, $7
           FROM unnest($3::uuid[], $4::int[], $5::bytea[], $6::text[]) AS l(id, number, content, key)""",
        import_id,
        agency_id,
        [line.id for line in lines],
        [line.number for line in lines],
        [line.content for line in lines],
        [line.key for line in lines],
        at,
    )
    return True


async def change_state(
    tx: Connection, import_id: UUID, *, client_id: str | None, from_states: Sequence[str], to: str, at: datetime
) -> asyncpg.Record | None:
    """Move an import on, its client's alone if one is named; None if it is not there in such a state."""
    return await tx.fetchrow(
        """UPDATE bulk_import SET state = $4,
               started_at = CASE WHEN $4 = 'running' THEN $5 ELSE started_at END,
               ended_at = CASE WHEN $4 = 'cancelled' THEN $5 ELSE ended_at END
           WHERE id = $1 AND ($2::text IS NULL OR client_id = $2) AND state = ANY ($3) RETURNING *""",
        import_id,
        client_id,
        from_states,
        to,
        at,
    )


_LEAVE = "UPDATE import_line SET outcome = 'cancelled', content = NULL, handled_at = $2 WHERE import_id = $1 AND outcome IS NULL"
_COUNT = "SELECT import_id, coalesce(outcome, 'waiting') AS outcome, count(*) AS n FROM import_line WHERE import_id = ANY ($1) GROUP BY 1, 2"


async def leave_lines(tx: Connection, import_id: UUID, at: datetime) -> None:
    """Look at no more line of an import, and destroy what they hold."""
    await tx.execute(_LEAVE, import_id, at)


async def counts_of(tx: Connection, imports: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return the number of lines by outcome; of those without one, as `waiting`."""
    found: dict[UUID, dict[str, int]] = {}
    for row in await tx.fetch(_COUNT, list(imports)):
        found.setdefault(row["import_id"], {})[row["outcome"]] = row["n"]
    return found


async def keep_counts(tx: Connection, import_id: UUID, counts: Mapping[str, int]) -> None:
    """Keep the counts of an import that has ended."""
    await tx.execute("UPDATE bulk_import SET counts = $2 WHERE id = $1", import_id, json.text(dict(counts)))


# reading


async def find_import(tx: Connection, import_id: UUID) -> asyncpg.Record | None:
    """Return an import of the agency."""
    return await tx.fetchrow("SELECT * FROM bulk_import WHERE id = $1", import_id)


async def list_imports(
    tx: Connection, agency_id: UUID, *, key: str | None, state: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return imports of the agency, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM bulk_import WHERE agency_id = $1 AND ($2::text IS NULL OR key = $2) AND ($3::text IS NULL OR state = $3)
             AND id < coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) ORDER BY id DESC LIMIT $5""",
        agency_id,
        key,
        state,
        before,
        limit,
    )
    return rows


async def list_results(
    tx: Connection, import_id: UUID, *, outcomes: Sequence[str] | None, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return lines that have a result, in their order."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT number, key, outcome, referral_id, case_id, reference, problem, warnings, handled_at FROM import_line
           WHERE import_id = $1 AND number > $2 AND outcome IS NOT NULL AND ($3::text[] IS NULL OR outcome = ANY ($3))
           ORDER BY number LIMIT $4""",
        import_id,
        after,
        list(outcomes) if outcomes else None,
        limit,
    )
    return rows


# handling, as the agency


_CLAIM = """
UPDATE import_line AS l SET tries = tries + 1, due_at = $2::timestamptz + $3::interval, tried_at = tried_at || $2::timestamptz
WHERE l.id IN (
    SELECT w.id FROM import_line w
    WHERE w.import_id = $1 AND w.outcome IS NULL AND {which} ORDER BY {order} LIMIT $4 FOR UPDATE SKIP LOCKED)
  AND EXISTS (SELECT FROM bulk_import i WHERE i.id = $1 AND i.state = 'running')
RETURNING l.*, EXISTS (
    SELECT FROM import_line e WHERE e.import_id = $1 AND e.key = l.key AND e.number < l.number) AS repeated
"""
_FRESH = _CLAIM.format(which="w.tries = 0", order="w.number")
_AGAIN = _CLAIM.format(which="w.tries > 0 AND w.due_at <= $2", order="w.due_at")


async def claim_lines(
    tx: Connection, import_id: UUID, *, again: bool, at: datetime, lease: timedelta, limit: int
) -> list[asyncpg.Record]:
    """Take lines in hand, those that were never tried or those whose time has come `again`; no other worker gets them meanwhile."""
    rows: list[asyncpg.Record] = await tx.fetch(_AGAIN if again else _FRESH, import_id, at, lease, limit)
    return rows


async def keep_result(
    tx: Connection,
    line_id: UUID,
    *,
    outcome: str | None,
    at: datetime,
    due_at: datetime,
    ids: tuple[UUID | None, UUID | None, str | None] = (None, None, None),
    problem: Mapping[str, Any] | None = None,
    warnings: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Keep what became of a line, and destroy what it held; without an outcome it is tried again when it is due.

    A line that was cancelled meanwhile gets its true outcome, and what was counted is counted again; one that has another already keeps it:
    somebody else was first.
    """
    await tx.execute(
        """UPDATE bulk_import SET counts = NULL WHERE counts IS NOT NULL AND $2::text IS NOT NULL
             AND id = (SELECT import_id FROM import_line WHERE id = $1 AND outcome = 'cancelled')""",
        line_id,
        outcome,
    )
    await tx.execute(
        """UPDATE import_line SET outcome = coalesce($2, outcome), due_at = $4, referral_id = $5, case_id = $6, reference = $7, problem = $8,
               warnings = $9, handled_at = CASE WHEN $2::text IS NULL THEN handled_at ELSE $3 END,
               content = CASE WHEN $2::text IS NULL THEN content END
           WHERE id = $1 AND (outcome IS NULL OR (outcome = 'cancelled' AND $2::text IS NOT NULL))""",
        line_id,
        outcome,
        at,
        due_at,
        *ids,
        json.text(problem) if problem is not None else None,
        json.text(list(warnings)) if warnings else None,
    )


# looking after imports, as the worker


async def running_imports(conn: Connection, at: datetime) -> list[asyncpg.Record]:
    """Return what there is to do, without what is parked."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT id, agency_id, recorder_id, client_id, actor, lines, started_at FROM bulk_import
           WHERE state = 'running' AND NOT is_parked('run_imports', id, $1) ORDER BY id""",
        at,
    )
    return rows


async def end_import(conn: Connection, import_id: UUID, *, reason: str | None, at: datetime) -> bool:
    """End an import that runs and has no line left, or, for a reason, whatever is left; tell its agency. False: nothing was to be ended."""
    async with conn.transaction():
        row = await conn.fetchrow(
            """UPDATE bulk_import SET state = CASE WHEN $2::text IS NULL THEN 'finished' ELSE 'stopped' END, reason = $2, ended_at = $3
               WHERE id = $1 AND state = 'running'
                 AND ($2::text IS NOT NULL OR NOT EXISTS (SELECT FROM import_line WHERE import_id = $1 AND outcome IS NULL))
               RETURNING agency_id, client_id, state""",
            import_id,
            reason,
            at,
        )
        if row is None:
            return False
        await leave_lines(conn, import_id, at)
        counts = (await counts_of(conn, [import_id])).get(import_id, {})
        await keep_counts(conn, import_id, counts)
        await conn.execute(
            "SELECT append_log($1, $2, $3, NULL, NULL, $4, 'done', 'import', $5, NULL, $6)",
            at,
            row["agency_id"],
            row["client_id"],
            f"import:{'finish' if reason is None else 'stop'}",
            import_id,
            json.text(counts | ({"reason": reason} if reason else {})),
        )
        await conn.execute(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
               VALUES ($1, 'import.finished', 'import', $2, NULL, $3, $4)""",
            row["agency_id"],
            import_id,
            row["state"],
            at,
        )
    return True


async def forget_imports(
    conn: Connection, *, ended_before: datetime, untouched_since: datetime, at: datetime, limit: int
) -> int:
    """Remove imports that ended long ago, and cancel those whose upload was never gone on with; return how many there were."""
    async with conn.transaction():
        left = await conn.fetch(
            """UPDATE bulk_import SET state = 'cancelled', reason = 'not_gone_on_with', ended_at = $2 WHERE id IN (
                   SELECT id FROM bulk_import WHERE state = 'receiving' AND touched_at < $1 LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id""",
            untouched_since,
            at,
            limit,
        )
        for row in left:
            await leave_lines(conn, row["id"], at)
            await keep_counts(conn, row["id"], (await counts_of(conn, [row["id"]])).get(row["id"], {}))
        gone = await conn.fetch(
            "DELETE FROM bulk_import WHERE id IN (SELECT id FROM bulk_import WHERE ended_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
            ended_before,
            limit,
        )
    return len(left) + len(gone)


def as_json(value: str | None) -> Any:
    """Return what a `jsonb` column holds."""
    return None if value is None else orjson.loads(value)


# exporting


async def take_export(
    tx: Connection, agency_id: UUID, client_id: str, export_id: UUID, *, at: datetime, until: datetime
) -> datetime | None:
    """Take the one place for an export, or keep it; None if it is one's own, else until when another has it."""
    taken = await tx.fetchval(
        """INSERT INTO bulk_export AS e (agency_id, client_id, id, lease_until) VALUES ($1, $2, $3, $5)
           ON CONFLICT (agency_id, client_id) DO UPDATE SET id = excluded.id, lease_until = excluded.lease_until
           WHERE e.id = excluded.id OR e.lease_until <= $4 RETURNING id""",
        agency_id,
        client_id,
        export_id,
        at,
        until,
    )
    if taken is not None:
        return None
    other: datetime | None = await tx.fetchval(
        "SELECT lease_until FROM bulk_export WHERE agency_id = $1 AND client_id = $2", agency_id, client_id
    )
    return other or until


async def leave_export(tx: Connection, agency_id: UUID, client_id: str, export_id: UUID) -> None:
    """Give the place back."""
    await tx.execute(
        "DELETE FROM bulk_export WHERE agency_id = $1 AND client_id = $2 AND id = $3", agency_id, client_id, export_id
    )


_OF_PARTIES = """
SELECT id, NULL::uuid AS case_id FROM (
    (SELECT id FROM {table} WHERE receiver_id = $1 AND id > $2 AND ($3::timestamptz IS NULL OR updated_at >= $3) ORDER BY id LIMIT $4)
    UNION (SELECT id FROM {table} WHERE sender_id = $1 AND id > $2 AND ($3::timestamptz IS NULL OR updated_at >= $3) ORDER BY id LIMIT $4)
    {more}) AS own ORDER BY id LIMIT $4
"""
_IDS = {
    "case": """
        SELECT c.id, NULL::uuid AS case_id FROM case_file c JOIN (
            SELECT id FROM case_file WHERE lead_id = $1 AND id > $2
            UNION SELECT case_id FROM case_lead WHERE agency_id = $1 AND case_id > $2
            UNION SELECT case_id FROM referral WHERE receiver_id = $1 AND ended_at IS NULL AND case_id > $2
            UNION SELECT case_id FROM referral WHERE sender_id = $1 AND ended_at IS NULL AND case_id > $2
            UNION SELECT case_id FROM transfer WHERE receiver_id = $1 AND ended_at IS NULL AND case_id > $2
            UNION SELECT case_id FROM transfer WHERE sender_id = $1 AND ended_at IS NULL AND case_id > $2) AS own ON own.id = c.id
        WHERE $3::timestamptz IS NULL OR c.updated_at >= $3 ORDER BY c.id LIMIT $4""",
    "referral": _OF_PARTIES.format(
        table="referral",
        more="""UNION (SELECT r.id FROM case_file c JOIN referral r ON r.case_id = c.id
            WHERE c.lead_id = $1 AND r.id > $2 AND ($3::timestamptz IS NULL OR r.updated_at >= $3) ORDER BY r.id LIMIT $4)""",
    ),
    "transfer": _OF_PARTIES.format(table="transfer", more=""),
    "consent": """
        SELECT own.id, own.case_id FROM (
            SELECT id, case_id FROM consent WHERE author_id = $1 AND id > $2
            UNION SELECT c.id, c.case_id FROM case_file f JOIN consent c ON c.case_id = f.id WHERE f.lead_id = $1 AND c.id > $2) AS own
            JOIN consent c ON c.id = own.id AND c.case_id = own.case_id
        WHERE $3::timestamptz IS NULL OR c.recorded_at >= $3 OR c.doubted_at >= $3
           OR EXISTS (SELECT FROM consent_withdrawal w WHERE w.consent_id = c.id AND w.recorded_at >= $3)
           OR EXISTS (SELECT FROM consent_reconfirmation r WHERE r.consent_id = c.id AND r.recorded_at >= $3)
        ORDER BY own.id LIMIT $4""",
}
"""The ids of what the agency may read of each kind; what it may read of each, the reading itself decides."""


async def ids_of(
    tx: Connection, kind: str, agency_id: UUID, *, after: UUID, since: datetime | None, limit: int
) -> list[asyncpg.Record]:
    """Return the ids of what an agency may read of a kind, in their order."""
    rows: list[asyncpg.Record] = await tx.fetch(_IDS[kind], agency_id, after, since, limit)
    return rows

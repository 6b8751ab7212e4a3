"""The SQL of notices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def behind(conn: Connection, passed_over: Sequence[UUID], now: datetime) -> asyncpg.Record | None:
    """Return an agency whose feed has gone on, and that nobody else is at; held until the transaction ends."""
    return await conn.fetchrow(
        """SELECT a.agency_id AS id, a.position, f.position AS feed_position FROM notice_address a
           JOIN feed_end f ON f.agency_id = a.agency_id AND f.position > a.position
           JOIN agency g ON g.id = a.agency_id AND g.status = 'active'
           WHERE a.agency_id <> ALL ($1) AND NOT is_parked('gather_notices', a.agency_id, $2)
           ORDER BY a.agency_id LIMIT 1 FOR NO KEY UPDATE OF a SKIP LOCKED""",
        passed_over,
        now,
    )


async def events_after(conn: Connection, agency_id: UUID, position: int, limit: int) -> list[asyncpg.Record]:
    """Return an agency's next events, each with whether what it is about is immediate."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT e.position, e.event_id, e.type, e.subject, e.subject_id, e.case_id, coalesce(
               (SELECT r.urgency FROM referral r WHERE r.id = e.subject_id),
               (SELECT t.urgency FROM transfer t WHERE t.id = e.subject_id),
               (SELECT x.urgency FROM escalation x WHERE x.id = e.subject_id AND x.case_id = e.case_id), '') = 'immediate' AS immediate
           FROM event e WHERE e.agency_id = $1 AND e.position > $2 ORDER BY e.position LIMIT $3""",
        agency_id,
        position,
        limit,
    )
    return rows


async def mail_to_join(
    conn: Connection, agency_id: UUID, *, now: datetime, interval: timedelta, at_once: timedelta, immediate: bool
) -> UUID:
    """Return the agency's mail that nobody has begun to send, or a new one; of what is immediate it is due sooner."""
    last = await conn.fetchval(
        "SELECT max(first_at) FROM notice_mail WHERE agency_id = $1 AND state <> 'needless'", agency_id
    )
    due = now if last is None else max(now, last + (at_once if immediate else interval))
    found: UUID | None = await conn.fetchval(
        """UPDATE notice_mail SET due_at = least(due_at, $2) WHERE id = (
               SELECT id FROM notice_mail WHERE agency_id = $1 AND state = 'waiting' AND attempts = 0 ORDER BY id DESC LIMIT 1 FOR UPDATE)
           RETURNING id""",
        agency_id,
        due,
    )
    if found is None:
        found = await conn.fetchval(
            "INSERT INTO notice_mail (agency_id, created_at, due_at) VALUES ($1, $2, $3) RETURNING id",
            agency_id,
            now,
            due,
        )
    assert found is not None
    return found


async def add(conn: Connection, agency_id: UUID, mail_id: UUID, events: Sequence[asyncpg.Record]) -> None:
    """Put events into a mail; each once, whatever happens."""
    await conn.executemany(
        """INSERT INTO notice (agency_id, event_id, mail_id, type, subject, subject_id, case_id) VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT DO NOTHING""",
        [
            (agency_id, each["event_id"], mail_id, each["type"], each["subject"], each["subject_id"], each["case_id"])
            for each in events
        ],
    )


async def seen_to(conn: Connection, agency_id: UUID, position: int) -> None:
    """Remember that events up to here have become notices."""
    await conn.execute("UPDATE notice_address SET position = $2 WHERE agency_id = $1", agency_id, position)


async def claim(conn: Connection, *, now: datetime, lease: timedelta, limit: int) -> list[asyncpg.Record]:
    """Take mails that are due, one an agency, the oldest first; who dies with them leaves them to come due again.

    A suspended agency's wait for it: what was sent to it is there still when it is let in again.
    """
    rows: list[asyncpg.Record] = await conn.fetch(
        """WITH due AS (
               SELECT id FROM notice_mail m WHERE state = 'waiting' AND due_at <= $1 AND NOT EXISTS (
                   SELECT FROM notice_mail e WHERE e.agency_id = m.agency_id AND e.state = 'waiting' AND e.id < m.id)
                 AND NOT EXISTS (SELECT FROM agency g WHERE g.id = m.agency_id AND g.status = 'suspended')
               ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
           UPDATE notice_mail m SET due_at = $1 + $2::interval, attempts = attempts + 1, first_at = coalesce(first_at, $1)
           FROM due WHERE m.id = due.id
           RETURNING m.*, EXISTS (SELECT FROM parked_job p WHERE p.job = 'send_notices' AND p.subject_id = m.id) AS noted""",
        now,
        lease,
        limit,
    )
    return rows


async def address_of(conn: Connection, agency_id: UUID) -> asyncpg.Record | None:
    """Return where an agency is told, unless it takes no part now."""
    return await conn.fetchrow(
        """SELECT a.email, a.language, g.sandbox FROM notice_address a JOIN agency g ON g.id = a.agency_id
           WHERE a.agency_id = $1 AND g.status = 'active'""",
        agency_id,
    )


async def lines_of(conn: Connection, mail_id: UUID, agency_id: UUID) -> list[asyncpg.Record]:
    """Return what of a mail still waits for its agency, each thing once, in the order in which it came.

    What ended (`declined`, `expired`, `unattended`) waits for whoever sent it, and is named in any case.
    """
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT subject, reference FROM (
               SELECT DISTINCT ON (s.subject, s.reference) s.subject, s.reference, n.event_id FROM notice n, LATERAL (
                   SELECT 'referral' AS subject, r.reference FROM referral r
                   WHERE n.subject = 'referral' AND r.id = n.subject_id AND CASE
                       WHEN n.type IN ('referral.declined', 'referral.expired') THEN r.sender_id = n.agency_id
                       WHEN n.type = 'referral.error_reported' THEN r.receiver_id = n.agency_id AND r.ended_at IS NULL
                       WHEN n.type = 'referral.note' THEN EXISTS (
                           SELECT FROM note_seen u WHERE u.agency_id = n.agency_id AND u.subject_id = r.id AND u.unread > 0)
                       WHEN n.type IN ('referral.reminder', 'referral.overdue') THEN r.turn_id = n.agency_id AND r.clock <> 'ok'
                       ELSE r.turn_id = n.agency_id END
                   UNION ALL
                   SELECT 'transfer', t.reference FROM transfer t
                   WHERE n.subject = 'transfer' AND t.id = n.subject_id AND CASE
                       WHEN n.type IN ('transfer.declined', 'transfer.expired') THEN t.sender_id = n.agency_id
                       WHEN n.type = 'transfer.error_reported' THEN t.receiver_id = n.agency_id AND t.ended_at IS NULL
                       WHEN n.type = 'transfer.note' THEN EXISTS (
                           SELECT FROM note_seen u WHERE u.agency_id = n.agency_id AND u.subject_id = t.id AND u.unread > 0)
                       WHEN n.type IN ('transfer.reminder', 'transfer.overdue') THEN t.turn_id = n.agency_id AND t.clock <> 'ok'
                       ELSE t.turn_id = n.agency_id END
                   UNION ALL
                   SELECT e.subject, e.reference FROM escalation e JOIN escalation_asked k ON k.case_id = e.case_id AND k.escalation_id = e.id
                   WHERE n.subject = 'escalation' AND e.case_id = n.case_id AND e.id = n.subject_id AND k.agency_id = n.agency_id
                     AND k.closed_at IS NULL
                   UNION ALL
                   SELECT 'case', c.reference FROM case_file c WHERE n.subject = 'case' AND c.id = n.subject_id AND c.lead_id = n.agency_id
                   UNION ALL
                   SELECT 'request', NULL FROM request q
                   WHERE n.subject = 'request' AND q.id = n.subject_id AND q.to_id = n.agency_id AND q.state = 'open') AS s
               WHERE n.mail_id = $1 AND n.agency_id = $2 ORDER BY s.subject, s.reference, n.event_id) AS each
           ORDER BY event_id""",
        mail_id,
        agency_id,
    )
    return rows


async def settle(conn: Connection, mail_id: UUID, state: str, *, now: datetime) -> None:
    """Record that a mail is `sent`, or `needless`."""
    await conn.execute(
        "UPDATE notice_mail SET state = $2, ended_at = $3, fault = NULL, status = NULL WHERE id = $1 AND state = 'waiting'",
        mail_id,
        state,
        now,
    )


async def put_off(
    conn: Connection, mail_id: UUID, *, until: datetime | None, fault: str, status: int | None, now: datetime
) -> None:
    """Record that a mail was not taken: it comes due again, or is parked."""
    await conn.execute(
        """UPDATE notice_mail SET state = CASE WHEN $2::timestamptz IS NULL THEN 'parked' ELSE state END, due_at = coalesce($2, due_at),
               ended_at = CASE WHEN $2::timestamptz IS NULL THEN $5::timestamptz END, fault = $3, status = $4
           WHERE id = $1 AND state = 'waiting'""",
        mail_id,
        until,
        fault,
        status,
        now,
    )


async def flag_address(conn: Connection, agency_id: UUID, refused_at: datetime | None) -> None:
    """Remember that a server has refused an address for good; None: it has taken a mail for it again."""
    await conn.execute(
        "UPDATE notice_address SET refused_at = $2 WHERE agency_id = $1 AND refused_at IS DISTINCT FROM $2",
        agency_id,
        refused_at,
    )


async def forget(conn: Connection, *, before: datetime, limit: int) -> int:
    """Delete mails that ended long ago, with what they told of."""
    status = await conn.execute(
        """DELETE FROM notice_mail WHERE id IN (SELECT id FROM notice_mail WHERE state <> 'waiting' AND ended_at < $1 LIMIT $2)""",
        before,
        limit,
    )
    return int(status.rpartition(" ")[2])


async def set_address(conn: Connection, agency_id: UUID, email: str, language: str, now: datetime) -> None:
    """Say where an agency is told; of what happens from now on, unless it was told before."""
    await conn.execute(
        """INSERT INTO notice_address (agency_id, email, language, position, set_at)
           VALUES ($1, $2, $3, coalesce((SELECT position FROM feed_end WHERE agency_id = $1), 0), $4)
           ON CONFLICT (agency_id) DO UPDATE SET email = excluded.email, language = excluded.language, set_at = excluded.set_at,
               refused_at = CASE WHEN notice_address.email = excluded.email THEN notice_address.refused_at END""",
        agency_id,
        email,
        language,
        now,
    )


async def remove_address(conn: Connection, agency_id: UUID) -> bool:
    """Tell an agency no more."""
    return await conn.fetchval("DELETE FROM notice_address WHERE agency_id = $1 RETURNING true", agency_id) is True


async def addresses(conn: Connection, code: str | None) -> list[asyncpg.Record]:
    """Return where agencies are told, by code, with how many mails wait and are parked."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT g.code, g.sandbox, a.email, a.language, a.set_at, a.refused_at,
               (SELECT count(*) FROM notice_mail m WHERE m.agency_id = g.id AND m.state = 'waiting')::integer AS waiting,
               (SELECT count(*) FROM notice_mail m WHERE m.agency_id = g.id AND m.state = 'parked')::integer AS parked
           FROM notice_address a JOIN agency g ON g.id = a.agency_id WHERE $1::text IS NULL OR g.code = $1 ORDER BY g.code""",
        code,
    )
    return rows


async def mails(
    conn: Connection, *, state: str | None, code: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return mails, newest first."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT m.id, g.code AS agency, m.state, m.created_at, m.due_at, m.attempts, m.ended_at, m.fault, m.status,
               (SELECT count(n.mail_id) FROM notice n WHERE n.mail_id = m.id)::integer AS events
           FROM notice_mail m JOIN agency g ON g.id = m.agency_id
           WHERE ($1::text IS NULL OR m.state = $1) AND ($2::text IS NULL OR g.code = $2) AND ($3::uuid IS NULL OR m.id < $3)
           ORDER BY m.id DESC LIMIT $4""",
        state,
        code,
        before,
        limit,
    )
    return rows


async def retry(conn: Connection, mail_id: UUID, now: datetime) -> UUID | None:
    """Send a parked mail again, for another day; return whose it is."""
    found: UUID | None = await conn.fetchval(
        """UPDATE notice_mail SET state = 'waiting', due_at = $2, attempts = 0, first_at = NULL, ended_at = NULL
           WHERE id = $1 AND state = 'parked' RETURNING agency_id""",
        mail_id,
        now,
    )
    return found

"""The SQL of the people who administer, as the role `rujukan_admin`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def session_of(
    conn: Connection, token_hash: bytes, *, now: datetime, seen_since: datetime
) -> asyncpg.Record | None:
    """Return the session of a token with its person, and note that it was seen; None if it has ended, or was idle for too long."""
    return await conn.fetchrow(
        "UPDATE admin_session s SET seen_at = greatest(s.seen_at, $2) FROM administrator p"
        " WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3 AND p.id = s.admin_id AND p.status = 'active'"
        " RETURNING s.id, s.admin_id, s.confirmed_at, p.reference, p.roles",
        token_hash,
        now,
        seen_since,
    )


async def insert_session(conn: Connection, **values: Any) -> None:
    """Add a session that begins now."""
    await conn.execute(
        "INSERT INTO admin_session (id, token_hash, admin_id, method, address, user_agent, created_at, seen_at, expires_at, confirmed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)",
        *(values[name] for name in ("id", "token_hash", "admin_id", "method", "address", "user_agent", "at")),
        *(values[name] for name in ("expires_at", "confirmed_at")),
    )


async def renew_session(
    conn: Connection, id: UUID, *, token_hash: bytes, confirmed_at: datetime, now: datetime, seen_since: datetime
) -> bool:
    """Give a session another token, and note when its person proved who they are; False if it has ended meanwhile."""
    done = await conn.execute(
        "UPDATE admin_session SET token_hash = $2, confirmed_at = $3, seen_at = greatest(seen_at, $4)"
        " WHERE id = $1 AND ended_at IS NULL AND expires_at > $4 AND seen_at > $5",
        id,
        token_hash,
        confirmed_at,
        now,
        seen_since,
    )
    return bool(done == "UPDATE 1")


async def live_sessions(
    conn: Connection, *, admin_id: UUID | None, now: datetime, seen_since: datetime
) -> list[asyncpg.Record]:
    """Return the sessions that count, of one person or of all, the one seen last first."""
    return list(
        await conn.fetch(
            "SELECT s.id, s.admin_id, p.reference, s.method, host(s.address) AS address, s.user_agent, s.created_at, s.confirmed_at,"
            " s.seen_at, s.expires_at FROM admin_session s JOIN administrator p ON p.id = s.admin_id"
            " WHERE ($1::uuid IS NULL OR s.admin_id = $1) AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3"
            " AND p.status = 'active' ORDER BY s.seen_at DESC, s.id",
            admin_id,
            now,
            seen_since,
        )
    )


async def end_session(conn: Connection, id: UUID, *, now: datetime, admin_id: UUID | None = None) -> str | None:
    """End a session (only if it is of `admin_id`, where given) and return whose it was; None if there is none that has not ended."""
    found: str | None = await conn.fetchval(
        "UPDATE admin_session s SET ended_at = $2 FROM administrator p WHERE s.id = $1 AND s.ended_at IS NULL AND p.id = s.admin_id"
        " AND ($3::uuid IS NULL OR s.admin_id = $3) RETURNING p.reference",
        id,
        now,
        admin_id,
    )
    return found


async def end_sessions_of(conn: Connection, admin_id: UUID, *, now: datetime, but: UUID | None = None) -> int:
    """End a person's sessions, `but` one; returns how many there were."""
    done = await conn.execute(
        "UPDATE admin_session SET ended_at = $2 WHERE admin_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3",
        admin_id,
        now,
        but,
    )
    return int(done.removeprefix("UPDATE "))


async def end_session_of_token(conn: Connection, token_hash: bytes, *, now: datetime) -> None:
    """End the session of a token, if there is one."""
    await conn.execute(
        "UPDATE admin_session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL", token_hash, now
    )


async def insert_ceremony(
    conn: Connection,
    *,
    token_hash: bytes,
    kind: str,
    admin_id: UUID | None,
    data: Mapping[str, Any],
    at: datetime,
    expires_at: datetime,
) -> None:
    """Keep what a sign-in begins with; what has expired is forgotten, so that nobody fills the table by beginning alone."""
    await _forget_expired(conn, at)
    await conn.execute(
        "INSERT INTO ceremony (token_hash, kind, admin_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4::jsonb, $5, $6)",
        token_hash,
        kind,
        admin_id,
        json.dumps(data),
        at,
        expires_at,
    )


async def take_ceremony(conn: Connection, *, token_hash: bytes, kind: str, now: datetime) -> asyncpg.Record | None:
    """Return what a sign-in began with, and forget it; what has expired is forgotten as well."""
    row = await conn.fetchrow(
        "DELETE FROM ceremony WHERE token_hash = $1 AND kind = $2 RETURNING admin_id, data::text AS data, expires_at",
        token_hash,
        kind,
    )
    await _forget_expired(conn, now)
    return row if row is not None and row["expires_at"] > now else None


async def _forget_expired(conn: Connection, now: datetime) -> None:
    """Forget some of what has expired, leaving to others what they are at."""
    await conn.execute(
        "DELETE FROM ceremony WHERE token_hash IN"
        " (SELECT token_hash FROM ceremony WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)",
        now,
    )


async def look_at_ceremony(conn: Connection, *, token_hash: bytes, kind: str, now: datetime) -> asyncpg.Record | None:
    """Return what a sign-in began with, and leave it there."""
    return await conn.fetchrow(
        "SELECT admin_id, data::text AS data FROM ceremony WHERE token_hash = $1 AND kind = $2 AND expires_at > $3",
        token_hash,
        kind,
        now,
    )


# administrators

_ADMINISTRATOR = """SELECT p.id, p.reference, p.name, p.roles, p.status, p.created_at, p.oidc_subject IS NOT NULL AS linked,
    EXISTS (SELECT FROM passkey k WHERE k.admin_id = p.id) OR p.oidc_subject IS NOT NULL AS enrolled,
    (SELECT max(s.seen_at) FROM admin_session s WHERE s.admin_id = p.id) AS seen_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'name', k.name, 'created_at', k.created_at, 'last_used_at', k.last_used_at)
                               ORDER BY k.created_at, k.id), '[]')
     FROM passkey k WHERE k.admin_id = p.id AND k.ended_at IS NULL)::text AS passkeys
    FROM administrator p"""


async def insert_administrator(
    conn: Connection, *, id: UUID, reference: str, name: str, roles: Sequence[str], at: datetime
) -> bool:
    """Add an administrator; False if the reference is taken."""
    done = await conn.execute(
        "INSERT INTO administrator (id, reference, name, roles, created_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (reference) DO NOTHING",
        id,
        reference,
        name,
        list(roles),
        at,
    )
    return bool(done == "INSERT 0 1")


async def administrators(conn: Connection) -> list[asyncpg.Record]:
    """Return all administrators by reference, with their passkeys that count."""
    return list(await conn.fetch(f"{_ADMINISTRATOR} ORDER BY p.reference"))


async def administrator(conn: Connection, reference: str) -> asyncpg.Record | None:
    """Return an administrator with their passkeys that count, and keep others from changing them until commit."""
    return await conn.fetchrow(f"{_ADMINISTRATOR} WHERE p.reference = $1 FOR UPDATE OF p", reference)


async def is_reference(conn: Connection, reference: str) -> bool:
    """Whether it is an administrator's; locks nothing."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM administrator WHERE reference = $1)", reference))


async def administrator_of(conn: Connection, id: UUID) -> asyncpg.Record | None:
    """Return an administrator by id, and keep others from changing them until commit."""
    return await conn.fetchrow(f"{_ADMINISTRATOR} WHERE p.id = $1 FOR UPDATE OF p", id)


async def administrator_of_account(conn: Connection, *, issuer: str, subject: str) -> asyncpg.Record | None:
    """Return `id`, `reference` and `status` of the administrator an account at the OpenID provider belongs to."""
    return await conn.fetchrow(
        "SELECT id, reference, status FROM administrator WHERE oidc_issuer = $1 AND oidc_subject = $2", issuer, subject
    )


async def set_roles(conn: Connection, id: UUID, roles: Sequence[str]) -> None:
    """Set what an administrator may do."""
    await conn.execute("UPDATE administrator SET roles = $2 WHERE id = $1", id, list(roles))


async def set_status(conn: Connection, id: UUID, status: str) -> None:
    """Set an administrator's status."""
    await conn.execute("UPDATE administrator SET status = $2 WHERE id = $1", id, status)


async def link_account(conn: Connection, id: UUID, issuer: str | None, subject: str | None) -> bool:
    """Link an administrator to an account at the OpenID provider, or to none; False if the account is another's."""
    try:
        async with conn.transaction():
            await conn.execute(
                "UPDATE administrator SET oidc_issuer = $2, oidc_subject = $3 WHERE id = $1", id, issuer, subject
            )
    except asyncpg.UniqueViolationError:
        return False
    return True


async def operators_who_can_sign_in(conn: Connection) -> int:
    """Return how many active operators have a passkey or a linked account."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM administrator p WHERE p.status = 'active' AND 'operator' = ANY (p.roles) AND (p.oidc_subject IS NOT NULL"
        " OR EXISTS (SELECT FROM passkey k WHERE k.admin_id = p.id AND k.ended_at IS NULL))"
    )
    return count


# passkeys


async def insert_passkey(conn: Connection, **values: Any) -> bool:
    """Add a passkey; False if its credential is known already."""
    done = await conn.execute(
        "INSERT INTO passkey (id, admin_id, credential_id, public_key, sign_count, name, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (credential_id) DO NOTHING",
        *(values[name] for name in ("id", "admin_id", "credential_id", "public_key", "sign_count", "name", "at")),
    )
    return bool(done == "INSERT 0 1")


async def passkey(conn: Connection, credential_id: bytes) -> asyncpg.Record | None:
    """Return a passkey with its person, also one that has ended."""
    return await conn.fetchrow(
        "SELECT k.id, k.admin_id, k.public_key, k.ended_at, p.reference, p.status FROM passkey k"
        " JOIN administrator p ON p.id = k.admin_id WHERE k.credential_id = $1",
        credential_id,
    )


async def credentials_of(conn: Connection, admin_id: UUID) -> list[bytes]:
    """Return the credential ids of a person's passkeys that count."""
    rows = await conn.fetch("SELECT credential_id FROM passkey WHERE admin_id = $1 AND ended_at IS NULL", admin_id)
    return [row["credential_id"] for row in rows]


async def use_passkey(conn: Connection, id: UUID, *, sign_count: int, now: datetime) -> bool:
    """Note that a passkey was used; False if its counter has not grown (WebAuthn §6.1.1). One that has no counter always says 0."""
    done = await conn.execute(
        "UPDATE passkey SET sign_count = $2, last_used_at = $3 WHERE id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))",
        id,
        sign_count,
        now,
    )
    return bool(done == "UPDATE 1")


async def end_passkey(conn: Connection, id: UUID, *, admin_id: UUID, now: datetime) -> bool:
    """End a passkey of a person; False if they have no such one."""
    done = await conn.execute(
        "UPDATE passkey SET ended_at = $3 WHERE id = $1 AND admin_id = $2 AND ended_at IS NULL", id, admin_id, now
    )
    return bool(done == "UPDATE 1")


# invitations


async def end_invitations(conn: Connection, admin_id: UUID, *, now: datetime) -> None:
    """End a person's links that nobody has used."""
    await conn.execute(
        "UPDATE invitation SET expires_at = $2 WHERE admin_id = $1 AND used_at IS NULL AND expires_at > $2",
        admin_id,
        now,
    )


async def insert_invitation(
    conn: Connection, *, token_hash: bytes, admin_id: UUID, at: datetime, expires_at: datetime, code_hash: bytes | None
) -> None:
    """Add a link."""
    await conn.execute(
        "INSERT INTO invitation (token_hash, admin_id, created_at, expires_at, code_hash) VALUES ($1, $2, $3, $4, $5)",
        token_hash,
        admin_id,
        at,
        expires_at,
        code_hash,
    )


async def invitation(conn: Connection, token_hash: bytes, *, now: datetime) -> asyncpg.Record | None:
    """Return whom a link that counts invites."""
    return await conn.fetchrow(
        "SELECT p.id AS admin_id, p.reference, p.name, i.code_hash FROM invitation i JOIN administrator p ON p.id = i.admin_id"
        " WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > $2 AND p.status = 'active'",
        token_hash,
        now,
    )


async def use_invitation(conn: Connection, token_hash: bytes, *, now: datetime) -> asyncpg.Record | None:
    """Use up a link and return whom it invites; None if it does not count (any more)."""
    return await conn.fetchrow(
        "UPDATE invitation i SET used_at = $2 FROM administrator p WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > $2"
        " AND p.id = i.admin_id AND p.status = 'active' RETURNING p.id AS admin_id, p.reference, p.name, i.code_hash",
        token_hash,
        now,
    )

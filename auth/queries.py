"""All SQL of who-are-you, named for what it answers. What writes is in `auth.sql`'s grants: the API may only use up a jti."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.foundation.database import Connection

_CLOCKS_APART = timedelta(days=1)
"""How far behind another process's clock may be, generously."""
_NO_EPOCH = "the migrations have put the epoch's row in"


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything a process keeps in memory, read in one snapshot."""

    epoch: int
    revocations: int
    agencies: Sequence[Mapping[str, Any]]
    agreements: Sequence[Mapping[str, Any]]
    service_points: Sequence[Mapping[str, Any]]
    clients: Sequence[Mapping[str, Any]]
    client_agencies: Sequence[Mapping[str, Any]]
    client_keys: Sequence[Mapping[str, Any]]
    signing_keys: Sequence[Mapping[str, Any]]
    revoked: Sequence[str]


async def epoch_now(conn: Connection) -> tuple[int, int, bool]:
    """Return the epoch, how far revocations have come, and whether the memory of used proofs is there."""
    row = await conn.fetchrow("SELECT value, revocations, EXISTS (SELECT FROM proof_memory) AS remembers FROM epoch")
    assert row is not None, _NO_EPOCH
    return row["value"], row["revocations"], row["remembers"]


async def revoked_now(conn: Connection, *, now: datetime) -> tuple[int, Sequence[str]]:
    """Return the tokens that are revoked and would else still count, and how far revocations had come then."""
    row = await conn.fetchrow(
        "SELECT revocations, ARRAY(SELECT jti FROM revoked_token WHERE expires_at > $1) AS revoked FROM epoch", now
    )
    assert row is not None, _NO_EPOCH
    return row["revocations"], row["revoked"]


async def begin_proof_memory(conn: Connection, *, complete_from: datetime) -> None:
    """Start remembering used proofs again after a crash forgot them; the first process to notice decides."""
    await conn.execute("INSERT INTO proof_memory (complete_from) VALUES ($1) ON CONFLICT DO NOTHING", complete_from)


async def everything(pool: asyncpg.Pool, *, now: datetime) -> Rows:
    """Return agencies, clients, keys and revocations as of one instant, with the epoch they belong to."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        revocations, revoked = await revoked_now(conn, now=now)
        return Rows(
            epoch=await conn.fetchval("SELECT value FROM epoch"),
            revocations=revocations,
            agencies=await conn.fetch(
                "SELECT id, code, name, kind, region, country, parent_id, status, desk, reviewer, sandbox, tokens_not_before FROM agency"
            ),
            agreements=await conn.fetch(
                "SELECT kind, agency_id, other_id, times::text, from_at, until_at, purposes, sections, both_ways FROM agreement"
            ),
            service_points=await conn.fetch(
                "SELECT id, agency_id, name, confidential, region, address, services FROM service_point"
            ),
            clients=await conn.fetch(
                "SELECT client_id, name, status, scopes, auth_method, certificate_bound, tls_name_kind, tls_name, jwks_uri, networks,"
                " emergency_until, tokens_not_before FROM client WHERE status <> 'retired'"
            ),
            client_agencies=await conn.fetch("SELECT client_id, agency_id FROM client_agency"),
            client_keys=await conn.fetch(
                # what was published counts no longer than what was fetched last may be kept; what ended long ago only takes room
                "SELECT k.client_id, k.kid, k.jwk::text AS jwk, k.starts_at, least(k.ends_at, j.good_until) AS ends_at"
                " FROM client_key k LEFT JOIN client_jwks j ON j.client_id = k.client_id AND k.added_by = 'jwks_uri'"
                " WHERE k.ends_at IS NULL OR k.ends_at > $1",
                now - _CLOCKS_APART,
            ),
            signing_keys=await conn.fetch(
                "SELECT id, kid, state, jwk::text AS jwk, private_sealed, published_until FROM signing_key WHERE state <> 'retired'"
            ),
            revoked=revoked,
        )


@dataclass(frozen=True, slots=True)
class TokenToStore:
    """What an issued token leaves behind. Assertion and proof, where there are any: their hash, and until when it is remembered."""

    at: datetime
    client_id: str
    agency_id: UUID
    request_id: str
    assertion: tuple[bytes, datetime] | None
    proof: tuple[bytes, datetime] | None
    detail: Mapping[str, Any]
    address: IPv4Address | IPv6Address | None
    """Where it was asked for, if that is known."""


async def store_tokens(pool: asyncpg.Pool, tokens: Sequence[TokenToStore]) -> list[str]:
    """Use up assertions and proofs, and log the tokens, all or none of them, in one statement; no assertion or proof may be there twice.

    Returns `stored`, `assertion_used` or `proof_used` for each.
    """
    outcomes: list[str] = await pool.fetchval(
        # as JSON, since asyncpg looks at each member of an array several times
        "SELECT store_tokens($1)",
        orjson.dumps([_to_store(each) for each in tokens]).decode(),
    )
    return outcomes


def _to_store(token: TokenToStore) -> dict[str, Any]:
    made = {
        "at": token.at,
        "client": token.client_id,
        "agency": str(token.agency_id),
        "request_id": token.request_id,
        "detail": token.detail,
        "address": None if token.address is None else str(token.address),
    }
    if token.assertion is not None:
        made["assertion"], made["assertion_until"] = "\\x" + token.assertion[0].hex(), token.assertion[1]
    if token.proof is not None:
        made["proof"], made["proof_until"] = "\\x" + token.proof[0].hex(), token.proof[1]
    return made


async def use_assertion(pool: asyncpg.Pool, *, assertion: tuple[bytes, datetime]) -> bool:
    """Use up an assertion (its hash, and until when it is remembered); False if it was used before."""
    first: bool = await pool.fetchval("SELECT use_assertion($1, $2)", *assertion)
    return first


async def store_revocation(
    pool: asyncpg.Pool,
    *,
    at: datetime,
    client_id: str,
    request_id: str,
    assertion: tuple[bytes, datetime] | None,
    token: tuple[str, datetime] | None,
    holder: str | None = None,
) -> bool:
    """Use up an assertion and revoke a token (its `jti` and end), where there are any, in one statement; False if the assertion was used before.

    `holder`: whose token it is, if it is not the client's own; then it is an administrative act.
    """
    first: bool = await pool.fetchval(
        "SELECT store_revocation($1, $2, $3, $4, $5, $6, $7, $8)",
        at,
        client_id,
        request_id,
        *(assertion or (None, None)),
        *(token or (None, None)),
        holder,
    )
    return first


async def use_proof(conn: Connection, *, proof_hash: bytes, until: datetime) -> bool:
    """Use up a proof; False if it was used before. Belongs into the transaction that does the request's work."""
    first: bool = await conn.fetchval("SELECT use_proof($1, $2)", proof_hash, until)
    return first


async def claim_jwks_fetch(
    pool: asyncpg.Pool, client_id: str, *, at: datetime, unknown: bool, stale_after: timedelta, again_after: timedelta
) -> bool:
    """Whether the caller is to fetch a client's published keys now: nobody else will for `again_after`. `unknown`: even if they are not stale."""
    due: bool = await pool.fetchval(
        "SELECT claim_jwks_fetch($1, $2, $3, $4, $5)", client_id, at, unknown, stale_after, again_after
    )
    return due


async def store_client_jwks(
    pool: asyncpg.Pool, client_id: str, *, uri: str, at: datetime, keys: str | None, fault: str | None, lasts: timedelta
) -> bool:
    """Store what `uri` published, a JSON array of `kid` and `jwk`, or that it did not answer (None); True if the client's keys have changed."""
    changed: bool = await pool.fetchval(
        "SELECT store_client_jwks($1, $2, $3, $4::jsonb, $5, $6)", client_id, uri, at, keys, fault, lasts
    )
    return changed


async def purge_expired(conn: Connection, *, now: datetime, at_most: int = 10_000) -> int:
    """Forget jtis that nothing could be replayed with any more; returns how many. In bites, so that no lock is held for long."""
    gone = 0
    for table, key in (("assertion_jti", "hash"), ("proof_jti", "hash"), ("revoked_token", "jti")):
        done = await conn.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE expires_at < $1 LIMIT $2)",  # noqa: S608 -- names from the line above
            now,
            at_most,
        )
        gone += int(done.split()[-1])
    return gone


async def log_act(
    conn: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    subject_id: UUID | None = None,
    detail: Mapping[str, Any],
) -> None:
    """Write the log entry of an administrative act, in the transaction of the act."""
    await conn.execute(
        "SELECT append_log($1, NULL, nullif(current_setting('rujukan.client', true), ''), $2,"
        " nullif(current_setting('rujukan.request_id', true), ''), $3, 'done', $4, $5, NULL, $6)",
        at,
        actor,
        action,
        subject,
        subject_id,
        json.dumps(detail),
    )


# the exchange's signing keys


async def lock_signing_keys(conn: Connection) -> list[asyncpg.Record]:
    """Return the signing keys still published or used, newest first, and keep everybody else from changing any until commit."""
    await conn.execute("LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE")
    return await signing_keys(conn, retired=False)


async def signing_keys(conn: Connection, *, retired: bool = True) -> list[asyncpg.Record]:
    """Return the signing keys without their private halves, newest first."""
    return list(
        await conn.fetch(
            "SELECT id, kid, state, created_at, activated_at, published_until FROM signing_key"
            " WHERE $1 OR state <> 'retired' ORDER BY created_at DESC, id DESC",
            retired,
        )
    )


async def insert_signing_key(
    conn: Connection, *, id: UUID, kid: str, state: str, jwk: Mapping[str, Any], private_sealed: bytes, at: datetime
) -> None:
    """Add a signing key."""
    await conn.execute(
        "INSERT INTO signing_key (id, kid, state, jwk, private_sealed, created_at, activated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $3 = 'active' THEN $6::timestamptz END)",
        id,
        kid,
        state,
        json.dumps(jwk),
        private_sealed,
        at,
    )


async def activate_signing_key(conn: Connection, id: UUID, *, at: datetime) -> None:
    """Sign with this key from now on."""
    await conn.execute("UPDATE signing_key SET state = 'active', activated_at = $2 WHERE id = $1", id, at)


async def end_signing_key(conn: Connection, id: UUID, *, state: str, published_until: datetime) -> None:
    """Stop signing with this key and destroy its private half."""
    await conn.execute(
        "UPDATE signing_key SET state = $2, private_sealed = NULL, published_until = $3 WHERE id = $1",
        id,
        state,
        published_until,
    )

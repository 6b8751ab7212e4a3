"""The SQL of registration, as the role `rujukan_app`: what changes anything is a function that checks again (`registration.sql`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg


async def initial_access_token(pool: asyncpg.Pool, token: bytes, *, at: datetime) -> asyncpg.Record | None:
    """Return `id` and `scopes` of the initial access token of this hash, if it counts."""
    return await pool.fetchrow("SELECT id, scopes FROM initial_access_token_of($1, $2)", token, at)


async def register(
    pool: asyncpg.Pool,
    *,
    token: bytes,
    management: bytes,
    at: datetime,
    waits: timedelta,
    request_id: str,
    client: Mapping[str, Any],
) -> bool:
    """Add a client that waits for approval; False if the token (its hash) counts no more. `management`: hash of its own token."""
    done: bool = await pool.fetchval(
        "SELECT register_client($1, $2, $3, $4, $5, $6::jsonb)",
        token,
        management,
        at,
        waits,
        request_id,
        json.dumps(client),
    )
    return done


async def registration(pool: asyncpg.Pool, client_id: str, token: bytes) -> asyncpg.Record | None:
    """Return a client with its keys that have no end, and what it was invited to, if this is its registration access token and it may use it."""
    return await pool.fetchrow(
        """SELECT c.client_id, c.name, c.status, c.scopes, c.auth_method, c.certificate_bound, c.tls_name_kind, c.tls_name, c.jwks_uri,
                  c.software_id, c.software_version, c.created_at, scopes_invited(c.registered_by) AS invited,
                  (SELECT coalesce(jsonb_agg(k.jwk ORDER BY k.added_at, k.kid), '[]') FROM client_key k
                   WHERE k.client_id = c.client_id AND k.ends_at IS NULL)::text AS keys
           FROM client c
           WHERE c.client_id = $1 AND c.registration_hash = sha256($2) AND c.status IN ('sandbox', 'requested', 'approved', 'active')
             AND c.emergency_until IS NULL
             AND EXISTS (SELECT FROM client_agency ca JOIN agency a ON a.id = ca.agency_id
                         WHERE ca.client_id = c.client_id AND a.status = 'active')""",
        client_id,
        token,
    )


async def replace(
    pool: asyncpg.Pool,
    client_id: str,
    *,
    token: bytes,
    management: bytes,
    at: datetime,
    delay: timedelta,
    waits: timedelta,
    request_id: str,
    status: str,
    client: Mapping[str, Any],
) -> str:
    """Replace a registration that has this status. `token`: itself; `management`: the hash of the next one.

    Returns `stored`, `gone`, `kid_taken` or `changed`."""
    outcome: str = await pool.fetchval(
        "SELECT replace_registration($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
        client_id,
        token,
        management,
        at,
        delay,
        waits,
        request_id,
        status,
        json.dumps(client),
    )
    return outcome


async def retire(pool: asyncpg.Pool, client_id: str, *, token: bytes, at: datetime, request_id: str) -> bool:
    """End a registration for good; False if this is not its token any more."""
    done: bool = await pool.fetchval("SELECT retire_registration($1, $2, $3, $4)", client_id, token, at, request_id)
    return done

"""What a sign-in begins with and ends with, once: a WebAuthn challenge, an OpenID `state`, the command line's code."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.people import queries
from auth.people.sessions import token_hash

LASTS: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What was kept of the beginning."""

    admin_id: UUID | None
    data: Mapping[str, Any]


async def begin(
    conn: Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    admin_id: UUID | None = None,
    token: str | None = None,
    lasts: timedelta = LASTS,
) -> str:
    """Keep `data` (JSON) and return the token that finds it again, once; `token` may be given (such as an OpenID `state`)."""
    token = token or secrets.token_urlsafe(32)
    await queries.insert_ceremony(
        conn, token_hash=token_hash(token), kind=kind, admin_id=admin_id, data=data, at=now, expires_at=now + lasts
    )
    return token


async def finish(conn: Connection, kind: str, token: str, *, now: datetime) -> Ceremony | None:
    """Return what was kept under the token, and forget it; None if there is nothing, or it has expired."""
    row = await queries.take_ceremony(conn, token_hash=token_hash(token), kind=kind, now=now)
    return None if row is None else Ceremony(row["admin_id"], json.loads(row["data"]))


async def look(conn: Connection, kind: str, token: str, *, now: datetime) -> Ceremony | None:
    """Return what was kept under the token, and keep it on; None if there is nothing, or it has expired."""
    row = await queries.look_at_ceremony(conn, token_hash=token_hash(token), kind=kind, now=now)
    return None if row is None else Ceremony(row["admin_id"], json.loads(row["data"]))

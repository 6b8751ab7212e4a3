"""One-time links, by which an administrator gets a way to sign in: a passkey, or their account at the OpenID provider.

Whoever holds the link can become that person, so it is handed over in person or by a channel that is known to be theirs. Where two
people open it, it takes a code as well: who asked has the link, who said the last yes has the code, and neither can become a third.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import CROCKFORD
from auth.people import queries
from auth.queries import log_act

LASTS: Final = timedelta(hours=24)
CODE_CHARACTERS: Final = 16
"""Of a code: 80 random bits, which nobody finds from the hash within the day the link counts."""
_AS_DRAWN: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a link invites."""

    admin_id: UUID
    reference: str
    name: str
    code_hash: bytes | None
    """Of the code the link takes as well; None: it takes none."""

    def takes(self, code: str | None) -> bool:
        """Whether the link is of use with this code, as somebody typed it."""
        if self.code_hash is None:
            return True
        return code is not None and hmac.compare_digest(self.code_hash, code_hash(code))


def new_code() -> str:
    """Return a code to tell somebody, such as `7K3Q-9QFM-…`; only its hash is kept."""
    drawn = "".join(secrets.choice(CROCKFORD) for _ in range(CODE_CHARACTERS))
    return "-".join(drawn[at : at + 4] for at in range(0, CODE_CHARACTERS, 4))


def code_hash(code: str) -> bytes:
    """Return what is stored of a code, read as Crockford's base 32 is: small letters, O for 0, I and L for 1."""
    return hashlib.sha256(code.upper().translate(_AS_DRAWN).encode("utf-8", "surrogatepass")).digest()


def new_token() -> str:
    """Return a token of 256 random bits; only its hash is kept."""
    return secrets.token_urlsafe(32)


def link(admin_origin: str, token: str) -> str:
    """Return the link. The token stands in its fragment, which no browser sends to any server (RFC 9110 §4.2.4, RFC 3986 §3.5)."""
    return f"{admin_origin}/admin/enrol#{token}"


async def invite(
    conn: Connection, admin_id: UUID, reference: str, *, token_hash: bytes, coded: bool, now: datetime, actor: str
) -> str | None:
    """Let whoever holds the token of this hash enrol as this person, once, within a day; earlier links of theirs end.

    `coded`: only together with a code, which is returned, and never seen again.
    """
    code = new_code() if coded else None
    async with conn.transaction():
        await queries.end_invitations(conn, admin_id, now=now)
        await queries.insert_invitation(
            conn,
            token_hash=token_hash,
            admin_id=admin_id,
            at=now,
            expires_at=now + LASTS,
            code_hash=None if code is None else code_hash(code),
        )
        await log_act(
            conn,
            at=now,
            actor=actor,
            action="admin:invite",
            subject="administrator",
            subject_id=admin_id,
            detail={"reference": reference, "coded": coded},
        )
    return code


async def look(conn: Connection, token_hash: bytes, *, now: datetime) -> Invited | None:
    """Return whom a link invites; None if it does not count (any more)."""
    row = await queries.invitation(conn, token_hash, now=now)
    return None if row is None else Invited(**dict(row))


async def use(conn: Connection, token_hash: bytes, *, now: datetime) -> Invited | None:
    """Use up a link and return whom it invites; None if it does not count (any more). Undone if the transaction is."""
    row = await queries.use_invitation(conn, token_hash, now=now)
    return None if row is None else Invited(**dict(row))

"""Signing in at the command line: it makes the token of a session to be, and a person allows that session in the browser.

The token never leaves the machine. The link holds a code of its own, and both sides show a short one to compare: a link that
somebody else sent does not show what the person's own screen shows.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.foundation.database import Connection
from app.foundation.ids import CROCKFORD
from auth.people import ceremonies, sessions
from auth.people.person import Person
from auth.queries import log_act

KIND: Final = "command-line"


@dataclass(frozen=True, slots=True)
class Asked:
    """A session that waits to be allowed."""

    token: str
    """Of the session, once it is allowed."""
    code: str
    """What the link holds."""
    compare: str
    """What the person compares, such as `7K3-9QF`."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What whoever is to allow it sees."""

    compare: str
    machine: str
    login: str


def link(admin_origin: str, code: str) -> str:
    """Return the link; the code stands in its fragment, which is never sent."""
    return f"{admin_origin}/admin/command-line#{code}"


async def ask(conn: Connection, *, machine: str, login: str, now: datetime) -> Asked:
    """Ask for a session for whoever allows it. `machine` and `login` are what the command line says of itself."""
    token = secrets.token_urlsafe(32)
    drawn = "".join(secrets.choice(CROCKFORD) for _ in range(6))
    compare = f"{drawn[:3]}-{drawn[3:]}"
    data = {
        "session": sessions.token_hash(token).hex(),
        "compare": compare,
        "machine": _shown(machine),
        "login": _shown(login),
    }
    return Asked(token, await ceremonies.begin(conn, KIND, data, now=now), compare)


async def look(conn: Connection, code: str, *, now: datetime) -> Asking | None:
    """Return who asks; None if nobody does (any more)."""
    found = await ceremonies.look(conn, KIND, code, now=now)
    if found is None:
        return None
    return Asking(found.data["compare"], found.data["machine"], found.data["login"])


async def allow(conn: Connection, code: str, *, by: Person, address: str | None, now: datetime) -> bool:
    """Begin the session, for the person who allows it; False if nobody asks for it (any more)."""
    assert by.admin_id is not None, "somebody who has signed in"
    assert by.confirmed_at is not None, "and proved it a short while ago"
    async with conn.transaction():
        found = await ceremonies.finish(conn, KIND, code, now=now)
        if found is None:
            return False
        await sessions.begin_for(
            conn,
            by.admin_id,
            token_hash=bytes.fromhex(found.data["session"]),
            method="command_line",
            address=address,
            user_agent=f"rujukan: {found.data['login']} @ {found.data['machine']}",
            confirmed_at=by.confirmed_at,
            now=now,
        )
        await log_act(
            conn,
            at=now,
            actor=by.reference,
            action="admin:sign-in",
            subject="administrator",
            subject_id=by.admin_id,
            detail={"method": "command_line"},
        )
        return True


def _shown(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:64]

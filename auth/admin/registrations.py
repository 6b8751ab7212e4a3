"""Invitations to register (RFC 7591 §3, initial access tokens), and what has been registered by them and waits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin import registration_queries as queries
from auth.admin.agencies import agency_id_of
from auth.admin.approvals import WAITS_FOR, Approval, ask
from auth.admin.errors import ClientMoveError, InvalidValueError, UnknownClientError, UnknownInvitationError
from auth.people.person import Person
from auth.queries import log_act
from auth.registration import tokens
from auth.scopes import AGENCY_SCOPES

MOST_USES: Final = 20
MOST_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Invitation:
    """An initial access token, without the token."""

    id: UUID
    agency: str
    scopes: tuple[str, ...]
    uses_left: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    clients: tuple[str, ...]
    """The clients that were registered with it."""

    def state(self, now: datetime) -> str:
        """Return `open`, or why it counts no more: `ended`, `expired`, `used`."""
        if self.ended_at is not None:
            return "ended"
        if self.expires_at <= now:
            return "expired"
        return "open" if self.uses_left else "used"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An initial access token, the one time it is shown."""

    invitation: Invitation
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client that waits for people's yes."""

    client_id: str
    name: str
    agencies: tuple[str, ...]
    scopes: tuple[str, ...]
    auth_method: str
    created_at: datetime
    registered_by: UUID | None
    """The initial access token it registered itself with; None where somebody registered it."""
    approval_id: UUID | None
    """What to say yes to; None where nobody has been asked, or too long ago."""
    yes: tuple[str, ...]
    expires_at: datetime | None


async def invite(
    conn: Connection, agency: str, *, scopes: Iterable[str], uses: int, days: int, now: datetime, actor: str
) -> NewInvitation:
    """Let an agency (a code) register systems with at most these scopes. Raises `InvalidValueError`, `UnknownAgencyError`."""
    wanted = sorted({str(scope) for scope in scopes})
    if not wanted or not set(wanted) <= {str(scope) for scope in AGENCY_SCOPES}:
        raise InvalidValueError(
            f"a system that registers itself may have at least one of: {' '.join(sorted(AGENCY_SCOPES))}"
        )
    if not 1 <= uses <= MOST_USES or not 1 <= days <= MOST_DAYS:
        raise InvalidValueError(f"an invitation is for 1 to {MOST_USES} systems and 1 to {MOST_DAYS} days")
    token, id = tokens.new(tokens.INITIAL), uuid7(now)
    async with conn.transaction():
        await queries.insert_invitation(
            conn,
            id=id,
            token_hash=tokens.hash_of(token),
            agency_id=await agency_id_of(conn, agency),
            scopes=wanted,
            uses_left=uses,
            created_by=actor,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        detail = {"agency": agency, "scopes": wanted, "uses": uses, "days": days}
        await log_act(
            conn, at=now, actor=actor, action="registration:invite", subject="invitation", subject_id=id, detail=detail
        )
        (made,) = [each for each in await list_invitations(conn) if each.id == id]
    return NewInvitation(made, token)


async def list_invitations(conn: Connection) -> list[Invitation]:
    """Return all invitations, newest first."""

    def invitation(row: Mapping[str, Any]) -> Invitation:
        return Invitation(**{**dict(row), "scopes": tuple(row["scopes"]), "clients": tuple(row["clients"])})

    return [invitation(row) for row in await queries.invitations(conn)]


async def end_invitation(conn: Connection, id: UUID, *, now: datetime, actor: str) -> None:
    """End an invitation now; what was registered with it stays as it is. Raises `UnknownInvitationError`."""
    async with conn.transaction():
        if not await queries.end_invitation(conn, id, now):
            raise UnknownInvitationError("there is no such initial access token that has not ended")
        await log_act(
            conn,
            at=now,
            actor=actor,
            action="registration:end_invitation",
            subject="invitation",
            subject_id=id,
            detail={},
        )


async def list_waiting(conn: Connection, *, now: datetime) -> list[Waiting]:
    """Return the clients that wait for people's yes, the longest waiting first."""

    def waiting(row: Mapping[str, Any]) -> Waiting:
        lists = {name: tuple(row[name]) for name in ("agencies", "scopes", "yes")}
        return Waiting(**{**dict(row), **lists})

    return [waiting(row) for row in await queries.waiting(conn, now)]


async def ask_again(conn: Connection, client_id: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask people for their yes to a client which waits, and whose time to wait has run out.

    Raises `UnknownClientError`, `ClientMoveError`, and `TakenError` while it is asked already.
    """
    async with conn.transaction():
        row = await queries.registered(conn, client_id)
        if row is None:
            raise UnknownClientError(f"there is no client {client_id}")
        if row["status"] != "requested":
            raise ClientMoveError(f"{client_id} is {row['status']}: only what was requested waits for approval")
        detail = json.loads(row["detail"])
        return await ask(
            conn, "client:approve", client_id, detail, by=by, now=now, two_people=two_people, waits_for=WAITS_FOR
        )

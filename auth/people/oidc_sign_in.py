"""What a sign-in at the OpenID provider begins with and comes to: a session, a link to an account, or a session proved again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.keyring import Keyring
from auth.admin.errors import AdministratorStateError, TakenError
from auth.people import administrators, ceremonies, invitations, queries, sessions
from auth.people.ceremonies import Ceremony
from auth.people.oidc import Identity
from auth.people.person import Person
from auth.queries import log_act

KIND: Final = "oidc"


class NotAnAdministratorError(Exception):
    """The account belongs to nobody who may administer."""


class NotInvitedError(Exception):
    """The invitation was used, has expired, never was, or takes a code that was not given."""


class AnotherPersonError(Exception):
    """The account is not that of the person who has to prove who they are, or is another administrator's."""


class LinkedAlreadyError(Exception):
    """The administrator has another account at the provider already."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a sign-in is for."""

    at: datetime
    invitation: bytes | None = None
    """Hash of the invitation it was begun with: to link an account."""
    session_id: UUID | None = None
    """The session whose person has to prove who they are."""
    admin_id: UUID | None = None
    earlier: bytes | None = None
    """Hash of the token of a session the browser had before, which ends when another begins."""


async def begin(
    conn: Connection,
    state: str,
    *,
    now: datetime,
    invitation: str | None = None,
    code: str | None = None,
    confirming: Person | None = None,
    earlier: str | None = None,
) -> None:
    """Keep what was begun, until the browser is back with `state`. Raises `NotInvitedError`."""
    data: dict[str, str] = {"at": now.isoformat()}
    if invitation is not None:
        hashed = sessions.token_hash(invitation)
        invited = await invitations.look(conn, hashed, now=now)
        if invited is None or not invited.takes(code):
            raise NotInvitedError
        data["invitation"] = hashed.hex()
    if confirming is not None:
        data["session"] = str(confirming.session_id)
    elif earlier is not None:
        data["earlier"] = sessions.token_hash(earlier).hex()
    await ceremonies.begin(
        conn, KIND, data, now=now, admin_id=None if confirming is None else confirming.admin_id, token=state
    )


async def take(conn: Connection, state: str, *, now: datetime) -> Begun | None:
    """Return what was begun with `state`, once; None if there is nothing, or it was too long ago."""
    found: Ceremony | None = await ceremonies.finish(conn, KIND, state, now=now)
    if found is None:
        return None
    invitation, session, earlier = (found.data.get(name) for name in ("invitation", "session", "earlier"))
    return Begun(
        at=datetime.fromisoformat(found.data["at"]),
        invitation=None if invitation is None else bytes.fromhex(invitation),
        session_id=None if session is None else UUID(session),
        admin_id=found.admin_id,
        earlier=None if earlier is None else bytes.fromhex(earlier),
    )


async def finish(
    conn: Connection, begun: Begun, who: Identity, *, address: str | None, user_agent: str | None, now: datetime
) -> str:
    """Do what the sign-in was for, and return the session's new token.

    Raises `NotAnAdministratorError`, `NotInvitedError`, `AnotherPersonError`, `LinkedAlreadyError`.
    """
    if begun.invitation is not None:
        admin_id, reference = await _link(conn, begun.invitation, who, now=now)
    else:
        row = await queries.administrator_of_account(conn, issuer=who.issuer, subject=who.subject)
        if begun.session_id is not None and (row is None or row["id"] != begun.admin_id):
            raise AnotherPersonError
        if row is None or row["status"] != "active":
            raise NotAnAdministratorError
        admin_id, reference = row["id"], row["reference"]
    if begun.session_id is None:
        return await sessions.sign_in(
            conn,
            admin_id,
            reference,
            method=KIND,
            address=address,
            user_agent=user_agent,
            now=now,
            confirmed_at=who.authenticated_at,
            earlier=begun.earlier,
        )
    token = await sessions.renew(
        conn, begun.session_id, reference, method=KIND, now=now, confirmed_at=who.authenticated_at
    )
    if token is None:
        raise NotAnAdministratorError
    return token


async def _link(conn: Connection, invitation: bytes, who: Identity, *, now: datetime) -> tuple[UUID, str]:
    invited = await invitations.use(conn, invitation, now=now)
    if invited is None:
        raise NotInvitedError
    try:
        await administrators.link_oidc(
            conn, invited.admin_id, who.issuer, who.subject, now=now, actor=invited.reference
        )
    except TakenError:
        raise AnotherPersonError from None
    except AdministratorStateError:
        raise LinkedAlreadyError from None
    return invited.admin_id, invited.reference


async def log_refused(conn: Connection, keyring: Keyring, who: Identity, why: str, *, now: datetime) -> None:
    """Write down that an account was not let in: by a keyed hash, by which two entries of one account can be told."""
    hashed = keyring.keyed_hash("oidc account", who.issuer.encode(), who.subject.encode())
    await log_act(
        conn,
        at=now,
        actor="unknown",
        action="admin:sign-in-refused",
        subject="administrator",
        detail={"method": "oidc", "account": hashed[:8].hex(), "why": why},
    )

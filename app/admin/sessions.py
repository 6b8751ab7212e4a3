"""`/admin/v1/me` and `/admin/v1/sessions`: who you are, by what you sign in, and which sessions there are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.admin.dependencies import Admin
from app.admin.problems import NotPossible, NotThere
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from auth.admin.errors import AdministratorStateError
from auth.people import administrators, sessions
from auth.people.guard import requires_role
from auth.people.person import CONFIRMED_FOR, Person, Role
from auth.people.problems import ConfirmationRequired, CrossSite, NotSignedIn, PersonRequired, RoleRequired
from auth.people.sessions import IDLE, ListedSession
from schemas.base import Wire

router = APIRouter(prefix="/v1", tags=["me and sessions"], route_class=StrictRoute)
SignedIn = Annotated[Person, requires_role(person=True)]
Confirmed = Annotated[Person, requires_role(person=True, confirmed=True)]
Anybody = Annotated[Person, requires_role()]
PasskeyInPath = Annotated[UUID, Path(description="The passkey's id.")]
SessionInPath = Annotated[UUID, Path(description="The session's id, from the list.")]
SEES_ALL = frozenset({Role.operator, Role.auditor})
"""Who sees other people's sessions."""
ENDS_ALL = frozenset({Role.operator})
"""Who may end them."""


class Passkey(Wire):
    """A passkey that counts."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class Session(Wire):
    """A session that counts."""

    id: UUID
    reference: str
    """Whose it is."""
    current: bool
    """Whether it is the one you ask from."""
    method: Literal["passkey", "oidc", "command_line"]
    """How it began."""
    address: str | None
    user_agent: str | None
    created_at: datetime
    seen_at: datetime
    idle_until: datetime
    """When it ends unless it is used."""
    expires_at: datetime
    """When it ends at the latest."""


class Me(Wire):
    """Who is signed in."""

    reference: str
    name: str
    roles: list[Role]
    linked: bool
    """Whether you sign in at the OpenID provider."""
    passkeys: list[Passkey]
    confirmed_until: datetime
    """Until when keys and roles may be changed without proving again who you are; it may have passed."""
    session: Session


class SessionPage(Wire):
    """Sessions, the one seen last first."""

    items: list[Session]


class Ended(Wire):
    """How many have ended."""

    ended: int


def wire(found: ListedSession, who: Person) -> Session:
    """Return a session as callers get it."""
    return Session(
        id=found.id,
        reference=found.reference,
        current=found.id == who.session_id,
        method=found.method,
        address=found.address,
        user_agent=found.user_agent,
        created_at=found.created_at,
        seen_at=found.seen_at,
        idle_until=min(found.seen_at + IDLE, found.expires_at),
        expires_at=found.expires_at,
    )


@router.get("/me", response_model=Me, responses=answers(NotSignedIn, PersonRequired))
async def read_me(who: SignedIn, admin: Admin) -> Me:
    """Say who you are, what you may do, and how long."""
    assert who.admin_id is not None, "the guard has asked for a person"
    async with admin.transaction() as conn:
        found = await administrators.find_administrator_by_id(conn, who.admin_id)
        own = await sessions.list_sessions(conn, admin_id=who.admin_id, now=admin.now)
    current = next((each for each in own if each.id == who.session_id), None)
    if current is None:  # ended a moment ago
        raise NotSignedIn
    return Me(
        reference=found.reference,
        name=found.name,
        roles=[Role(role) for role in found.roles],
        linked=found.linked,
        passkeys=[
            Passkey(id=each.id, name=each.name, created_at=each.created_at, last_used_at=each.last_used_at)
            for each in found.passkeys
        ],
        confirmed_until=current.confirmed_at + CONFIRMED_FOR,
        session=wire(current, who),
    )


@router.post(
    "/me/passkeys/{passkey_id}/end",
    status_code=204,
    responses=answers(CrossSite, NotSignedIn, PersonRequired, ConfirmationRequired, NotThere, NotPossible),
)
async def end_own_passkey(passkey_id: PasskeyInPath, who: Confirmed, admin: Admin) -> Response:
    """End a passkey of yours, and your other sessions; not your last way in."""
    assert who.admin_id is not None, "the guard has asked for a person"
    async with admin.transaction() as conn:
        found = await administrators.find_administrator_by_id(conn, who.admin_id)
        if not found.linked and [each.id for each in found.passkeys] == [passkey_id]:
            raise AdministratorStateError(
                "it is your only way to sign in; add another first, or ask an operator to end it"
            )
        await administrators.end_passkey(
            conn, who.reference, passkey_id, now=admin.now, actor=who.reference, but_session=who.session_id
        )
    return Response(status_code=204)


@router.get(
    "/sessions",
    response_model=SessionPage,
    responses=answers(NotSignedIn, PersonRequired, RoleRequired, InvalidRequest),
)
async def list_sessions(
    who: Anybody,
    admin: Admin,
    everybodys: Annotated[
        bool, Query(alias="all", description="Everybody's; for operators and auditors. Else your own.")
    ] = False,
) -> SessionPage:
    """List sessions that have not ended."""
    if everybodys and who.admin_id is None:
        raise PersonRequired  # from where people work is no system's business
    if everybodys and not SEES_ALL & who.roles:
        raise RoleRequired(roles=sorted(SEES_ALL))
    if not everybodys and who.admin_id is None:
        return SessionPage(items=[])  # a client has none
    async with admin.transaction() as conn:
        found = await sessions.list_sessions(conn, admin_id=None if everybodys else who.admin_id, now=admin.now)
    return SessionPage(items=[wire(each, who) for each in found])


@router.post("/sessions/{session_id}/end", status_code=204, responses=answers(CrossSite, NotSignedIn, NotThere))
async def end_session(session_id: SessionInPath, who: Anybody, admin: Admin) -> Response:
    """End a session of yours; operators may end anybody's. Others' are not there for you."""
    async with admin.transaction() as conn:
        await sessions.end(conn, session_id, by=who, now=admin.now, own=not ENDS_ALL & who.roles)
    response = Response(status_code=204)
    if session_id == who.session_id:
        sessions.take_back(response)
    return response


@router.post("/sessions/end-others", response_model=Ended, responses=answers(CrossSite, NotSignedIn, PersonRequired))
async def end_other_sessions(who: SignedIn, admin: Admin) -> Ended:
    """End all sessions of yours but this one."""
    async with admin.transaction() as conn:
        return Ended(ended=await sessions.end_others(conn, by=who, now=admin.now))

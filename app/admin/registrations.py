"""`/admin/v1/initial-access-tokens`: who may register a system by itself (RFC 7591 §3), and `/admin/v1/registrations`: what waits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from app.admin.dependencies import Admin
from app.admin.problems import NotRight, NotThere
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, MalformedBody, answers
from auth.admin import registrations
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired, NotSignedIn, PersonRequired, RoleRequired
from schemas.base import Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1", tags=["registrations"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanInvite = Annotated[Person, requires_role(Role.operator, person=True, confirmed=True)]
CanEnd = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
InvitationInPath = Annotated[UUID, Path(description="The invitation's id, from the list.")]


class NewInitialAccessToken(RequestBody):
    """An invitation to an agency."""

    agency: str
    """Its code."""
    scopes: list[str] = Field(min_length=1, max_length=50)
    """What a system that registers with it may do at most."""
    uses: int = Field(1, ge=1, le=registrations.MOST_USES)
    """How many systems may."""
    days: int = Field(7, ge=1, le=registrations.MOST_DAYS)
    """How long it counts."""


class InitialAccessToken(Wire):
    """An invitation; the token itself was shown once."""

    id: UUID
    agency: str
    scopes: list[str]
    uses_left: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    state: Literal["open", "ended", "expired", "used"]
    clients: list[str]
    """The clients that were registered with it."""


class IssuedInitialAccessToken(InitialAccessToken):
    """An invitation, with its token."""

    token: str
    """Shown this once."""


class InitialAccessTokenPage(Wire):
    """Invitations, newest first."""

    items: list[InitialAccessToken]


class WaitingRegistration(Wire):
    """A client that waits for people's yes."""

    client_id: str
    name: str
    agencies: list[str]
    scopes: list[str]
    auth_method: str
    created_at: datetime
    registered_by: UUID | None
    """The initial access token it registered itself with."""
    approval_id: UUID | None
    """What to say yes to; none where nobody has been asked, or too long ago."""
    yes: list[str]
    expires_at: datetime | None


class WaitingRegistrationPage(Wire):
    """Clients that wait, the longest waiting first."""

    items: list[WaitingRegistration]


def wire(found: registrations.Invitation, now: datetime) -> dict[str, object]:
    """Return an invitation as callers get it."""
    return {
        **{name: getattr(found, name) for name in found.__dataclass_fields__},
        "scopes": list(found.scopes),
        "clients": list(found.clients),
        "state": found.state(now),
    }


@router.get(
    "/initial-access-tokens", response_model=InitialAccessTokenPage, responses=answers(NotSignedIn, RoleRequired)
)
async def list_initial_access_tokens(who: CanRead, admin: Admin) -> InitialAccessTokenPage:
    """List the invitations to register, newest first; never the tokens."""
    async with admin.transaction() as conn:
        found = await registrations.list_invitations(conn)
    return InitialAccessTokenPage(items=[InitialAccessToken.model_validate(wire(each, admin.now)) for each in found])


@router.post(
    "/initial-access-tokens",
    response_model=IssuedInitialAccessToken,
    status_code=201,
    responses=answers(
        InvalidRequest,
        MalformedBody,
        NotThere,
        NotRight,
        NotSignedIn,
        RoleRequired,
        PersonRequired,
        ConfirmationRequired,
    ),
)
async def create_initial_access_token(
    body: NewInitialAccessToken, who: CanInvite, admin: Admin
) -> IssuedInitialAccessToken:
    """Invite an agency to register a system by itself. What it registers waits for two people's yes."""
    async with admin.transaction() as conn:
        made = await registrations.invite(
            conn,
            body.agency,
            scopes=body.scopes,
            uses=body.uses,
            days=body.days,
            now=admin.now,
            actor=who.reference,
        )
    return IssuedInitialAccessToken.model_validate({**wire(made.invitation, admin.now), "token": made.token})


@router.post(
    "/initial-access-tokens/{token_id}/end",
    status_code=204,
    responses=answers(InvalidRequest, NotThere, NotSignedIn, RoleRequired),
)
async def end_initial_access_token(token_id: InvitationInPath, who: CanEnd, admin: Admin) -> None:
    """End an invitation, at once. What was registered with it stays as it is."""
    async with admin.transaction() as conn:
        await registrations.end_invitation(conn, token_id, now=admin.now, actor=who.reference)


@router.get("/registrations", response_model=WaitingRegistrationPage, responses=answers(NotSignedIn, RoleRequired))
async def list_registrations(who: CanRead, admin: Admin) -> WaitingRegistrationPage:
    """List the clients that wait for people's yes, the longest waiting first."""
    async with admin.transaction() as conn:
        found = await registrations.list_waiting(conn, now=admin.now)
    return WaitingRegistrationPage(
        items=[
            WaitingRegistration.model_validate({name: getattr(each, name) for name in each.__dataclass_fields__})
            for each in found
        ]
    )

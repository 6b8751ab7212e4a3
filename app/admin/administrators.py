"""`/admin/v1/administrators`: who administers, what they may do, and by what they sign in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.admin import approvals
from app.admin.dependencies import Admin, Administering
from app.admin.problems import NotPossible, NotRight, NotThere
from app.admin.sessions import Ended, Passkey, PasskeyInPath
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from auth.people import administrators, invitations, opening
from auth.people.administrators import ListedAdministrator
from auth.people.guard import requires_role
from auth.people.opening import Opened, Rules
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired, CrossSite, NotSignedIn, PersonRequired, RoleRequired
from schemas.base import Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1/administrators", tags=["administrators"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanOpen = Annotated[Person, requires_role(Role.operator, person=True, confirmed=True)]
CanStop = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
Reference = Annotated[str, Path(description="The staff reference.", max_length=64)]
_OPENING = (CrossSite, NotSignedIn, RoleRequired, PersonRequired, ConfirmationRequired, NotPossible, NotRight)


class Administrator(Wire):
    """Somebody who administers."""

    id: UUID
    reference: str
    """How the log names them."""
    name: str
    roles: list[Role]
    status: Literal["active", "suspended"]
    enrolled: bool
    """Whether they have ever had a way to sign in."""
    linked: bool
    """Whether they sign in at the OpenID provider."""
    passkeys: list[Passkey]
    created_at: datetime
    seen_at: datetime | None


class AdministratorPage(Wire):
    """Administrators, by reference."""

    items: list[Administrator]


class NewAdministrator(RequestBody):
    """Somebody who is to administer."""

    reference: str
    name: str
    roles: list[Role]


class Roles(RequestBody):
    """What somebody may do, and nothing else."""

    roles: list[Role]


class AdministratorAsked(Wire):
    """What came of asking."""

    done: bool
    """Whether it has been done; else it waits for another person's yes."""
    approval: approvals.Approval | None
    link: str | None
    """The one-time link to hand over, shown once. It counts for a day from when it is approved, with the code shown to whoever approves it."""


def wire(found: ListedAdministrator) -> Administrator:
    """Return an administrator as callers get them."""
    return Administrator(
        id=found.id,
        reference=found.reference,
        name=found.name,
        roles=[Role(role) for role in found.roles],
        status=found.status,
        enrolled=found.enrolled,
        linked=found.linked,
        passkeys=[
            Passkey(id=each.id, name=each.name, created_at=each.created_at, last_used_at=each.last_used_at)
            for each in found.passkeys
        ],
        created_at=found.created_at,
        seen_at=found.seen_at,
    )


def _asked(opened: Opened, admin: Administering) -> AdministratorAsked:
    return AdministratorAsked(
        done=opened.done,
        approval=None if opened.approval is None else approvals.wire(opened.approval),
        link=None if opened.token is None else invitations.link(admin.settings.admin_origin, opened.token),
    )


def _rules(admin: Administering) -> Rules:
    return Rules(two_people=admin.settings.needs_two_people)


@router.get("", response_model=AdministratorPage, responses=answers(NotSignedIn))
async def list_administrators(who: CanRead, admin: Admin) -> AdministratorPage:
    """List everybody who administers."""
    async with admin.transaction() as conn:
        return AdministratorPage(items=[wire(each) for each in await administrators.list_administrators(conn)])


@router.get("/{reference}", response_model=Administrator, responses=answers(NotSignedIn, NotThere))
async def read_administrator(reference: Reference, who: CanRead, admin: Admin) -> Administrator:
    """Read one administrator: their roles, and by what they sign in."""
    async with admin.transaction() as conn:
        return wire(await administrators.find_administrator(conn, reference))


@router.post("", status_code=202, response_model=AdministratorAsked, responses=answers(*_OPENING, InvalidRequest))
async def add_administrator(body: NewAdministrator, who: CanOpen, admin: Admin) -> AdministratorAsked:
    """Ask for another administrator. Done when another operator has said yes."""
    async with admin.transaction() as conn:
        opened = await opening.add(
            conn,
            reference=body.reference,
            name=body.name,
            roles=body.roles,
            by=who,
            now=admin.now,
            rules=_rules(admin),
        )
    return _asked(opened, admin)


@router.post(
    "/{reference}/invite", status_code=202, response_model=AdministratorAsked, responses=answers(*_OPENING, NotThere)
)
async def invite_administrator(reference: Reference, who: CanOpen, admin: Admin) -> AdministratorAsked:
    """Ask for a one-time link for somebody. Done when another operator has said yes."""
    async with admin.transaction() as conn:
        opened = await opening.invite(conn, reference, by=who, now=admin.now, rules=_rules(admin))
    return _asked(opened, admin)


@router.post(
    "/{reference}/roles",
    status_code=202,
    response_model=AdministratorAsked,
    responses=answers(*_OPENING, NotThere, InvalidRequest),
)
async def change_roles(reference: Reference, body: Roles, who: CanOpen, admin: Admin) -> AdministratorAsked:
    """Say what somebody may do. Fewer roles count at once; others when another operator has said yes."""
    async with admin.transaction() as conn:
        opened = await opening.change_roles(conn, reference, body.roles, by=who, now=admin.now, rules=_rules(admin))
    return _asked(opened, admin)


@router.post(
    "/{reference}/resume", status_code=202, response_model=AdministratorAsked, responses=answers(*_OPENING, NotThere)
)
async def resume_administrator(reference: Reference, who: CanOpen, admin: Admin) -> AdministratorAsked:
    """Ask to let somebody in again. Done when another operator has said yes."""
    async with admin.transaction() as conn:
        opened = await opening.resume(conn, reference, by=who, now=admin.now, rules=_rules(admin))
    return _asked(opened, admin)


@router.post(
    "/{reference}/suspend", response_model=Ended, responses=answers(CrossSite, NotSignedIn, RoleRequired, NotThere)
)
async def suspend_administrator(reference: Reference, who: CanStop, admin: Admin) -> Ended:
    """Shut somebody out at once: their sessions and links end."""
    async with admin.transaction() as conn:
        return Ended(ended=await administrators.suspend(conn, reference, now=admin.now, actor=who.reference))


@router.post(
    "/{reference}/unlink",
    status_code=204,
    responses=answers(CrossSite, NotSignedIn, RoleRequired, NotThere, NotPossible),
)
async def unlink_administrator(reference: Reference, who: CanStop, admin: Admin) -> Response:
    """Part somebody from their account at the OpenID provider, and end all their sessions."""
    async with admin.transaction() as conn:
        await administrators.unlink_oidc(conn, reference, now=admin.now, actor=who.reference)
    return Response(status_code=204)


@router.post(
    "/{reference}/passkeys/{passkey_id}/end",
    status_code=204,
    responses=answers(CrossSite, NotSignedIn, RoleRequired, NotThere),
)
async def end_passkey(reference: Reference, passkey_id: PasskeyInPath, who: CanStop, admin: Admin) -> Response:
    """End a passkey that is lost, and all sessions of its person."""
    async with admin.transaction() as conn:
        await administrators.end_passkey(conn, reference, passkey_id, now=admin.now, actor=who.reference)
    return Response(status_code=204)

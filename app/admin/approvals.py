"""`/admin/v1/approvals`: what opens access waits here for two people's yes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query

from app.admin.dependencies import Admin
from app.admin.problems import MayNotApprove, NotRight, NotThere
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from auth.admin import approvals
from auth.admin.acts import ACTS
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired, NotSignedIn, PersonRequired, RoleRequired
from schemas.base import Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1/approvals", tags=["approvals"], route_class=StrictRoute)
ApprovalId = Annotated[UUID, Path(description="The approval's id.")]
CanRead = Annotated[Person, requires_role()]
CanDecide = Annotated[Person, requires_role(Role.operator, Role.protection_officer, person=True, confirmed=True)]


class Approval(Wire):
    """Something that opens access."""

    id: UUID
    act: str
    """What is asked for, such as `client:approve`."""
    says: str
    """The same in words."""
    subject: str
    """Whom or what it is about: a client_id, a code, a staff reference, an id."""
    detail: dict[str, Any]
    """What will be done, in full."""
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    state: Literal["waiting", "approved", "refused", "withdrawn", "expired"]
    yes: list[str]
    """Who has said yes, by staff reference."""
    needed: int
    """How many people must."""
    decided_at: datetime | None
    reason: str | None


class Approved(Approval):
    """What came of saying yes."""

    code: str | None
    """After the last yes to a link: what the newcomer needs beside it. Tell it to them and nobody else; it is never shown again."""


class ApprovalPage(Wire):
    """Approvals, newest first."""

    items: list[Approval]


class Reason(RequestBody):
    """Why not."""

    reason: str


def wire(found: approvals.Approval) -> Approval:
    """Return an approval as callers get it."""
    return Approval(
        id=found.id,
        act=found.act,
        says=ACTS[found.act].says,
        subject=found.subject,
        detail=dict(found.detail),
        asked_by=found.asked_by,
        asked_at=found.asked_at,
        expires_at=found.expires_at,
        state=found.state,
        yes=list(found.yes),
        needed=found.needed,
        decided_at=found.decided_at,
        reason=found.reason,
    )


@router.get("", response_model=ApprovalPage, responses=answers(InvalidRequest, NotSignedIn, RoleRequired))
async def list_approvals(
    who: CanRead,
    admin: Admin,
    everything: Annotated[bool, Query(alias="all", description="Also what was decided or has expired.")] = False,
) -> ApprovalPage:
    """List what waits for people's yes, newest first."""
    async with admin.transaction() as conn:
        found = await approvals.list_approvals(
            conn, now=admin.now, two_people=admin.settings.needs_two_people, waiting_only=not everything
        )
    return ApprovalPage(items=[wire(each) for each in found])


@router.get("/{approval_id}", response_model=Approval, responses=answers(NotThere, NotSignedIn, RoleRequired))
async def read_approval(approval_id: ApprovalId, who: CanRead, admin: Admin) -> Approval:
    """Read one approval: what will be done, who asked, who has said yes."""
    async with admin.transaction() as conn:
        return wire(await approvals.read(conn, approval_id, now=admin.now, two_people=admin.settings.needs_two_people))


@router.post(
    "/{approval_id}/approve",
    response_model=Approved,
    responses=answers(NotThere, MayNotApprove, NotSignedIn, RoleRequired, PersonRequired, ConfirmationRequired),
)
async def approve(approval_id: ApprovalId, who: CanDecide, admin: Admin) -> Approved:
    """Say yes to what was asked for. The last yes that is needed does it, in the same transaction."""
    async with admin.transaction() as conn:
        found = await approvals.approve(
            conn, approval_id, by=who, now=admin.now, two_people=admin.settings.needs_two_people
        )
    return Approved(**wire(found).model_dump(), code=found.code)


@router.post(
    "/{approval_id}/refuse",
    response_model=Approval,
    responses=answers(
        NotThere, NotRight, MayNotApprove, NotSignedIn, RoleRequired, PersonRequired, ConfirmationRequired
    ),
)
async def refuse(approval_id: ApprovalId, body: Reason, who: CanDecide, admin: Admin) -> Approval:
    """Say no, with a reason. Whoever asked takes it back this way."""
    async with admin.transaction() as conn:
        return wire(
            await approvals.refuse(
                conn,
                approval_id,
                by=who,
                reason=body.reason,
                now=admin.now,
                two_people=admin.settings.needs_two_people,
            )
        )

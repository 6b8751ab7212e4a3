"""`/admin/v1/agreements`: what agencies have agreed with each other, as far as the exchange must know it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Discriminator, Field

from app.admin.approvals import Approval, wire
from app.admin.dependencies import Admin
from app.admin.problems import NotPossible, NotRight, NotThere
from app.admin.wire import Cursor, Limit, Reference, after, next_page
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.admin import agreement_kinds, agreements, asking
from auth.admin.agreement_kinds import AgreementInFull
from auth.admin.agreements import DEADLINES
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import WHOLE, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.text import AgencyCode

router = APIRouter(prefix="/v1/agreements", tags=["agreements"], route_class=StrictRoute)
PATH = "/admin/v1/agreements"
CanRead = Annotated[Person, requires_role()]
CanAgree = Annotated[Person, requires_role(Role.protection_officer)]
AgreementId = Annotated[UUID, Path(description="The agreement's id.")]
Kind = Literal["acts_for", "times", "data_sharing"]
Seconds = Annotated[int, Field(strict=True, ge=1, le=366 * 86_400), WHOLE]


class Agreement(Wire):
    """Something agencies have agreed."""

    id: UUID
    kind: Kind
    """`acts_for`: `other` records what `agency` does. `times`: deadlines of its own. `data_sharing`: `agency` may send `other` more."""
    agency: str
    other: str | None
    times: dict[str, int]
    """Seconds by setting."""
    purposes: list[str]
    sections: list[str]
    basis: str | None
    reference: str
    from_at: Moment
    until_at: Moment | None


class AgreementPage(Wire):
    """Agreements, newest first."""

    items: list[Agreement]
    next: str | None


class _Agreed(RequestBody):
    agency: AgencyCode
    reference: Reference
    from_at: Moment | None = None
    """From when it holds; unset, or past by then: as soon as it is approved."""
    until_at: Moment | None = None


class ActsForAgreement(_Agreed):
    """`by` records what `agency`, which has no system of its own, does."""

    kind: Literal["acts_for"]
    by: AgencyCode


class TimesAgreement(_Agreed):
    """`agency` has deadlines of its own."""

    kind: Literal["times"]
    times: Annotated[dict[str, Seconds], Field(min_length=1, max_length=len(DEADLINES))]
    """Seconds by setting, such as `respond_within_urgent`."""


NewAgreement = Annotated[ActsForAgreement | TimesAgreement, Discriminator("kind")]


def _wire(found: AgreementInFull) -> Agreement:
    return Agreement(
        id=found.id,
        kind=found.kind,
        agency=found.agency,
        other=found.other,
        times={name: int(time.total_seconds()) for name, time in found.times.items()},
        purposes=list(found.purposes),
        sections=list(found.sections),
        basis=found.basis,
        reference=found.reference,
        from_at=found.from_at,
        until_at=found.until_at,
    )


@router.get("", response_model=AgreementPage, responses=answers(InvalidRequest, InvalidCursor))
async def list_agreements(
    who: CanRead,
    admin: Admin,
    kind: Annotated[Kind | None, Query(description="Only this kind.")] = None,
    agency: Annotated[AgencyCode | None, Query(description="Only those of this agency, on either side.")] = None,
    holds: Annotated[bool, Query(description="Only those that hold now.")] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> AgreementPage:
    """List agreements, the newest first."""
    filters: dict[str, Any] = {"kind": kind, "agency": agency, "holds": str(holds).lower()}
    start = after(admin, PATH, filters, cursor)
    async with admin.transaction() as conn:
        found = await agreement_kinds.page_of_agreements(
            conn,
            kind=kind,
            agency=agency,
            holds_at=admin.now if holds else None,
            after=None if start is None else UUID(start),
            limit=limit + 1,
        )
    return AgreementPage(
        items=[_wire(each) for each in found[:limit]], next=next_page(admin, PATH, filters, found, limit, "id")
    )


@router.post("", status_code=202, response_model=Approval, responses=answers(NotThere, NotPossible, NotRight))
async def add_agreement(body: NewAgreement, who: CanAgree, admin: Admin) -> Approval:
    """Ask that an agreement hold."""
    detail = body.model_dump(mode="json")
    async with admin.transaction() as conn:
        return wire(
            await asking.ask(
                conn,
                "agreement:add",
                agreement_kinds.subject_of(detail),
                detail,
                by=who,
                now=admin.now,
                two_people=admin.settings.needs_two_people,
            )
        )


@router.get("/{agreement_id}", response_model=Agreement, responses=answers(NotThere))
async def read_agreement(agreement_id: AgreementId, who: CanRead, admin: Admin) -> Agreement:
    """Read one agreement."""
    async with admin.transaction() as conn:
        return _wire(await agreement_kinds.read_agreement(conn, agreement_id))


@router.post("/{agreement_id}/end", response_model=Agreement, responses=answers(NotThere))
async def end_agreement(agreement_id: AgreementId, who: CanAgree, admin: Admin) -> Agreement:
    """End an agreement now. One that has not begun never will."""
    async with admin.transaction() as conn:
        await agreements.end_agreement(conn, agreement_id, now=admin.now, actor=who.reference)
        return _wire(await agreement_kinds.read_agreement(conn, agreement_id))

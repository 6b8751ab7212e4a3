"""`/admin/v1/agencies`: who takes part."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from app.admin.approvals import Approval, wire
from app.admin.dependencies import Admin
from app.admin.problems import NotPossible, NotRight, NotThere
from app.admin.wire import LEFT_OUT, AgencyInPath, Cursor, Limit, after, next_page
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.admin import agencies, agency_life, directory_changes
from auth.admin.directory_changes import AgencyInFull
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Count, Flag, Moment, Wire
from schemas.codes.agencies import Accepts, AgencyGroup, AgencyKind
from schemas.codes.base import RequestBody
from schemas.text import AgencyCode, CountryCode, Line, Name, RegionCode

router = APIRouter(prefix="/v1/agencies", tags=["agencies"], route_class=StrictRoute)
PATH = "/admin/v1/agencies"
CanRead = Annotated[Person, requires_role()]
CanRun = Annotated[Person, requires_role(Role.operator)]
CanStop = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
Status = Literal["active", "suspended", "closed"]


class Agency(Wire):
    """An agency with everything that is written down about it."""

    id: UUID
    code: str
    name: str
    kind: AgencyKind
    region: str | None
    country: str
    parent: str | None
    """The code of the agency it belongs to."""
    status: Status
    desk: bool
    """Whether it is the ministry's desk."""
    reviewer: bool
    """Whether it was made the agency that reviews what is disclosed without consent; where none was, the desk is it."""
    sandbox: bool
    """Whether it is a practice agency, for invented people only."""
    residential: Accepts | None
    accepts: dict[AgencyGroup, Accepts]
    """Whom it accepts."""
    capacity: int | None
    note: str | None
    """A remark for administrators."""
    created_at: Moment


class AgencyPage(Wire):
    """Agencies by code."""

    items: list[Agency]
    next: str | None


class NewAgency(RequestBody):
    """An agency to be added."""

    code: AgencyCode
    name: Name
    kind: AgencyKind
    country: CountryCode = "ID"
    region: RegionCode | None = None
    parent: AgencyCode | None = None
    residential: Accepts | None = None
    accepts: dict[AgencyGroup, Accepts] | None = None
    capacity: Count | None = None
    note: Line | None = None
    sandbox: Flag = False
    """A practice agency, for invented people only; it and real agencies never know each other."""


class AgencyChange(RequestBody):
    """What to change; what is left out stays as it is."""

    name: Name = LEFT_OUT
    region: RegionCode | None = None
    residential: Accepts | None = None
    accepts: dict[AgencyGroup, Accepts] | None = None
    capacity: Count | None = None
    note: Line | None = None


def _wire(found: AgencyInFull) -> Agency:
    return Agency.model_validate(found, from_attributes=True)


@router.get("", response_model=AgencyPage, responses=answers(InvalidRequest, InvalidCursor))
async def list_agencies(
    who: CanRead,
    admin: Admin,
    status: Annotated[Status | None, Query(description="Only those in this state.")] = None,
    kind: Annotated[AgencyKind | None, Query(description="Only this kind.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> AgencyPage:
    """List agencies by code."""
    filters = {"status": status, "kind": kind}
    start = after(admin, PATH, filters, cursor)
    async with admin.transaction() as conn:
        found = await directory_changes.page_of_agencies(
            conn, status=status, kind=kind, after=start or "", limit=limit + 1
        )
    return AgencyPage(
        items=[_wire(each) for each in found[:limit]], next=next_page(admin, PATH, filters, found, limit, "code")
    )


@router.post("", status_code=201, response_model=Agency, responses=answers(NotThere, NotPossible, NotRight))
async def add_agency(body: NewAgency, who: CanRun, admin: Admin) -> Agency:
    """Add an agency. It takes part at once; nobody speaks for it until a client is approved."""
    async with admin.transaction() as conn:
        await agencies.add_agency(conn, **body.model_dump(mode="json"), now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_agency(conn, body.code))


@router.get("/{code}", response_model=Agency, responses=answers(NotThere))
async def read_agency(code: AgencyInPath, who: CanRead, admin: Admin) -> Agency:
    """Read one agency."""
    async with admin.transaction() as conn:
        return _wire(await directory_changes.read_agency(conn, code))


@router.patch("/{code}", response_model=Agency, responses=answers(NotThere, NotRight))
async def change_agency(code: AgencyInPath, body: AgencyChange, who: CanRun, admin: Admin) -> Agency:
    """Change what is written down about an agency. Members that are left out stay as they are (RFC 7396)."""
    changes = body.model_dump(mode="json", include=body.model_fields_set)
    async with admin.transaction() as conn:
        await directory_changes.change_agency(conn, code, changes, now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_agency(conn, code))


@router.post("/{code}/suspend", response_model=Agency, responses=answers(NotThere))
async def suspend_agency(code: AgencyInPath, who: CanStop, admin: Admin) -> Agency:
    """Shut an agency out within a second. One person may; two let it in again."""
    async with admin.transaction() as conn:
        await agencies.suspend_agency(conn, code, now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_agency(conn, code))


@router.post("/{code}/resume", status_code=202, response_model=Approval, responses=answers(NotThere, NotPossible))
async def resume_agency(code: AgencyInPath, who: CanRun, admin: Admin) -> Approval:
    """Ask that a suspended agency be let in again."""
    async with admin.transaction() as conn:
        return wire(
            await agency_life.ask_to_resume(
                conn, code, by=who, now=admin.now, two_people=admin.settings.needs_two_people
            )
        )


@router.post("/{code}/close", response_model=Agency, responses=answers(NotThere, NotPossible))
async def close_agency(code: AgencyInPath, who: CanRun, admin: Admin) -> Agency:
    """Close an agency for good. Not while it leads a case or has accepted anything that is not over."""
    async with admin.transaction() as conn:
        await agencies.close_agency(conn, code, now=admin.now, actor=who.reference)
        return _wire(await directory_changes.read_agency(conn, code))


@router.post(
    "/{code}/desk", status_code=202, response_model=Approval, responses=answers(NotThere, NotPossible, NotRight)
)
async def make_desk(code: AgencyInPath, who: CanRun, admin: Admin) -> Approval:
    """Ask that an agency become the ministry's desk; the one before it is so no more."""
    async with admin.transaction() as conn:
        return wire(
            await agency_life.ask_for_desk(
                conn, code, by=who, now=admin.now, two_people=admin.settings.needs_two_people
            )
        )


@router.post(
    "/{code}/reviewer", status_code=202, response_model=Approval, responses=answers(NotThere, NotPossible, NotRight)
)
async def make_reviewer(code: AgencyInPath, who: CanRun, admin: Admin) -> Approval:
    """Ask that an agency review what is disclosed without consent; the one before it does so no more. Until one is made it, the desk does."""
    async with admin.transaction() as conn:
        return wire(
            await agency_life.ask_for_reviewer(
                conn, code, by=who, now=admin.now, two_people=admin.settings.needs_two_people
            )
        )

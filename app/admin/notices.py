"""`/admin/v1/notices`: which agencies are told by e-mail that something waits, and what became of the mails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.admin.dependencies import Admin
from app.admin.problems import NotRight, NotThere
from app.admin.wire import AgencyInPath, Cursor, Limit, after, next_page
from app.delivery.notices import addresses, queries
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody
from schemas.text import AgencyCode, Email

router = APIRouter(prefix="/v1", tags=["notices"], route_class=StrictRoute)
PATH = "/admin/v1/notices"
CanRead = Annotated[Person, requires_role()]
CanRun = Annotated[Person, requires_role(Role.operator)]
State = Literal["waiting", "sent", "needless", "parked"]


class NoticeAddress(RequestBody):
    """Where an agency is told: the address of a function, never of a person."""

    email: Email
    language: Literal["id", "en"] = "id"


class NoticeAddressInFull(Wire):
    """Where an agency is told, and how it goes."""

    email: str
    language: Literal["id", "en"]
    set_at: Moment
    refused_at: Moment | None
    """When a mail server last refused the address for good; None: not since it last took a mail."""
    waiting: int
    """Mails that wait or are tried again."""
    parked: int
    """Mails that were given up."""


class Mail(Wire):
    """A mail, and what came of it."""

    id: UUID
    agency: str
    """The agency's code."""
    state: State
    """`needless`: when its turn came nothing waited any more; `parked`: given up after a day, or refused for good."""
    created_at: Moment
    due_at: Moment
    attempts: int
    ended_at: Moment | None
    fault: str | None
    """Of the last try: `refused`, `content`, `later`, `login`, `tls`, `timeout`, `disconnected`, `unreachable`, `internal`."""
    status: int | None
    """What the mail server answered, if it did."""
    events: int
    """Of how many events it tells."""


class MailPage(Wire):
    """Mails, newest first."""

    items: list[Mail]
    next: str | None


def _address(row: Mapping[str, Any]) -> NoticeAddressInFull:
    return NoticeAddressInFull.model_validate({name: row[name] for name in NoticeAddressInFull.model_fields})


@router.get("/agencies/{code}/notice-address", response_model=NoticeAddressInFull, responses=answers(NotThere))
async def read_notice_address(code: AgencyInPath, who: CanRead, admin: Admin) -> NoticeAddressInFull:
    """Read where an agency is told."""
    async with admin.transaction() as conn:
        return _address(await addresses.address_of(conn, code))


@router.post(
    "/agencies/{code}/notice-address", response_model=NoticeAddressInFull, responses=answers(NotThere, NotRight)
)
async def set_notice_address(code: AgencyInPath, body: NoticeAddress, who: CanRun, admin: Admin) -> NoticeAddressInFull:
    """Say where an agency is told by e-mail that something waits for it, from now on. It opens nothing: a mail holds references alone."""
    async with admin.transaction() as conn:
        await addresses.set_address(
            conn, code, email=body.email, language=body.language, now=admin.now, actor=who.reference
        )
        return _address(await addresses.address_of(conn, code))


@router.post("/agencies/{code}/notice-address/remove", response_model=NoticeAddressInFull, responses=answers(NotThere))
async def remove_notice_address(code: AgencyInPath, who: CanRun, admin: Admin) -> NoticeAddressInFull:
    """Tell an agency no more. Mails that wait are not sent."""
    async with admin.transaction() as conn:
        found = _address(await addresses.address_of(conn, code))
        await addresses.remove_address(conn, code, now=admin.now, actor=who.reference)
    return found


@router.get("/notices", response_model=MailPage, responses=answers(InvalidRequest, InvalidCursor))
async def list_notices(
    who: CanRead,
    admin: Admin,
    state: Annotated[State | None, Query(description="Only those in this state; `parked`: given up.")] = None,
    agency: Annotated[AgencyCode | None, Query(description="Only of this agency, by its code.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> MailPage:
    """List mails, newest first, and what went wrong with them."""
    filters = {"state": state, "agency": agency}
    start = after(admin, PATH, filters, cursor)
    async with admin.transaction() as conn:
        rows = await queries.mails(
            conn, state=state, code=agency, before=UUID(start) if start else None, limit=limit + 1
        )
    found = [Mail.model_validate(dict(each)) for each in rows]
    return MailPage(items=found[:limit], next=next_page(admin, PATH, filters, found, limit, "id"))


@router.post("/notices/{mail_id}/retry", status_code=204, response_class=Response, responses=answers(NotThere))
async def retry_notice(
    mail_id: Annotated[UUID, Path(description="The mail's id.")], who: CanRun, admin: Admin
) -> Response:
    """Have a mail that was given up sent again, for another day, if what it told of still waits."""
    async with admin.transaction() as conn:
        await addresses.retry(conn, mail_id, now=admin.now, actor=who.reference)
    return Response(status_code=204)

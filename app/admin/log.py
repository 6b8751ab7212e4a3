"""`/admin/v1/log`: what administrators did. Of cases it says nothing."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from app.admin.dependencies import Admin
from app.admin.wire import Cursor, Limit, after, next_page
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.admin import log
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Moment, Wire

router = APIRouter(prefix="/v1/log", tags=["log"], route_class=StrictRoute)
PATH = "/admin/v1/log"
CanAudit = Annotated[Person, requires_role(Role.auditor)]
Action = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z_]+(?::[a-z_]+)?$")]
Actor = Annotated[str, StringConstraints(max_length=64, pattern=r"^[\x21-\x7e]+$")]
Subject = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z_]+$")]


class LogEntry(Wire):
    """One administrative act."""

    id: UUID
    recorded_at: Moment
    actor: str
    """The staff reference of whoever did it; `system`: nobody."""
    client_id: str | None
    """The client it came through, if it was no session."""
    request_id: str | None
    action: str
    outcome: str
    subject: str | None
    subject_id: UUID | None
    detail: dict[str, Any]


class LogPage(Wire):
    """Administrative acts, newest first."""

    items: list[LogEntry]
    next: str | None


@router.get("", response_model=LogPage, responses=answers(InvalidRequest, InvalidCursor))
async def read_log(
    who: CanAudit,
    admin: Admin,
    action: Annotated[
        Action | None, Query(description="Only these, such as `client:approve`; or `client` for all about clients.")
    ] = None,
    actor: Annotated[Actor | None, Query(description="Only what this person did, by staff reference.")] = None,
    subject: Annotated[Subject | None, Query(description="Only about this kind of thing, such as `agency`.")] = None,
    subject_id: Annotated[UUID | None, Query(description="Only about this one.")] = None,
    since: Annotated[Moment | None, Query(description="Only from this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Only before this time.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> LogPage:
    """Read what administrators did, the newest first."""
    filters: dict[str, Any] = {
        "action": action,
        "actor": actor,
        "subject": subject,
        "subject_id": subject_id,
        "since": None if since is None else since.isoformat(),
        "until": None if until is None else until.isoformat(),
    }
    start = after(admin, PATH, filters, cursor)
    async with admin.transaction() as conn:
        found = await log.page_of_log(
            conn,
            action=action,
            actor=actor,
            subject=subject,
            subject_id=subject_id,
            since=since,
            until=until,
            after=None if start is None else UUID(start),
            limit=limit + 1,
        )
    return LogPage(
        items=[LogEntry.model_validate(each, from_attributes=True) for each in found[:limit]],
        next=next_page(admin, PATH, filters, found, limit, "id"),
    )

"""`/admin/v1/jobs`: what the worker could not do, and tries again."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter

from app.admin.dependencies import Admin
from app.admin.wire import Limit
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from app.outbox.jobs import queries
from app.outbox.jobs.claims import PARKED_FROM
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Moment, Wire

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role(Role.operator, Role.auditor)]


class FailedJob(Wire):
    """Something a job has failed at and not done since. Ids, codes and times; nothing of what was told."""

    job: str
    subject: str
    """What kind of thing; `job`: the job as a whole."""
    subject_id: UUID | None
    case_id: UUID | None
    error: str
    """SQLSTATE, or the type of the exception; the process's log has the place."""
    attempts: int
    state: Literal["retrying", "parked"]
    """`parked` from the third failure on: somebody should look. It is tried again all the same."""
    first_at: Moment
    last_at: Moment
    retry_at: Moment


class FailedJobList(Wire):
    """What jobs have failed at, what waits longest first."""

    total: int
    items: list[FailedJob]


@router.get("", response_model=FailedJobList, responses=answers(InvalidRequest))
async def list_failed_jobs(who: CanRead, admin: Admin, limit: Limit = 100) -> FailedJobList:
    """List what the worker could not do, what waits longest first. It goes on trying; a deadline among them is a person who waits."""
    async with admin.transaction() as conn:
        found = await queries.listed(conn, limit)
        total, _ = await queries.count(conn, 1)
    return FailedJobList(
        total=total,
        items=[
            FailedJob(
                **{
                    **{name: each[name] for name in FailedJob.model_fields if name != "state"},
                    "subject_id": each["subject_id"] if each["subject_id"].int else None,
                    "state": "parked" if each["attempts"] >= PARKED_FROM else "retrying",
                }
            )
            for each in found
        ],
    )

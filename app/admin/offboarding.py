"""`/admin/v1/agencies/{code}/offboarding`: how an agency leaves, step by step."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from app.admin.dependencies import Admin
from app.admin.problems import NotThere
from app.admin.wire import AgencyInPath
from app.foundation.http import StrictRoute
from app.foundation.problems import answers
from auth.admin.offboarding import offboarding
from auth.people.guard import requires_role
from auth.people.person import Person
from auth.people.problems import NotSignedIn, RoleRequired
from schemas.base import Wire

router = APIRouter(prefix="/v1/agencies", tags=["agencies"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]


class Step(Wire):
    """Something to see through before the agency can be closed."""

    what: str
    done: bool
    remaining: int
    how: str
    """The command that does it, or who must."""
    must: bool
    """Whether the agency cannot be closed before."""
    which: list[str]
    """The ids or codes it is about, where administrators may know them."""


class Offboarding(Wire):
    """How far an agency is from being closed."""

    code: str
    status: str
    steps: list[Step]


@router.get("/{code}/offboarding", response_model=Offboarding, responses=answers(NotThere, NotSignedIn, RoleRequired))
async def read_offboarding(code: AgencyInPath, who: CanRead, admin: Admin) -> Offboarding:
    """List what is left before an agency can be closed, in order. Reading it changes nothing."""
    async with admin.transaction() as conn:
        found = await offboarding(conn, code, now=admin.now)
    return Offboarding(
        code=found.code,
        status=found.status,
        steps=[
            Step(
                what=each.what,
                done=each.done,
                remaining=each.remaining,
                how=each.how,
                must=each.must,
                which=list(each.which),
            )
            for each in found.steps
        ],
    )

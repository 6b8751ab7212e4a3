"""`/admin/v1/command-line`: a person allows the command line a session of theirs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from app.admin.dependencies import Admin
from app.admin.visits import Visit
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, answers
from auth.people import command_line
from auth.people.guard import requires_role
from auth.people.person import Person
from auth.people.problems import CeremonyOver, ConfirmationRequired, CrossSite, NotSignedIn, PersonRequired
from schemas.base import Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1/command-line", tags=["command line"], route_class=StrictRoute)
Confirmed = Annotated[Person, requires_role(person=True, confirmed=True)]


class Code(RequestBody):
    """What the link holds that the command line has printed."""

    code: Annotated[str, Field(max_length=200)]


class Asking(Wire):
    """Who asks for a session."""

    compare: str
    """What the command line shows too, such as `7K3-9QF`."""
    machine: str
    """What it calls its machine."""
    login: str
    """Who has logged in there, by its own word."""


@router.post("/look", response_model=Asking, responses=answers(CrossSite, CeremonyOver, InvalidRequest))
async def look_at_command_line(visit: Visit, body: Code) -> Asking:
    """Say what the command line shows, to whoever holds its link."""
    async with visit.transaction() as conn:
        found = await command_line.look(conn, body.code, now=visit.now)
    if found is None:
        raise CeremonyOver
    return Asking(compare=found.compare, machine=found.machine, login=found.login)


@router.post(
    "/allow",
    status_code=204,
    responses=answers(CrossSite, NotSignedIn, PersonRequired, ConfirmationRequired, CeremonyOver, InvalidRequest),
)
async def allow_command_line(who: Confirmed, visit: Visit, admin: Admin, body: Code) -> Response:
    """Allow the command line a session of yours."""
    async with admin.transaction() as conn:
        if not await command_line.allow(conn, body.code, by=who, address=visit.address, now=admin.now):
            raise CeremonyOver
    return Response(status_code=204)

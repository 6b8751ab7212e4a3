"""An agency's life as people lead it: what opens access waits for another's yes. What shuts it out is in `auth.admin.agencies`."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection
from auth.admin.approvals import Approval, ask
from auth.admin.directory_changes import read_agency
from auth.admin.errors import TakenError
from auth.people.person import Person


async def ask_to_resume(conn: Connection, code: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask that a suspended agency be let in again. Raises `UnknownAgencyError`, `TakenError` (it is not suspended, or waits already)."""
    found = await read_agency(conn, code)
    if found.status != "suspended":
        raise TakenError(f"{code} is {found.status}, not suspended")
    return await ask(conn, "agency:resume", code, by=by, now=now, two_people=two_people)


async def ask_for_reviewer(conn: Connection, code: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask that an agency become the one that reviews. Raises `UnknownAgencyError`, `TakenError`, `InvalidValueError`."""
    found = await read_agency(conn, code)
    if found.reviewer:
        raise TakenError(f"{code} is the reviewing agency already")
    return await ask(conn, "agency:reviewer", code, by=by, now=now, two_people=two_people)


async def ask_for_desk(conn: Connection, code: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask that an agency become the ministry's desk. Raises `UnknownAgencyError`, `TakenError`, `InvalidValueError`."""
    found = await read_agency(conn, code)
    if found.desk:
        raise TakenError(f"{code} is the desk already")
    return await ask(conn, "agency:desk", code, by=by, now=now, two_people=two_people)

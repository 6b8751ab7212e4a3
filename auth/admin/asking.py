"""Asking for what opens access: only for what could be done now, so that nobody is asked to say yes to what must fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from app.foundation.database import Connection
from auth.admin import approvals
from auth.admin.acts import ACTS
from auth.admin.approvals import Approval
from auth.admin.directory_changes import read_agency
from auth.admin.errors import InvalidValueError, TakenError
from auth.people.person import Person


class _TriedError(Exception):
    """It could be done, and was undone."""


async def ask(
    conn: Connection,
    act: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    by: Person,
    now: datetime,
    two_people: bool,
) -> Approval:
    """Ask for an act of `ACTS`. Raises what doing it now would raise, and `TakenError` if it waits already."""
    written: dict[str, Any] = json.loads(json.dumps(dict(detail or {})))  # as it will be read when it is done
    with suppress(_TriedError):
        async with conn.transaction():
            await ACTS[act].apply(conn, subject, written, now, by.reference)
            raise _TriedError
    return await approvals.ask(conn, act, subject, written, by=by, now=now, two_people=two_people)


async def ask_to_resume_agency(conn: Connection, code: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask that a suspended agency be let in again. Raises `UnknownAgencyError`, `TakenError` (it is not suspended, or waits already)."""
    found = await read_agency(conn, code)
    if found.status != "suspended":
        raise TakenError(f"{code} is {found.status}, not suspended")
    return await ask(conn, "agency:resume", code, by=by, now=now, two_people=two_people)


async def ask_for_desk(conn: Connection, code: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask that an agency become the ministry's desk. Raises `UnknownAgencyError`, `TakenError`, `InvalidValueError`."""
    found = await read_agency(conn, code)
    if found.desk:
        raise TakenError(f"{code} is the desk already")
    if found.sandbox:
        raise InvalidValueError("a practice agency cannot be the ministry's desk")
    return await ask(conn, "agency:desk", code, by=by, now=now, two_people=two_people)

"""Asking for an agreement: it opens access, so that two people say yes to it. Ending one is done at once (`agreements.end_agreement`)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin import approvals
from auth.admin.agreements import NewAgreement, check_agreement
from auth.admin.approvals import Approval
from auth.admin.errors import TakenError
from auth.people.person import Person

ACT: Final = "agreement:add"
"""The row of `acts.ACTS`; its subject is the agreement's id, its detail all of it."""


async def ask_for_agreement(
    conn: Connection, wanted: NewAgreement, *, by: Person, now: datetime, two_people: bool
) -> tuple[UUID, Approval]:
    """Ask for an agreement; return the id it has, or will have, and how far it has come.

    Raises, before anybody is asked: `UnknownAgencyError`, `InvalidValueError`, `TakenError`.
    """
    id = uuid7(now)
    async with conn.transaction():
        await check_agreement(conn, wanted, now=now)  # locks the two agencies: nobody asks for the same meanwhile
        waiting = await approvals.list_approvals(conn, now=now, two_people=two_people)
        if any(each.act == ACT and each.detail == wanted.detail() for each in waiting):
            raise TakenError("this very agreement waits for approval already")
        asked = await approvals.ask(conn, ACT, str(id), wanted.detail(), by=by, now=now, two_people=two_people)
    return id, asked

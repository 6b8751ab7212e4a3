"""Approvals: what opens access is done when two different people, who have proved who they are, have said yes.

Whoever asks has said yes by asking, if their yes counts and they have proved who they are a short while ago: a client, somebody at the
machine, or an old session only asks, so that it cannot take the place of the person whose reference it gives. Where one person is enough
(development), asking does it at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin import approval_queries as queries
from auth.admin.acts import ACTS, Code
from auth.admin.errors import InvalidValueError, MayNotApproveError, TakenError, UnknownApprovalError
from auth.people.person import Person
from auth.queries import log_act

WAITS_FOR: Final = timedelta(days=7)
"""How long something waits for approval before it has to be asked for again."""
REASON_AT_MOST: Final = 500


class _UndoneError(Exception):
    """It could be done, and was undone."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Something that opens access, and how far it has come."""

    id: UUID
    act: str
    subject: str
    detail: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    state: str
    """`waiting`, `approved`, `refused`, `withdrawn`, or `expired`."""
    yes: tuple[str, ...]
    """The staff references of who has said yes."""
    needed: int
    """How many yes it takes."""
    decided_at: datetime | None
    reason: str | None
    code: str | None = None
    """What whoever has just said the last yes tells the newcomer; never shown again."""

    @property
    def done(self) -> bool:
        """Whether it has been done."""
        return self.state == "approved"


def needed(*, two_people: bool) -> int:
    """Return how many people must say yes."""
    return 2 if two_people else 1


async def ask(
    conn: Connection,
    act: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    by: Person,
    now: datetime,
    two_people: bool,
    waits_for: timedelta = WAITS_FOR,
) -> Approval:
    """Ask for an act of `ACTS`; it is done at once if no other person's yes is needed.

    Nobody is asked to say yes to what must fail: raises what doing it now would raise, and `TakenError` if it waits already.
    """
    written: dict[str, Any] = json.loads(
        json.dumps(dict(detail or {}), default=str)
    )  # as it will be read when it is done
    async with conn.transaction():
        await _try(conn, act, subject, written, by=by, now=now)
        await queries.withdraw_expired(conn, act, subject, now)
        id = uuid7(now)
        added = await queries.insert_approval(
            conn,
            id=id,
            act=act,
            subject=subject,
            detail=json.dumps(written),
            asked_by=by.reference,
            asked_through=by.client_id,
            asked_at=now,
            expires_at=now + waits_for,
        )
        if not added:
            raise TakenError(f"{act} of {subject} waits for approval already")
        await _log(conn, "approval:ask", id, act, subject, by, now)
        if ACTS[act].roles & by.roles and (not two_people or (by.admin_id is not None and by.confirmed(now))):
            await _say_yes(conn, id, by, now)
            await _carry_out(conn, id, by=by, now=now, two_people=two_people)
        return await read(conn, id, now=now, two_people=two_people)


async def _try(
    conn: Connection, act: str, subject: str, detail: Mapping[str, Any], *, by: Person, now: datetime
) -> None:
    """Do it and undo it. Raises what doing it raises."""
    with suppress(_UndoneError):
        async with conn.transaction():
            await ACTS[act].apply(conn, subject, detail, now, by.reference)
            raise _UndoneError


async def approve(conn: Connection, id: UUID, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Say yes; the last yes that is needed does it. Raises `UnknownApprovalError`, `MayNotApproveError`."""
    async with conn.transaction():
        waiting = await _waiting(conn, id, now)
        act = ACTS[waiting["act"]]
        if not act.roles & by.roles:
            raise MayNotApproveError(f"this takes the yes of: {', '.join(sorted(act.roles))}")
        if two_people and by.admin_id is None:
            raise MayNotApproveError(
                "only somebody who has signed in can say yes: nobody else is known to be another person"
            )
        if not await _say_yes(conn, id, by, now):
            raise MayNotApproveError("you have said yes already; it takes another person")
        await _log(conn, "approval:approve", id, waiting["act"], waiting["subject"], by, now)
        code = await _carry_out(conn, id, by=by, now=now, two_people=two_people)
        return replace(await read(conn, id, now=now, two_people=two_people), code=code)


async def refuse(conn: Connection, id: UUID, *, by: Person, reason: str, now: datetime, two_people: bool) -> Approval:
    """Say no, with a reason; whoever asked takes it back (`withdrawn`). Raises `UnknownApprovalError`, `MayNotApproveError`."""
    if not reason.strip() or len(reason) > REASON_AT_MOST or not reason.isprintable():
        raise InvalidValueError(f"a reason is 1 to {REASON_AT_MOST} printable characters")
    async with conn.transaction():
        waiting = await _waiting(conn, id, now)
        act = ACTS[waiting["act"]]
        if not act.roles & by.roles:
            raise MayNotApproveError(f"this takes one of: {', '.join(sorted(act.roles))}")
        state = "withdrawn" if by.reference == waiting["asked_by"] else "refused"
        await queries.decide(conn, id, state=state, at=now, reason=reason)
        await _log(
            conn,
            f"approval:{'withdraw' if state == 'withdrawn' else 'refuse'}",
            id,
            waiting["act"],
            waiting["subject"],
            by,
            now,
        )
        if act.refused is not None:
            await act.refused(conn, waiting["subject"], json.loads(waiting["detail"]), now, by.reference)
        return await read(conn, id, now=now, two_people=two_people)


async def read(conn: Connection, id: UUID, *, now: datetime, two_people: bool) -> Approval:
    """Return one. Raises `UnknownApprovalError`."""
    row = await queries.approval(conn, id)
    if row is None:
        raise UnknownApprovalError("there is no such approval")
    return _approval(row, now, two_people=two_people)


async def list_approvals(
    conn: Connection, *, now: datetime, two_people: bool, waiting_only: bool = True
) -> Sequence[Approval]:
    """Return what waits (or all there was), newest first."""
    rows = await queries.approvals(conn, waiting_at=now if waiting_only else None)
    return [_approval(row, now, two_people=two_people) for row in rows]


async def _waiting(conn: Connection, id: UUID, now: datetime) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await queries.lock_approval(conn, id)
    if row is None or row["state"] != "waiting" or row["expires_at"] <= now:
        raise UnknownApprovalError("nothing of that id waits for approval")
    return row


async def _say_yes(conn: Connection, id: UUID, by: Person, now: datetime) -> bool:
    return await queries.insert_yes(conn, id, actor=by.reference, admin_id=by.admin_id, at=now)


async def _carry_out(conn: Connection, id: UUID, *, by: Person, now: datetime, two_people: bool) -> Code | None:
    row = await queries.approval(conn, id)
    assert row is not None, "it is locked"
    act = ACTS[row["act"]]
    count = await queries.yes_that_count(conn, id, roles=sorted(act.roles) if two_people else None)
    if count < needed(two_people=two_people):
        return None
    await queries.decide(conn, id, state="approved", at=now, reason=None)
    done = await act.apply(conn, row["subject"], json.loads(row["detail"]), now, by.reference)
    return done if isinstance(done, Code) else None


def _approval(row: Mapping[str, Any], now: datetime, *, two_people: bool) -> Approval:
    expired = row["state"] == "waiting" and row["expires_at"] <= now
    return Approval(
        **{
            **dict(row),
            "detail": json.loads(row["detail"]),
            "yes": tuple(row["yes"]),
            "state": "expired" if expired else row["state"],
            "needed": needed(two_people=two_people),
        }
    )


async def _log(conn: Connection, action: str, id: UUID, act: str, subject: str, by: Person, now: datetime) -> None:
    await log_act(
        conn,
        at=now,
        actor=by.reference,
        action=action,
        subject="approval",
        subject_id=id,
        detail={"act": act, "subject": subject, "proven": by.admin_id is not None},
    )

"""Administration of what agencies have agreed: who records for whom, and whose deadlines are other ones.

Plain functions over a connection of the role `rujukan_admin`, as in `auth.admin`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.settings import Settings
from auth.admin import queries
from auth.admin.errors import InvalidValueError, TakenError, UnknownAgencyError, UnknownAgreementError

SHORTEST: Final = timedelta(minutes=5)
MOST: Final = 4
"""An agreed time is at most so many times the exchange's default: a deadline that never comes would lose somebody."""
DEADLINES: Final = (
    "respond_within_immediate",
    "respond_within_urgent",
    "respond_within_standard",
    "start_within_immediate",
    "start_within_urgent",
    "start_within_standard",
    "silence_in_progress",
    "hold_at_most",
    "answer_cancellation_within",
    "confirm_handover_within",
    "paper_within",
)
"""The settings an agency may have times of its own for: those the tables of deadlines name."""


@dataclass(frozen=True, slots=True)
class ListedAgreement:
    """An agreement in a list."""

    id: UUID
    kind: str
    agency: str
    other: str | None
    times: dict[str, timedelta]
    reference: str
    from_at: datetime
    until_at: datetime | None


async def add_acts_for(
    conn: Connection,
    *,
    agency: str,
    by: str,
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> UUID:
    """Let `by` record what `agency` does; both are codes. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    if agency == by:
        raise InvalidValueError("an agency needs no agreement to act for itself")
    if await queries.is_desk(conn, agency):
        raise InvalidValueError("nobody acts for the ministry's desk: its two people could not be told apart")
    return await _add(
        conn, kind="acts_for", agency=agency, by=by, times={}, reference=reference, now=now, actor=actor,
        from_at=from_at, until_at=until_at,
    )  # fmt: skip


async def add_times(
    conn: Connection,
    *,
    agency: str,
    times: Mapping[str, timedelta],
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> UUID:
    """Give an agency deadlines of its own, by setting. Raises `UnknownAgencyError`, `InvalidValueError`, `TakenError`."""
    if not times:
        raise InvalidValueError("an agreement on times names at least one")
    for name, time in times.items():
        if name not in DEADLINES:
            raise InvalidValueError(f"times are: {', '.join(DEADLINES)}")
        longest = MOST * Settings.model_fields[name].default
        if not SHORTEST <= time <= longest:
            raise InvalidValueError(f"{name} is from {SHORTEST} to {longest}, {MOST} times what it is by default")
    return await _add(
        conn, kind="times", agency=agency, by=None, times=times, reference=reference, now=now, actor=actor,
        from_at=from_at, until_at=until_at,
    )  # fmt: skip


async def _add(
    conn: Connection,
    *,
    kind: str,
    agency: str,
    by: str | None,
    times: Mapping[str, timedelta],
    reference: str,
    now: datetime,
    actor: str,
    from_at: datetime | None,
    until_at: datetime | None,
) -> UUID:
    from_at = from_at or now
    if not reference.strip() or len(reference) > 200 or not reference.isprintable():
        raise InvalidValueError("a reference (the agreement's number) is 1 to 200 printable characters")
    if until_at is not None and until_at <= max(from_at, now):
        raise InvalidValueError("an agreement ends after it begins, and not in the past")
    async with conn.transaction():
        agency_id = await queries.lock_agency(conn, agency)
        other_id = None if by is None else await queries.agency_id_of(conn, by)
        if agency_id is None or (by is not None and other_id is None):
            raise UnknownAgencyError(f"there is no agency {agency if agency_id is None else by}")
        if await queries.agreed_already(conn, kind, agency_id, other_id, from_at, until_at):
            raise TakenError("there is an agreement on that for this time already: end it first")
        id = uuid7(now)
        await queries.insert_agreement(
            conn,
            id=id,
            kind=kind,
            agency_id=agency_id,
            other_id=other_id,
            times={name: time.total_seconds() for name, time in times.items()},
            reference=reference,
            from_at=from_at,
            until_at=until_at,
        )
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="agreement:add",
            subject="agreement",
            subject_id=id,
            detail={"kind": kind, "agency": agency, "other": by, "times": sorted(times)},
        )
    return id


async def end_agreement(conn: Connection, id: UUID, *, now: datetime, actor: str) -> None:
    """End an agreement now. Raises `UnknownAgreementError`."""
    async with conn.transaction():
        if not await queries.end_agreement(conn, id, now):
            raise UnknownAgreementError("there is no such agreement that has not ended")
        await queries.log_act(
            conn, at=now, actor=actor, action="agreement:end", subject="agreement", subject_id=id, detail={}
        )


async def list_agreements(conn: Connection) -> list[ListedAgreement]:
    """Return all agreements, also ended ones, by agency and time."""
    return [
        ListedAgreement(
            **{
                **dict(row),
                "times": {name: timedelta(seconds=value) for name, value in json.loads(row["times"]).items()},
            }
        )
        for row in await queries.agreements(conn)
    ]

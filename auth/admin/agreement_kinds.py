"""Agreements as one kind of thing: looked up, and added from what was asked for, by whichever function adds that kind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import change_queries as queries
from auth.admin.agreements import add_acts_for, add_times
from auth.admin.errors import InvalidValueError, UnknownAgreementError


@dataclass(frozen=True, slots=True)
class AgreementInFull:
    """An agreement with all it says."""

    id: UUID
    kind: str
    agency: str
    other: str | None
    times: Mapping[str, timedelta]
    purposes: tuple[str, ...]
    sections: tuple[str, ...]
    basis: str | None
    reference: str
    from_at: datetime
    until_at: datetime | None


async def _acts_for(conn: Connection, detail: Mapping[str, Any], now: datetime, actor: str) -> UUID:
    return await add_acts_for(conn, agency=detail["agency"], by=detail["by"], **_common(detail, now, actor))


async def _times(conn: Connection, detail: Mapping[str, Any], now: datetime, actor: str) -> UUID:
    times = {name: timedelta(seconds=value) for name, value in detail["times"].items()}
    return await add_times(conn, agency=detail["agency"], times=times, **_common(detail, now, actor))


KINDS: Final[dict[str, Callable[[Connection, Mapping[str, Any], datetime, str], Awaitable[UUID]]]] = {
    "acts_for": _acts_for,
    "times": _times,
}
"""What adds an agreement of each kind, from the detail of its approval: `kind`, its own members, `reference`, `from_at`, `until_at`."""


async def add_agreement(conn: Connection, detail: Mapping[str, Any], *, now: datetime, actor: str) -> UUID:
    """Add what was asked for. Raises what the function of its kind does."""
    return await KINDS[detail["kind"]](conn, detail, now, actor)


def subject_of(detail: Mapping[str, Any]) -> str:
    """Return what an approval of an agreement is about: the same one is not asked for twice at a time."""
    return ":".join(filter(None, (detail["kind"], detail["agency"], detail.get("by") or detail.get("other"))))


async def read_agreement(conn: Connection, id: UUID) -> AgreementInFull:
    """Return one. Raises `UnknownAgreementError`."""
    row = await queries.agreement(conn, id)
    if row is None:
        raise UnknownAgreementError("there is no such agreement")
    return _agreement(row)


async def page_of_agreements(
    conn: Connection,
    *,
    kind: str | None = None,
    agency: str | None = None,
    holds_at: datetime | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[AgreementInFull]:
    """Return at most `limit` agreements, newest first, from behind the one `after`."""
    return [
        _agreement(row)
        for row in await queries.agreements(conn, kind=kind, agency=agency, holds_at=holds_at, after=after, limit=limit)
    ]


def _common(detail: Mapping[str, Any], now: datetime, actor: str) -> dict[str, Any]:
    from_at, until_at = (_moment(detail.get(name)) for name in ("from_at", "until_at"))
    if until_at is not None and until_at <= now:
        raise InvalidValueError("an agreement ends after it begins, and not in the past")
    return {"reference": detail["reference"], "from_at": from_at, "until_at": until_at, "now": now, "actor": actor}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _agreement(row: Mapping[str, Any]) -> AgreementInFull:
    times = {name: timedelta(seconds=value) for name, value in json.loads(row["times"]).items()}
    return AgreementInFull(
        **{**dict(row), "times": times, "purposes": tuple(row["purposes"]), "sections": tuple(row["sections"])}
    )

"""Everything that opens access, as a table: done when two different people have said yes (in production; `RUJUKAN_TWO_PEOPLE`).

What shuts somebody out needs nobody's approval and stands in no table: it is done at once, by one person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app.foundation.database import Connection
from auth.admin.agencies import resume_agency, set_desk
from auth.admin.agreement_kinds import add_agreement
from auth.admin.client_changes import add_client_key, widen_client
from auth.admin.clients import change_client
from auth.admin.emergency import refuse_emergency, resume, settle_emergency
from auth.people.person import Role

Apply = Callable[[Connection, str, Mapping[str, Any], datetime, str], Awaitable[object]]
"""Do it: connection, subject, detail, time, actor. Runs in the transaction of the last yes."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that opens access."""

    says: str
    """What it does, for whoever is to approve it."""
    roles: frozenset[Role]
    """Whose yes counts."""
    apply: Apply
    refused: Apply | None = None
    """What a refusal undoes, if anything."""


async def _approve_client(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await change_client(conn, subject, "approve", now=now, actor=actor)


async def _refuse_client(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await change_client(conn, subject, "refuse", now=now, actor=actor)


async def _resume_client(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await resume(conn, subject, now=now, actor=actor)


async def _settle_emergency(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await settle_emergency(conn, subject, now=now, actor=actor)


async def _refuse_emergency(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await refuse_emergency(conn, subject, now=now, actor=actor)


async def _resume_agency(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await resume_agency(conn, subject, now=now, actor=actor)


async def _set_desk(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await set_desk(conn, subject, now=now, actor=actor)


async def _widen_client(conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    await widen_client(conn, subject, detail, now=now, actor=actor)


async def _add_client_key(conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    starts_at, overlap, ends_at = detail["starts_at"], detail["overlap_seconds"], detail.get("ends_at")
    await add_client_key(
        conn,
        subject,
        jwk=detail["jwk"],
        starts_at=None if starts_at is None else datetime.fromisoformat(starts_at),
        overlap=None if overlap is None else timedelta(seconds=overlap),
        ends_at=None if ends_at is None else datetime.fromisoformat(ends_at),
        now=now,
        actor=actor,
    )


async def _add_agreement(conn: Connection, _: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    await add_agreement(conn, detail, now=now, actor=actor)


_OPERATORS: Final = frozenset({Role.operator, Role.protection_officer})

ACTS: Final[dict[str, Act]] = {
    "client:approve": Act("Let a client speak for its agencies.", _OPERATORS, _approve_client, _refuse_client),
    "client:resume": Act("Let a suspended client in again.", _OPERATORS, _resume_client),
    "client:emergency": Act(
        "Give a client its whole scopes again after an emergency key; a refusal shuts it out.",
        _OPERATORS,
        _settle_emergency,
        _refuse_emergency,
    ),
    "client:widen": Act("Let a client do more, or call from elsewhere.", _OPERATORS, _widen_client),
    "client:add_key": Act("Give a client another key.", _OPERATORS, _add_client_key),
    "agreement:add": Act(
        "Let an agreement between agencies hold.", frozenset({Role.protection_officer}), _add_agreement
    ),
    "agency:resume": Act("Let a suspended agency in again.", _OPERATORS, _resume_agency),
    "agency:desk": Act("Make an agency the ministry's desk.", _OPERATORS, _set_desk),
}

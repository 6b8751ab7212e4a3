"""Everything that opens access, as a table: done when two different people have said yes (in production; `RUJUKAN_TWO_PEOPLE`).

What shuts somebody out needs nobody's approval and stands in no table: it is done at once, by one person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin.agencies import resume_agency, set_desk
from auth.admin.agreements import add_agreement, read_agreement
from auth.admin.clients import change_client
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
    await change_client(conn, subject, "resume", now=now, actor=actor)


async def _resume_agency(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await resume_agency(conn, subject, now=now, actor=actor)


async def _set_desk(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await set_desk(conn, subject, now=now, actor=actor)


async def _add_agreement(conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    await add_agreement(conn, read_agreement(detail), id=UUID(subject), now=now, actor=actor)


_OPERATORS: Final = frozenset({Role.operator, Role.protection_officer})

ACTS: Final[dict[str, Act]] = {
    "client:approve": Act("Let a client speak for its agencies.", _OPERATORS, _approve_client, _refuse_client),
    "client:resume": Act("Let a suspended client in again.", _OPERATORS, _resume_client),
    "agency:resume": Act("Let a suspended agency in again.", _OPERATORS, _resume_agency),
    "agency:desk": Act("Make an agency the ministry's desk.", _OPERATORS, _set_desk),
    "agreement:add": Act("Let two agencies do what they have agreed.", _OPERATORS, _add_agreement),
}

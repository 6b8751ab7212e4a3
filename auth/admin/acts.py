"""Everything that opens access, as a table: done when two different people have said yes (in production; `RUJUKAN_TWO_PEOPLE`).

What shuts somebody out needs nobody's approval and stands in no table: it is done at once, by one person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin.agencies import resume_agency, set_desk, set_reviewer
from auth.admin.agreements import add_agreement, read_agreement
from auth.admin.client_changes import add_client_key, widen_client
from auth.admin.clients import change_client
from auth.admin.emergency import refuse_emergency, resume, settle_emergency
from auth.admin.errors import AdministratorStateError
from auth.people import administrators, invitations
from auth.people.person import Role

Apply = Callable[[Connection, str, Mapping[str, Any], datetime, str], Awaitable[object]]
"""Do it: connection, subject, detail, time, actor. Runs in the transaction of the last yes. A `Code` it returns is shown to whoever says that."""


class Code(str):
    """Something secret that whoever says the last yes is shown, once."""

    __slots__ = ()


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


async def _set_reviewer(conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str) -> None:
    await set_reviewer(conn, subject, now=now, actor=actor)


async def _add_agreement(conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    await add_agreement(conn, read_agreement(detail), id=UUID(subject), now=now, actor=actor)


async def _add_administrator(
    conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str
) -> Code | None:
    id = await administrators.add_administrator(
        conn, reference=subject, name=detail["name"], roles=detail["roles"], now=now, actor=actor
    )
    return await _let_enrol(conn, id, subject, detail, now, actor)


async def _invite_administrator(
    conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str
) -> Code | None:
    found = await administrators.find_administrator(conn, subject)
    if found.status != "active":
        raise AdministratorStateError("they have been suspended meanwhile")
    return await _let_enrol(conn, found.id, subject, detail, now, actor)


async def _let_enrol(
    conn: Connection, id: UUID, reference: str, detail: Mapping[str, Any], now: datetime, actor: str
) -> Code | None:
    hash = bytes.fromhex(detail["invitation"])
    code = await invitations.invite(conn, id, reference, token_hash=hash, coded=detail["coded"], now=now, actor=actor)
    return None if code is None else Code(code)


async def _set_roles(conn: Connection, subject: str, detail: Mapping[str, Any], now: datetime, actor: str) -> None:
    found = await administrators.find_administrator(conn, subject)
    if sorted(found.roles) != detail["before"]:
        raise AdministratorStateError("they have been given other roles meanwhile: refuse this, and ask anew")
    await administrators.set_roles(conn, subject, detail["roles"], now=now, actor=actor)


async def _resume_administrator(
    conn: Connection, subject: str, _: Mapping[str, Any], now: datetime, actor: str
) -> None:
    await administrators.resume(conn, subject, now=now, actor=actor)


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
    "agency:resume": Act("Let a suspended agency in again.", _OPERATORS, _resume_agency),
    "agency:desk": Act("Make an agency the ministry's desk.", _OPERATORS, _set_desk),
    "agency:reviewer": Act("Let an agency review what is disclosed without consent.", _OPERATORS, _set_reviewer),
    "agreement:add": Act("Let two agencies do what they have agreed.", _OPERATORS, _add_agreement),
    "admin:add": Act(
        "Let somebody administer. They need the link their asker holds, and the code whoever says the last yes is shown.",
        frozenset({Role.operator}),
        _add_administrator,
    ),
    "admin:invite": Act(
        "Give an administrator another way to sign in. They need the link their asker holds, and the code whoever says the last yes is shown.",
        frozenset({Role.operator}),
        _invite_administrator,
    ),
    "admin:roles": Act("Let an administrator do more, or other things.", frozenset({Role.operator}), _set_roles),
    "admin:resume": Act("Let a suspended administrator in again.", frozenset({Role.operator}), _resume_administrator),
}

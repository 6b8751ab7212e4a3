"""Agencies and their service points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin import queries
from auth.admin.errors import InvalidValueError, OpenDutiesError, TakenError, UnknownAgencyError
from schemas.codes.agencies import AgencyKind

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class ListedAgency:
    """An agency in a list."""

    id: UUID
    code: str
    name: str
    kind: str
    region: str | None
    country: str
    parent: str | None
    status: str
    desk: bool
    reviewer: bool
    sandbox: bool
    created_at: datetime


async def add_agency(
    conn: Connection,
    *,
    code: str,
    name: str,
    kind: str,
    now: datetime,
    actor: str,
    region: str | None = None,
    country: str = "ID",
    parent: str | None = None,
    residential: str | None = None,
    accepts: Mapping[str, str] | None = None,
    capacity: int | None = None,
    note: str | None = None,
    sandbox: bool = False,
) -> UUID:
    """Add an agency and return its id. `parent` is a code; `sandbox`: a practice agency, for invented people only.

    Raises `InvalidValueError`, `UnknownAgencyError`, `TakenError`.
    """
    if not _CODE.fullmatch(code):
        raise InvalidValueError(
            "an agency's code is 3 to 64 of a-z, 0-9 and -, beginning and ending with a letter or digit"
        )
    if not _COUNTRY.fullmatch(country):
        raise InvalidValueError("a country is two capital letters (ISO 3166-1)")
    if kind not in set(AgencyKind):
        raise InvalidValueError(f"a kind of agency is one of: {', '.join(AgencyKind)}")
    if capacity is not None and capacity < 0:
        raise InvalidValueError("a capacity is not negative")
    check_name(name)
    async with conn.transaction():
        parent_id = None if parent is None else await agency_id_of(conn, parent)
        if parent is not None and await queries.is_practice(conn, parent) != sandbox:
            raise InvalidValueError(
                "a practice agency and a real one do not know each other, and none belongs to the other"
            )
        id = uuid7(now)
        added = await queries.insert_agency(
            conn,
            id=id,
            code=code,
            name=name,
            kind=kind,
            region=region,
            country=country,
            parent_id=parent_id,
            residential=residential,
            accepts=accepts,
            capacity=capacity,
            note=note,
            sandbox=sandbox,
            created_at=now,
        )
        if not added:
            raise TakenError(f"there is an agency {code} already")
        await queries.log_act(
            conn, at=now, actor=actor, action="agency:add", subject="agency", subject_id=id, detail={"code": code}
        )
    return id


async def suspend_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Shut an agency out within a second: no token for it counts or is issued."""
    await _set_agency_status(conn, code, "suspended", action="agency:suspend", now=now, actor=actor)


async def resume_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Let a suspended agency in again."""
    await _set_agency_status(conn, code, "active", action="agency:resume", now=now, actor=actor)


async def close_agency(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Close an agency for good. Raises `OpenDutiesError` while it leads a case or holds an accepted referral or transfer."""
    async with conn.transaction():
        await _set_agency_status(conn, code, "closed", action="agency:close", now=now, actor=actor)
        # counted last: what it took on while its status was being changed counts too
        if any((duties := await queries.duties_of(conn, code)).values()):
            raise OpenDutiesError(code, duties)


async def set_desk(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Make an agency the ministry's desk; the one before it is so no more. Raises `UnknownAgencyError`, `InvalidValueError`."""
    async with conn.transaction():
        if await queries.is_practice(conn, code):
            raise InvalidValueError("the desk answers for real people: a practice agency is not it")
        id = await queries.set_desk(conn, code)
        if id is None:
            raise UnknownAgencyError(f"there is no active agency {code}")
        await queries.log_act(
            conn, at=now, actor=actor, action="agency:desk", subject="agency", subject_id=id, detail={"code": code}
        )


async def set_reviewer(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Make an agency the one that reviews; the one before it is so no more. Raises `UnknownAgencyError`, `InvalidValueError`."""
    async with conn.transaction():
        if await queries.is_practice(conn, code):
            raise InvalidValueError(
                "reviews are of what was disclosed of real people: a practice agency is not the reviewer"
            )
        id = await queries.set_reviewer(conn, code)
        if id is None:
            raise UnknownAgencyError(f"there is no active agency {code}")
        await queries.log_act(
            conn, at=now, actor=actor, action="agency:reviewer", subject="agency", subject_id=id, detail={"code": code}
        )


async def list_agencies(conn: Connection) -> list[ListedAgency]:
    """Return all agencies by code."""
    return [ListedAgency(**dict(row)) for row in await queries.agencies(conn)]


async def add_service_point(
    conn: Connection,
    *,
    agency: str,
    name: str,
    confidential: bool,
    now: datetime,
    actor: str,
    region: str | None = None,
    address: str | None = None,
    services: Sequence[str] = (),
) -> UUID:
    """Add a service point to an agency and return its id. A confidential one must come without an address."""
    check_name(name)
    if confidential and address is not None:
        raise InvalidValueError(
            "the address of a confidential service point is not kept; give a meeting point with each handover"
        )
    async with conn.transaction():
        agency_id = await agency_id_of(conn, agency)
        id = uuid7(now)
        await queries.insert_service_point(
            conn,
            id=id,
            agency_id=agency_id,
            name=name,
            confidential=confidential,
            region=region,
            address=address,
            services=list(services),
            created_at=now,
        )
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="service_point:add",
            subject="service_point",
            subject_id=id,
            detail={"agency": agency},
        )
    return id


def check_name(name: str) -> None:
    """Raise `InvalidValueError` unless it is 1 to 200 printable characters."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise InvalidValueError("a name is 1 to 200 printable characters")


async def agency_id_of(conn: Connection, code: str) -> UUID:
    """Return the id of the agency with this code. Raises `UnknownAgencyError`."""
    found = await queries.agency_id_of(conn, code)
    if found is None:
        raise UnknownAgencyError(f"there is no agency {code}")
    return found


async def _set_agency_status(
    conn: Connection, code: str, status: str, *, action: str, now: datetime, actor: str
) -> None:
    async with conn.transaction():
        id = await queries.set_agency_status(conn, code, status, at=now)
        if id is None:
            raise UnknownAgencyError(f"there is no agency {code} that is not closed")
        await queries.log_act(
            conn, at=now, actor=actor, action=action, subject="agency", subject_id=id, detail={"code": code}
        )

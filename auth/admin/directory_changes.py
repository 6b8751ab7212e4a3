"""Agencies and service points, looked up and changed one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from auth.admin import change_queries as queries
from auth.admin.agencies import ListedAgency, agency_id_of, check_name
from auth.admin.errors import InvalidValueError, TakenError, UnknownAgencyError, UnknownServicePointError
from auth.admin.queries import log_act


@dataclass(frozen=True, slots=True)
class AgencyInFull(ListedAgency):
    """An agency with everything that is written down about it."""

    residential: str | None
    accepts: Mapping[str, str]
    capacity: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class ListedServicePoint:
    """A service point in a list; a confidential one has no address."""

    id: UUID
    agency: str
    name: str
    confidential: bool
    region: str | None
    address: str | None
    services: tuple[str, ...]
    created_at: datetime


async def page_of_agencies(
    conn: Connection, *, status: str | None = None, kind: str | None = None, after: str = "", limit: int
) -> list[AgencyInFull]:
    """Return at most `limit` agencies by code, from behind the code `after`."""
    return [_agency(row) for row in await queries.agencies(conn, status=status, kind=kind, after=after, limit=limit)]


async def read_agency(conn: Connection, code: str) -> AgencyInFull:
    """Return one agency. Raises `UnknownAgencyError`."""
    row = await queries.agency(conn, code)
    if row is None:
        raise UnknownAgencyError(f"there is no agency {code}")
    return _agency(row)


async def change_agency(conn: Connection, code: str, changes: Mapping[str, Any], *, now: datetime, actor: str) -> None:
    """Set `name`, `region`, `residential`, `accepts`, `capacity` or `note` of an agency.

    Raises `InvalidValueError`, `UnknownAgencyError` (also for a closed one).
    """
    if not changes:
        raise InvalidValueError("say what to change")
    if "name" in changes:
        check_name(changes["name"])
    if (changes.get("capacity") or 0) < 0:
        raise InvalidValueError("a capacity is not negative")
    async with conn.transaction():
        id = await queries.update_agency(conn, code, changes)
        if id is None:
            raise UnknownAgencyError(f"there is no agency {code} that is not closed")
        await log_act(
            conn,
            at=now,
            actor=actor,
            action="agency:change",
            subject="agency",
            subject_id=id,
            detail={"code": code, "changed": sorted(changes)},
        )


async def list_service_points(conn: Connection, agency: str) -> list[ListedServicePoint]:
    """Return an agency's service points by name. Raises `UnknownAgencyError`."""
    await agency_id_of(conn, agency)
    return [_service_point(row) for row in await queries.service_points(conn, agency)]


async def read_service_point(conn: Connection, id: UUID) -> ListedServicePoint:
    """Return one. Raises `UnknownServicePointError`."""
    row = await queries.service_point(conn, id)
    if row is None:
        raise UnknownServicePointError("there is no such service point")
    return _service_point(row)


async def change_service_point(
    conn: Connection, id: UUID, changes: Mapping[str, Any], *, now: datetime, actor: str
) -> None:
    """Set `name`, `confidential`, `region`, `address` or `services` of a service point.

    One that becomes confidential loses its address; one that is stays so, since people may be hidden there.
    Raises `UnknownServicePointError`, `InvalidValueError`.
    """
    if not changes:
        raise InvalidValueError("say what to change")
    if "name" in changes:
        check_name(changes["name"])
    async with conn.transaction():
        before = await read_service_point(conn, id)
        if before.confidential and changes.get("confidential") is False:
            raise InvalidValueError("a confidential service point stays so; add another one that is not")
        confidential = before.confidential or changes.get("confidential", False)
        if confidential and changes.get("address") is not None:
            raise InvalidValueError(
                "the address of a confidential service point is not kept; give a meeting point with each handover"
            )
        await queries.update_service_point(conn, id, {**changes, **({"address": None} if confidential else {})})
        await _log(conn, "service_point:change", before, now, actor, changed=sorted(changes))


async def remove_service_point(conn: Connection, id: UUID, *, now: datetime, actor: str) -> None:
    """Take a service point away. Raises `UnknownServicePointError`; `TakenError` if a referral or transfer names it."""
    async with conn.transaction():
        before = await read_service_point(conn, id)
        try:
            await queries.delete_service_point(conn, id)
        except asyncpg.ForeignKeyViolationError:
            raise TakenError("people were brought there: what says so still names it, and it stays") from None
        await _log(conn, "service_point:remove", before, now, actor)


def _agency(row: Mapping[str, Any]) -> AgencyInFull:
    return AgencyInFull(**{**dict(row), "accepts": json.loads(row["accepts"])})


def _service_point(row: Mapping[str, Any]) -> ListedServicePoint:
    return ListedServicePoint(**{**dict(row), "services": tuple(row["services"])})


async def _log(
    conn: Connection, action: str, point: ListedServicePoint, now: datetime, actor: str, **detail: Any
) -> None:
    await log_act(
        conn,
        at=now,
        actor=actor,
        action=action,
        subject="service_point",
        subject_id=point.id,
        detail={"agency": point.agency, **detail},
    )

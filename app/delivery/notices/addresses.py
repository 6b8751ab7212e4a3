"""Where agencies are told: set by an operator, and logged without the address."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.delivery.notices import queries
from app.delivery.notices.letter import Language, compose
from app.delivery.notices.sending import Outcome, send
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.settings import Settings, is_plain_address
from auth.admin.agencies import agency_id_of
from auth.admin.errors import InvalidValueError, UnknownAgencyError
from auth.admin.queries import log_act


async def set_address(
    conn: Connection, code: str, *, email: str, language: Language, now: datetime, actor: str
) -> None:
    """Say where an agency is told, in which language. Raises `UnknownAgencyError`, `InvalidValueError`."""
    if not is_plain_address(email):
        raise InvalidValueError("the address must be one plain e-mail address in ASCII, without a name")
    async with conn.transaction():
        agency_id = await agency_id_of(conn, code)
        await queries.set_address(conn, agency_id, email, language, now)
        await _log(conn, "agency:notice_address", agency_id, code, now, actor, language=language)


async def remove_address(conn: Connection, code: str, *, now: datetime, actor: str) -> None:
    """Tell an agency no more; what waits is not sent. Raises `UnknownAgencyError`, also where it was not told."""
    async with conn.transaction():
        agency_id = await agency_id_of(conn, code)
        if not await queries.remove_address(conn, agency_id):
            raise UnknownAgencyError(f"{code} has no notice address")
        await _log(conn, "agency:no_notice_address", agency_id, code, now, actor)


async def address_of(conn: Connection, code: str) -> asyncpg.Record:
    """Return where an agency is told, and how it goes. Raises `UnknownAgencyError`, also where it is not."""
    await agency_id_of(conn, code)
    found = await queries.addresses(conn, code)
    if not found:
        raise UnknownAgencyError(f"{code} has no notice address")
    return found[0]


async def retry(conn: Connection, mail_id: UUID, *, now: datetime, actor: str) -> None:
    """Have a parked mail sent again. Raises `UnknownAgencyError` if none is parked under this id."""
    async with conn.transaction():
        agency_id = await queries.retry(conn, mail_id, now)
        if agency_id is None:
            raise UnknownAgencyError("no notice is parked under this id")
        await log_act(
            conn,
            at=now,
            actor=actor,
            action="agency:retry_notice",
            subject="agency",
            subject_id=agency_id,
            detail={"mail": str(mail_id)},
        )


async def send_test(settings: Settings, conn: Connection, code: str, *, now: datetime, actor: str) -> Outcome:
    """Send a mail that says only that it is a test, at once. Raises `UnknownAgencyError`."""
    address = await address_of(conn, code)
    await _log(conn, "agency:test_notice", await agency_id_of(conn, code), code, now, actor)
    message = compose(
        settings,
        mail_id=uuid7(now),
        to=address["email"],
        language=address["language"],
        lines=(),
        at=now,
        practice=address["sandbox"],
    )
    return await send(settings, message, to=address["email"])


async def _log(
    conn: Connection, action: str, agency_id: UUID, code: str, now: datetime, actor: str, **more: Any
) -> None:
    await log_act(
        conn,
        at=now,
        actor=actor,
        action=action,
        subject="agency",
        subject_id=agency_id,
        detail={"code": code, **more},
    )

"""Administrators: who there is, what they may do, and by what they sign in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin.agencies import check_name
from auth.admin.errors import (
    AdministratorStateError,
    InvalidValueError,
    TakenError,
    UnknownAdministratorError,
    UnknownPasskeyError,
)
from auth.people import queries
from auth.people.person import MACHINE, Role
from auth.queries import log_act

_REFERENCE: Final = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class ListedPasskey:
    """A passkey in a list."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedAdministrator:
    """An administrator in a list."""

    id: UUID
    reference: str
    name: str
    roles: tuple[str, ...]
    status: str
    """`active` or `suspended`."""
    enrolled: bool
    """Whether they have ever had a way to sign in."""
    linked: bool
    """Whether they sign in at the OpenID provider."""
    passkeys: tuple[ListedPasskey, ...]
    created_at: datetime
    seen_at: datetime | None


def check_reference(reference: str) -> str:
    """Return a staff reference. Raises `InvalidValueError`."""
    if not _REFERENCE.fullmatch(reference):
        raise InvalidValueError("a staff reference is 1 to 64 visible ASCII characters, without a space; never a name")
    if reference.startswith((MACHINE, "client:")):
        raise InvalidValueError(
            f"what begins with {MACHINE} or client: names nobody in the log; a staff reference begins otherwise"
        )
    return reference


def check_roles(roles: Iterable[str]) -> list[str]:
    """Return roles in order. Raises `InvalidValueError`: unknown, none, or all three."""
    given = set(roles)
    if unknown := given - set(Role):
        raise InvalidValueError(f"{len(unknown)} of the roles there is not; roles are: {', '.join(Role)}")
    if not given:
        raise InvalidValueError(f"an administrator has a role at least; roles are: {', '.join(Role)}")
    if given == set(Role):
        raise InvalidValueError("nobody has all three roles: who opens access is not who checks that it was right to")
    return sorted(str(role) for role in given)


async def add_administrator(
    conn: Connection, *, reference: str, name: str, roles: Iterable[str], now: datetime, actor: str
) -> UUID:
    """Add somebody, who has no way to sign in yet. Raises `InvalidValueError`, `TakenError`."""
    check_reference(reference)
    check_name(name)
    wanted = check_roles(roles)
    async with conn.transaction():
        id = uuid7(now)
        if not await queries.insert_administrator(conn, id=id, reference=reference, name=name, roles=wanted, at=now):
            raise TakenError("there is an administrator of that reference already")
        await _log(conn, "admin:add", id, reference, now, actor, roles=wanted)
        return id


async def list_administrators(conn: Connection) -> list[ListedAdministrator]:
    """Return everybody, by reference."""
    return [_listed(row) for row in await queries.administrators(conn)]


async def is_reference(conn: Connection, reference: str) -> bool:
    """Whether it is an administrator's."""
    return await queries.is_reference(conn, reference)


async def find_administrator(conn: Connection, reference: str) -> ListedAdministrator:
    """Return one. Raises `UnknownAdministratorError`."""
    row = await queries.administrator(conn, reference)
    if row is None:
        raise UnknownAdministratorError("there is no administrator of that reference")
    return _listed(row)


async def find_administrator_by_id(conn: Connection, admin_id: UUID) -> ListedAdministrator:
    """Return one. Raises `UnknownAdministratorError`."""
    row = await queries.administrator_of(conn, admin_id)
    if row is None:
        raise UnknownAdministratorError("there is no such administrator")
    return _listed(row)


async def set_roles(
    conn: Connection, reference: str, roles: Iterable[str], *, now: datetime, actor: str
) -> ListedAdministrator:
    """Give somebody these roles and no others; counts from their next request. Raises `InvalidValueError`, `UnknownAdministratorError`."""
    wanted = check_roles(roles)
    async with conn.transaction():
        found = await find_administrator(conn, reference)
        await queries.set_roles(conn, found.id, wanted)
        await _log(conn, "admin:roles", found.id, reference, now, actor, roles=wanted, before=list(found.roles))
        return await find_administrator(conn, reference)


async def suspend(conn: Connection, reference: str, *, now: datetime, actor: str) -> int:
    """Shut somebody out at once: their sessions and links end, and they get no new ones. Returns how many sessions they had."""
    async with conn.transaction():
        found = await find_administrator(conn, reference)
        await queries.set_status(conn, found.id, "suspended")
        ended = await queries.end_sessions_of(conn, found.id, now=now)
        await queries.end_invitations(conn, found.id, now=now)
        await _log(conn, "admin:suspend", found.id, reference, now, actor, sessions=ended)
        return ended


async def resume(conn: Connection, reference: str, *, now: datetime, actor: str) -> None:
    """Let somebody in again, who has to sign in anew. Raises `UnknownAdministratorError`, `AdministratorStateError`."""
    async with conn.transaction():
        found = await find_administrator(conn, reference)
        if found.status != "suspended":
            raise AdministratorStateError("they are not suspended")
        await queries.set_status(conn, found.id, "active")
        await _log(conn, "admin:resume", found.id, reference, now, actor)


async def link_oidc(conn: Connection, admin_id: UUID, issuer: str, subject: str, *, now: datetime, actor: str) -> None:
    """Link somebody to their account at the OpenID provider; once more to the same one changes nothing.

    Raises `AdministratorStateError` if they are linked to another one, or suspended; `TakenError` if the account is another's.
    """
    async with conn.transaction():
        found = await find_administrator_by_id(conn, admin_id)
        if found.status != "active":
            raise AdministratorStateError("they are suspended")
        owner = await queries.administrator_of_account(conn, issuer=issuer, subject=subject)
        if owner is not None and owner["id"] == admin_id:
            return
        if found.linked:
            raise AdministratorStateError("they are linked to an account already")
        if not await queries.link_account(conn, admin_id, issuer, subject):
            raise TakenError("the account is another administrator's")
        await _log(conn, "admin:link", admin_id, found.reference, now, actor, issuer=issuer)


async def unlink_oidc(conn: Connection, reference: str, *, now: datetime, actor: str) -> None:
    """Part somebody from their account at the OpenID provider and end their sessions. Raises `AdministratorStateError`: there is none."""
    async with conn.transaction():
        found = await find_administrator(conn, reference)
        if not found.linked:
            raise AdministratorStateError("they are linked to no account")
        await queries.link_account(conn, found.id, None, None)
        await queries.end_sessions_of(conn, found.id, now=now)
        await _log(conn, "admin:unlink", found.id, reference, now, actor)


async def end_passkey(
    conn: Connection, reference: str, passkey_id: UUID, *, now: datetime, actor: str, but_session: UUID | None = None
) -> None:
    """End a passkey, and the sessions of its person: any may have been begun by it.

    `but_session`: the one they end it from. Raises `UnknownAdministratorError`, `UnknownPasskeyError`.
    """
    async with conn.transaction():
        found = await find_administrator(conn, reference)
        if not await queries.end_passkey(conn, passkey_id, admin_id=found.id, now=now):
            raise UnknownPasskeyError("they have no such passkey")
        ended = await queries.end_sessions_of(conn, found.id, now=now, but=but_session)
        await _log(conn, "admin:passkey-end", found.id, reference, now, actor, passkey=str(passkey_id), sessions=ended)


def is_narrower(roles: Sequence[str], than: Sequence[str]) -> bool:
    """Whether these roles let somebody do nothing they may not do already."""
    return set(roles) <= set(than)


def _listed(row: Mapping[str, Any]) -> ListedAdministrator:
    keys = tuple(
        ListedPasskey(
            UUID(key["id"]),
            key["name"],
            datetime.fromisoformat(key["created_at"]),
            None if key["last_used_at"] is None else datetime.fromisoformat(key["last_used_at"]),
        )
        for key in json.loads(row["passkeys"])
    )
    return ListedAdministrator(**{**dict(row), "roles": tuple(row["roles"]), "passkeys": keys})


async def _log(
    conn: Connection, action: str, id: UUID, reference: str, now: datetime, actor: str, **detail: object
) -> None:
    await log_act(
        conn,
        at=now,
        actor=actor,
        action=action,
        subject="administrator",
        subject_id=id,
        detail={"reference": reference, **detail},
    )

"""`/admin/v1/agencies/{code}/encryption-keys`: the keys that sections are sealed to. Administrators end them, and add none: they could read by it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import StringConstraints

from app.admin.dependencies import Admin, Administering
from app.admin.problems import NotRight, NotThere
from app.admin.wire import AgencyInPath
from app.foundation.database import Connection
from app.foundation.http import StrictRoute
from app.foundation.problems import answers
from auth.admin import sealing_keys
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from schemas.base import Flag, Moment, Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1/agencies/{code}/encryption-keys", tags=["agencies"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanStop = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
Kid = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$"), Path(description="The key's thumbprint (RFC 7638).")
]
Reason = Literal["replaced", "lost", "stolen"]


class EncryptionKey(Wire):
    """A key that sections can be, or could be, sealed to. Its private half is with the agency."""

    kid: str
    added_at: Moment
    added_by: str
    """The client that added it."""
    starts_at: Moment
    ends_at: Moment | None
    end_reason: Reason | None
    counts: Flag
    """Whether it can be sealed to now."""


class EncryptionKeyList(Wire):
    """An agency's encryption keys, the newest first, ended ones too."""

    items: list[EncryptionKey]


class EndKey(RequestBody):
    """Why a key ends, and of a stolen one since when it may have been another's."""

    reason: Reason
    compromised_since: Moment | None = None
    """With `stolen` only: what the same system has added for this agency since then ends too."""


class EndedKeys(EncryptionKeyList):
    """What ended, and the agency's keys as they are now."""

    ended: list[str]
    """The `kid` of each key that ended."""


@router.get("", response_model=EncryptionKeyList, responses=answers(NotThere))
async def list_agency_encryption_keys(code: AgencyInPath, who: CanRead, admin: Admin) -> EncryptionKeyList:
    """List the keys that sections are sealed to for an agency, the newest first, ended ones too."""
    async with admin.transaction() as conn:
        return EncryptionKeyList(items=await _keys(admin, conn, code))


@router.post("/{kid}/end", response_model=EndedKeys, responses=answers(NotThere, NotRight))
async def end_agency_encryption_key(
    code: AgencyInPath, kid: Kid, body: EndKey, who: CanStop, admin: Admin
) -> EndedKeys:
    """End a key at once and for good; the agency is told. Nobody seals to it any more.

    The agency lists what was sealed to it alone (`GET /v1/me/encryption-keys/{id}/sealed`) and has it sealed again.
    """
    async with admin.transaction() as conn:
        ended = await sealing_keys.end_sealing_key(
            conn,
            code,
            kid,
            reason=body.reason,
            compromised_since=body.compromised_since,
            now=admin.now,
            actor=who.reference,
        )
        return EndedKeys(items=await _keys(admin, conn, code), ended=ended)


async def _keys(admin: Administering, conn: Connection, code: str) -> list[EncryptionKey]:
    return [
        EncryptionKey(
            **{name: row[name] for name in ("kid", "added_at", "starts_at", "ends_at", "end_reason")},
            added_by=row["client_id"],
            counts=row["starts_at"] <= admin.now and (row["ends_at"] is None or admin.now < row["ends_at"]),
        )
        for row in await sealing_keys.list_sealing_keys(conn, code)
    ]

"""`/admin/v1/signing-keys`: the keys access tokens are signed by."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter

from app.admin.dependencies import Admin, Administering
from app.admin.problems import NotPossible
from app.foundation.http import StrictRoute
from app.foundation.problems import answers
from auth import keys
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired
from schemas.base import Moment, Wire

router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanRotate = Annotated[Person, requires_role(Role.operator, confirmed=True)]


class SigningKey(Wire):
    """A signing key. Its private half is never shown."""

    kid: str
    state: Literal["next", "active", "retiring", "retired"]
    created_at: Moment
    activated_at: Moment | None
    published_until: Moment | None


class SigningKeyList(Wire):
    """All signing keys there ever were, newest first."""

    items: list[SigningKey]


@router.get("", response_model=SigningKeyList)
async def list_signing_keys(who: CanRead, admin: Admin) -> SigningKeyList:
    """List the exchange's signing keys, newest first."""
    async with admin.transaction() as conn:
        found = await keys.list_keys(conn)
    return SigningKeyList(
        items=[SigningKey(**{name: each[name] for name in SigningKey.model_fields}) for each in found]
    )


@router.post("/rotate", response_model=SigningKeyList, responses=answers(NotPossible, ConfirmationRequired))
async def rotate_signing_key(who: CanRotate, admin: Admin) -> SigningKeyList:
    """Sign with the next key from now on. The one before it stays published until its last token has expired."""
    return await _rotate(who, admin, at_once=False)


@router.post("/rotate-at-once", response_model=SigningKeyList, responses=answers(ConfirmationRequired))
async def rotate_signing_key_at_once(who: CanRotate, admin: Admin) -> SigningKeyList:
    """Stop trusting the active key, because it may have leaked: every token it signed ends now."""
    return await _rotate(who, admin, at_once=True)


async def _rotate(who: Person, admin: Administering, *, at_once: bool) -> SigningKeyList:
    async with admin.transaction() as conn:
        await keys.rotate(conn, admin.keyring, admin.now, at_once=at_once, actor=who.reference)
    return await list_signing_keys(who, admin)

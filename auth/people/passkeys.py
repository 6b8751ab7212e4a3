"""Passkeys: discoverable WebAuthn credentials that verify their person (Web Authentication Level 3; by the library `webauthn`).

A ceremony begins with a challenge of ours, kept under a token that only the browser that asked has, and ends with the browser's answer.
The first half and the taking of the ceremony each are a transaction of their own, so that a challenge is of use once, whatever comes of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin.agencies import check_name
from auth.people import ceremonies, queries
from auth.people.ceremonies import Ceremony
from auth.queries import log_act

Kind = Literal["sign-in", "confirm", "enrol", "add-passkey"]
PATIENCE: Final = int(ceremonies.LASTS.total_seconds() * 1000)
"""Milliseconds the browser gives a person: as long as the challenge counts."""


class RefusedError(Exception):
    """A passkey was not accepted; `reason` is for the log, `reference` whose it is, if that is known."""

    def __init__(self, reason: str, *, admin_id: UUID | None = None, reference: str | None = None) -> None:
        self.reason = reason
        self.admin_id = admin_id
        self.reference = reference
        super().__init__(reason)


class CopiedError(RefusedError):
    """The passkey's counter went back: somebody has a copy of it (WebAuthn §6.1.1)."""

    def __init__(self, passkey_id: UUID, *, admin_id: UUID, reference: str) -> None:
        self.passkey_id = passkey_id
        super().__init__("copied", admin_id=admin_id, reference=reference)


@dataclass(frozen=True, slots=True)
class Site:
    """To whom passkeys belong (WebAuthn's relying party)."""

    origin: str

    @property
    def id(self) -> str:
        """The host of the origin."""
        host = urlsplit(self.origin).hostname
        assert host is not None, "settings know it is an origin"
        return host


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony that waits for the browser's answer."""

    token: str
    options: dict[str, Any]
    """For `navigator.credentials`, as JSON (WebAuthn §5.1.8)."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody has proved who they are."""

    admin_id: UUID
    reference: str


async def begin_proof(
    conn: Connection, kind: Kind, site: Site, *, now: datetime, admin_id: UUID | None = None
) -> Begun:
    """Begin a proof of who somebody is: of `admin_id`, or of whoever it will turn out to be."""
    challenge = secrets.token_bytes(32)
    known = [] if admin_id is None else await queries.credentials_of(conn, admin_id)
    options = generate_authentication_options(
        rp_id=site.id,
        challenge=challenge,
        timeout=PATIENCE,
        allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    token = await ceremonies.begin(conn, kind, {"challenge": bytes_to_base64url(challenge)}, now=now, admin_id=admin_id)
    return Begun(token, options_to_json_dict(options))


async def finish_proof(
    conn: Connection, ceremony: Ceremony, credential: Mapping[str, Any], site: Site, *, now: datetime
) -> Proven:
    """Return who has proved who they are. Raises `RefusedError`, after which the transaction must be undone."""
    answer = _read(parse_authentication_credential_json, credential)
    row = await queries.passkey(conn, answer.raw_id)
    if row is None:
        raise RefusedError("unknown")
    whose = {"admin_id": row["admin_id"], "reference": row["reference"]}
    try:
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(ceremony.data["challenge"]),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=row["public_key"],
            credential_current_sign_count=0,  # compared below, in the statement that stores it
            require_user_verification=True,
        )
    except Exception:
        # the library reads bytes of strangers: whatever it stumbles over, they prove nothing
        raise RefusedError("not_verified", **whose) from None
    handle = answer.response.user_handle
    if handle != row["admin_id"].bytes and (handle is not None or ceremony.admin_id is None):
        # where the passkey was asked for by its id, an authenticator may leave the handle out (WebAuthn §7.2)
        raise RefusedError("another_handle", **whose)
    if ceremony.admin_id not in (None, row["admin_id"]):
        raise RefusedError("another_person", **whose)
    if row["ended_at"] is not None:
        raise RefusedError("ended", **whose)
    if row["status"] != "active":
        raise RefusedError("suspended", **whose)
    if not await queries.use_passkey(conn, row["id"], sign_count=verified.new_sign_count, now=now):
        raise CopiedError(row["id"], **whose)
    return Proven(**whose)


async def note_refusal(conn: Connection, refused: RefusedError, *, doing: str, now: datetime) -> None:
    """Log a refusal of a known person's passkey; one that was copied ends, with the sessions of its person.

    What nobody's passkey was used for is not logged: strangers could fill the log.
    """
    if refused.reference is None:
        return
    async with conn.transaction():
        if isinstance(refused, CopiedError):
            assert refused.admin_id is not None
            await queries.end_passkey(conn, refused.passkey_id, admin_id=refused.admin_id, now=now)
            await queries.end_sessions_of(conn, refused.admin_id, now=now)
        await log_act(
            conn,
            at=now,
            actor=refused.reference,
            action="admin:passkey-copied" if isinstance(refused, CopiedError) else "admin:passkey-refused",
            subject="administrator",
            subject_id=refused.admin_id,
            detail={"reason": refused.reason, "doing": doing},
        )


async def begin_registration(
    conn: Connection,
    kind: Kind,
    site: Site,
    *,
    admin_id: UUID,
    reference: str,
    name: str,
    now: datetime,
    invitation: bytes | None = None,
) -> Begun:
    """Begin to make a passkey for somebody; `invitation` is the hash of the link that lets them."""
    challenge = secrets.token_bytes(32)
    options = generate_registration_options(
        rp_id=site.id,
        rp_name="Rujukan",
        user_id=admin_id.bytes,
        user_name=reference,
        user_display_name=name,
        challenge=challenge,
        timeout=PATIENCE,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=each) for each in await queries.credentials_of(conn, admin_id)
        ],
    )
    data = {
        "challenge": bytes_to_base64url(challenge),
        "invitation": None if invitation is None else invitation.hex(),
    }
    token = await ceremonies.begin(conn, kind, data, now=now, admin_id=admin_id)
    return Begun(token, options_to_json_dict(options))


async def finish_registration(
    conn: Connection,
    ceremony: Ceremony,
    credential: Mapping[str, Any],
    site: Site,
    *,
    name: str,
    reference: str,
    now: datetime,
) -> UUID:
    """Keep a new passkey under a name and return its id. Raises `RefusedError`, `InvalidValueError`."""
    check_name(name)
    assert ceremony.admin_id is not None, "it was begun for somebody"
    answer = _read(parse_registration_credential_json, credential)
    try:
        verified = verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(ceremony.data["challenge"]),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception:
        # as above
        raise RefusedError("not_verified", admin_id=ceremony.admin_id, reference=reference) from None
    id = uuid7(now)
    added = await queries.insert_passkey(
        conn,
        id=id,
        admin_id=ceremony.admin_id,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
        at=now,
    )
    if not added:
        raise RefusedError("known_already", admin_id=ceremony.admin_id, reference=reference)
    await log_act(
        conn,
        at=now,
        actor=reference,
        action="admin:passkey-add",
        subject="administrator",
        subject_id=ceremony.admin_id,
        detail={"reference": reference, "passkey": str(id), "by_link": ceremony.data["invitation"] is not None},
    )
    return id


def _read(parse: Any, credential: Mapping[str, Any]) -> Any:
    try:
        return parse(dict(credential))
    except Exception:
        raise RefusedError("not_readable") from None  # of a stranger's, as above

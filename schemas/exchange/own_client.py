"""What a client may do about its own keys."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section


class NewKey(RequestBody):
    """A public key the client adds for itself."""

    jwk: Annotated[dict[str, Any], Field(max_length=20)]
    """The public JWK (RFC 7517): P-256, Ed25519 or RSA from 2048 bits; with `x5c` if the client authenticates by its certificate. Never a
    private key. Without `kid`, its thumbprint (RFC 7638) is its `kid`."""
    ends_at: Moment | None = None
    """When it shall end by itself; None: when somebody ends it."""


class OwnKey(Wire):
    """A key of the client's own."""

    id: UUID
    """Events name it by this."""
    kid: str
    starts_at: Moment
    """From when on it works."""
    ends_at: Moment | None
    added_at: Moment
    added_by: Literal["admin", "client", "jwks_uri"]
    """An administrator, the client itself, or its `jwks_uri`."""
    counts: bool
    """Whether it works now."""


class OwnKeys(Wire):
    """The client's keys, the newest first; also those that have ended, as far as they are among the newest 100."""

    items: list[OwnKey]


class EndEncryptionKey(RequestBody):
    """Why an encryption key ends. What was sealed to it and is `lost` or `stolen` is asked for again: see the answer."""

    reason: Literal["replaced", "lost", "stolen"]


class OwnEncryptionKey(Wire):
    """A key of the agency's own that sections are sealed to."""

    id: UUID
    """Events name it by this."""
    kid: str
    """Its thumbprint (RFC 7638)."""
    starts_at: Moment
    ends_at: Moment | None
    end_reason: str | None
    """`replaced`, `lost`, `stolen`; None also where it was given an end when it was added."""
    added_at: Moment
    added_by: str
    """The agency's client that added it."""
    counts: bool
    """Whether sections can be sealed to it now."""


class OwnEncryptionKeys(Wire):
    """The agency's encryption keys, the newest first; also those that have ended, as far as they are among the newest 100."""

    items: list[OwnEncryptionKey]


class SealedOnlyTo(Wire):
    """An open referral or transfer with sections that one key alone opens."""

    subject: Literal["referral", "transfer"]
    id: UUID
    case_id: UUID
    reference: str
    sections: list[Section]
    requested: bool
    """Whether its sender has been asked to seal them again, and has not answered yet: `POST /v1/{subject}s/{id}/reseal-request`."""


class SealedToKey(Wire):
    """A key, and what only it opens."""

    key: OwnEncryptionKey
    items: list[SealedOnlyTo]

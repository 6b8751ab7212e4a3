"""What a client may do about its own keys."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody


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

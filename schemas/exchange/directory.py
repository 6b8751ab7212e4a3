"""The directory: who there is, and where services are given. Never the address of a confidential place."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import RequestBody
from schemas.text import Email, Line, Phone


class Agency(Wire):
    """An agency."""

    code: str
    name: str
    kind: AgencyKind
    region: str | None
    country: str
    parent: str | None
    """The agency it belongs to; this gives the parent no sight of its cases."""
    status: str
    residential: str | None
    accepts: dict[str, Any]
    """Whom it accepts: yes, no or unknown for each group."""
    capacity: int | None


class AgencyPage(Wire):
    """Agencies by code."""

    items: list[Agency]
    next: str | None


class ServicePoint(Wire):
    """A place where an agency gives services. Of a confidential one only that it exists, to the agency itself."""

    id: UUID
    name: str
    confidential: bool
    region: str | None
    address: str | None
    services: list[str]


class ServicePointPage(Wire):
    """The service points of one agency."""

    items: list[ServicePoint]


class DutyContact(Wire):
    """Whom to call at an agency, by function. There is no place for an address: a confidential house has none."""

    role: Annotated[Line, Field(max_length=100)]
    """A function such as "duty officer"; never a person's name."""
    phone: Phone
    email: Email | None = None
    hours: Annotated[Line, Field(max_length=100)] | None = None
    """When somebody answers, in words."""


class DutyContacts(RequestBody):
    """The duty contacts of one agency, the first to be called first."""

    items: Annotated[list[DutyContact], Field(max_length=10)]


class Me(Wire):
    """Who the caller is taken for."""

    client_id: str
    agency: Agency
    scopes: list[str]
    token_expires_at: Moment
    key_ends_at: Moment | None
    """When the client's last key ends; None: no end is set."""
    sandbox: bool
    """Whether the agency is a practice agency: everybody it deals with is one, and every person is invented."""
    server_time: Moment


class EncryptionKey(Wire):
    """A public key to which sections can be sealed (RFC 7517)."""

    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "X25519"]
    x: str
    y: str | None = None
    kid: str
    """Its thumbprint (RFC 7638)."""
    use: Literal["enc"]
    alg: Literal["ECDH-ES+A256KW"]


class EncryptionKeys(Wire):
    """An agency's keys that count now, as a JWK Set. Seal to the first; to all of them if its systems change keys."""

    keys: list[EncryptionKey]

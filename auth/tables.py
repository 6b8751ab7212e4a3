"""The tables of `auth.sql` as SQLModel classes: for `alembic check` and for administration, where nobody waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import CIDR, INET, JSONB
from sqlmodel import Field, SQLModel


def _time(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(TIMESTAMP(timezone=True), nullable=nullable))


def _text(*, nullable: bool = False, default: str | None = None) -> Any:
    return Field(
        sa_column=Column(Text, nullable=nullable, server_default=None if default is None else text(f"'{default}'"))
    )


class Agency(SQLModel, table=True):
    """Whoever can hold a case or sign in."""

    __tablename__: ClassVar[str] = "agency"
    __table_args__ = (
        UniqueConstraint("code", name="agency_code_key"),
        Index("agency_one_desk", "desk", unique=True, postgresql_where=text("desk")),
        Index("agency_one_reviewer", "reviewer", unique=True, postgresql_where=text("reviewer")),
    )

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    code: str = _text()
    name: str = _text()
    kind: str = _text()
    region: str | None = _text(nullable=True)
    country: str = _text(default="ID")
    parent_id: UUID | None = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="agency_parent_id_fkey"), nullable=True)
    )
    residential: str | None = _text(nullable=True)
    accepts: dict[str, Any] | None = Field(sa_column=Column(JSONB, nullable=True))
    capacity: int | None = Field(sa_column=Column(Integer, nullable=True))
    status: str = _text(default="active")
    tokens_not_before: datetime | None = _time(nullable=True)
    note: str | None = _text(nullable=True)
    desk: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    reviewer: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    sandbox: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    created_at: datetime = _time()


class Agreement(SQLModel, table=True):
    """What agencies have agreed: who records for whom, whose deadlines are other ones, who may send whom what."""

    __tablename__: ClassVar[str] = "agreement"
    __table_args__ = (
        CheckConstraint(
            "(kind <> 'times') = (other_id IS NOT NULL) AND other_id IS DISTINCT FROM agency_id",
            name="agreement_with_another",
        ),
        Index("agreement_agency_id_idx", "agency_id"),
    )

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    kind: str = _text()
    agency_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="agreement_agency_id_fkey"), nullable=False)
    )
    other_id: UUID | None = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="agreement_other_id_fkey"), nullable=True)
    )
    times: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    purposes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))
    sections: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))
    basis: str | None = _text(nullable=True)
    both_ways: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    reference: str = _text()
    from_at: datetime = _time()
    until_at: datetime | None = _time(nullable=True)


class ServicePoint(SQLModel, table=True):
    """An address inside one agency where services are given; a confidential one has none here."""

    __tablename__: ClassVar[str] = "service_point"
    __table_args__ = (
        CheckConstraint("NOT confidential OR address IS NULL", name="service_point_confidential_has_no_address"),
        Index("service_point_agency_id_idx", "agency_id"),
    )

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    agency_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="service_point_agency_id_fkey"), nullable=False)
    )
    name: str = _text()
    confidential: bool = Field(sa_column=Column(Boolean, nullable=False))
    region: str | None = _text(nullable=True)
    address: str | None = _text(nullable=True)
    services: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))
    created_at: datetime = _time()


class Client(SQLModel, table=True):
    """An OAuth client: one system, acting for one or several agencies."""

    __tablename__: ClassVar[str] = "client"
    __table_args__ = (
        UniqueConstraint("id", name="client_id_key"),
        UniqueConstraint("registration_hash", name="client_registration_hash_key"),
    )

    client_id: str = Field(sa_column=Column(Text, primary_key=True))
    id: UUID = Field(sa_column=Column(Uuid, nullable=False, server_default=text("uuidv7()")))
    name: str = _text()
    status: str = _text(default="active")
    status_before: str | None = _text(nullable=True)
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    auth_method: str = _text(default="private_key_jwt")
    certificate_bound: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    tls_name_kind: str | None = _text(nullable=True)
    tls_name: str | None = _text(nullable=True)
    jwks_uri: str | None = _text(nullable=True)
    networks: list[str] = Field(sa_column=Column(ARRAY(CIDR), nullable=False, server_default=text("'{}'")))
    emergency_until: datetime | None = _time(nullable=True)
    tokens_not_before: datetime | None = _time(nullable=True)
    registration_hash: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    registered_by: UUID | None = Field(
        sa_column=Column(Uuid, ForeignKey("initial_access_token.id", name="client_registered_by_fkey"), nullable=True)
    )
    created_at: datetime = _time()
    last_used_at: datetime | None = _time(nullable=True)
    last_used_from: str | None = Field(sa_column=Column(INET, nullable=True))
    software_id: str | None = _text(nullable=True)
    software_version: str | None = _text(nullable=True)
    jwks_uri_named_at: datetime | None = _time(nullable=True)


class ClientAgency(SQLModel, table=True):
    """That a client may act for an agency."""

    __tablename__: ClassVar[str] = "client_agency"
    __table_args__ = (PrimaryKeyConstraint("client_id", "agency_id", name="client_agency_pkey"),)

    client_id: str = Field(
        sa_column=Column(Text, ForeignKey("client.client_id", name="client_agency_client_id_fkey"), nullable=False)
    )
    agency_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="client_agency_agency_id_fkey"), nullable=False)
    )


class ClientKey(SQLModel, table=True):
    """A client's public key and when it counts; keys may overlap."""

    __tablename__: ClassVar[str] = "client_key"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "kid", name="client_key_pkey"),
        UniqueConstraint("id", name="client_key_id_key"),
    )

    client_id: str = Field(
        sa_column=Column(Text, ForeignKey("client.client_id", name="client_key_client_id_fkey"), nullable=False)
    )
    kid: str = _text()
    jwk: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    starts_at: datetime = _time()
    ends_at: datetime | None = _time(nullable=True)
    id: UUID = Field(sa_column=Column(Uuid, nullable=False, server_default=text("uuidv7()")))
    added_at: datetime = _time()
    added_by: str = _text()
    reminded_at: datetime | None = _time(nullable=True)
    unpublished_at: datetime | None = _time(nullable=True)


class SigningKey(SQLModel, table=True):
    """A key of the exchange's own, by which access tokens are signed."""

    __tablename__: ClassVar[str] = "signing_key"
    __table_args__ = (
        UniqueConstraint("kid", name="signing_key_kid_key"),
        Index(
            "signing_key_one_next_one_active",
            "state",
            unique=True,
            postgresql_where=text("state IN ('next', 'active')"),
        ),
    )

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    kid: str = _text()
    state: str = _text()
    jwk: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    private_sealed: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    created_at: datetime = _time()
    activated_at: datetime | None = _time(nullable=True)
    published_until: datetime | None = _time(nullable=True)


class AssertionJti(SQLModel, table=True):
    """A client assertion that was used (RFC 7523 §3)."""

    __tablename__: ClassVar[str] = "assertion_jti"
    __table_args__ = (Index("assertion_jti_expires_at_idx", "expires_at"),)

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires_at: datetime = _time()


class ProofJti(SQLModel, table=True):
    """A DPoP proof that was used (RFC 9449 §11.1)."""

    __tablename__: ClassVar[str] = "proof_jti"
    __table_args__ = (Index("proof_jti_expires_at_idx", "expires_at"), {"prefixes": ["UNLOGGED"]})

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires_at: datetime = _time()


class ProofMemory(SQLModel, table=True):
    """From when on `proof_jti` is complete; missing after a crash emptied both."""

    __tablename__: ClassVar[str] = "proof_memory"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    id: bool = Field(sa_column=Column(Boolean, primary_key=True, server_default=text("true")))
    complete_from: datetime = _time()


class RevokedToken(SQLModel, table=True):
    """An access token that is refused before it expires."""

    __tablename__: ClassVar[str] = "revoked_token"

    jti: str = Field(sa_column=Column(Text, primary_key=True))
    expires_at: datetime = _time()
    revoked_at: datetime = _time()


class Epoch(SQLModel, table=True):
    """Moves with every change that the processes' memories must follow."""

    __tablename__: ClassVar[str] = "epoch"

    id: bool = Field(sa_column=Column(Boolean, primary_key=True, server_default=text("true")))
    value: int = Field(sa_column=Column(BigInteger, nullable=False))
    revocations: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))


class InitialAccessToken(SQLModel, table=True):
    """What an agency's system registers itself with (RFC 7591 §3); only its hash is kept."""

    __tablename__: ClassVar[str] = "initial_access_token"
    __table_args__ = (UniqueConstraint("token_hash", name="initial_access_token_token_hash_key"),)

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    agency_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("agency.id", name="initial_access_token_agency_id_fkey"), nullable=False)
    )
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    uses_left: int = Field(sa_column=Column(Integer, nullable=False))
    created_by: str = _text()
    created_at: datetime = _time()
    expires_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)


class ClientJwks(SQLModel, table=True):
    """How asking a client's `jwks_uri` went last."""

    __tablename__: ClassVar[str] = "client_jwks"

    client_id: str = Field(
        sa_column=Column(Text, ForeignKey("client.client_id", name="client_jwks_client_id_fkey"), primary_key=True)
    )
    tried_at: datetime = _time()
    fetched_at: datetime | None = _time(nullable=True)
    fault: str | None = _text(nullable=True)
    good_until: datetime | None = _time(nullable=True)
    new_keys_wait: timedelta = Field(sa_column=Column(Interval, nullable=False, server_default=text("'00:00:00'")))


class RateBucket(SQLModel, table=True):
    """What is left of a limit that all processes share."""

    __tablename__: ClassVar[str] = "rate_bucket"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: str = Field(sa_column=Column(Text, primary_key=True))
    tokens: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: datetime = _time()
    full_at: datetime = _time()


class ClientRefusal(SQLModel, table=True):
    """How often a client was refused in an hour, and why."""

    __tablename__: ClassVar[str] = "client_refusal"
    __table_args__ = (PrimaryKeyConstraint("client_id", "hour", "reason", name="client_refusal_pkey"),)

    client_id: str = Field(
        sa_column=Column(Text, ForeignKey("client.client_id", name="client_refusal_client_id_fkey"), nullable=False)
    )
    hour: datetime = _time()
    reason: str = _text()
    count: int = Field(sa_column=Column(BigInteger, nullable=False))

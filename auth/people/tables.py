"""The tables of `people.sql` and `approvals.sql` as SQLModel classes, for `alembic check`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlmodel import BigInteger, Column, Field, SQLModel, Uuid

from app.foundation.columns import Bytes, Json, TextArray, Timestamp


def _of(table: str, name: str, *, nullable: bool = False) -> Any:
    key = ForeignKey(f"{table}.id", name=name)
    return Field(sa_column=Column(Uuid, key, nullable=nullable))


class Administrator(SQLModel, table=True):
    """A person who administers."""

    __tablename__: ClassVar[str] = "administrator"
    __table_args__ = (
        UniqueConstraint("reference", name="administrator_reference_key"),
        UniqueConstraint("oidc_issuer", "oidc_subject", name="administrator_oidc_key"),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    roles: list[str] = Field(sa_type=TextArray)
    status: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'active'")))
    oidc_issuer: str | None = Field(default=None, sa_type=Text)
    oidc_subject: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Timestamp)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential of an administrator."""

    __tablename__: ClassVar[str] = "passkey"
    __table_args__ = (
        UniqueConstraint("credential_id", name="passkey_credential_id_key"),
        Index("passkey_admin_id_idx", "admin_id"),
    )

    id: UUID = Field(primary_key=True)
    admin_id: UUID = _of("administrator", "passkey_admin_id_fkey")
    credential_id: bytes = Field(sa_type=Bytes)
    public_key: bytes = Field(sa_type=Bytes)
    sign_count: int = Field(sa_type=BigInteger)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Timestamp)
    last_used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Invitation(SQLModel, table=True):
    """A one-time link; only its hash is kept."""

    __tablename__: ClassVar[str] = "invitation"

    token_hash: bytes = Field(primary_key=True, sa_type=Bytes)
    admin_id: UUID = _of("administrator", "invitation_admin_id_fkey")
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    code_hash: bytes | None = Field(default=None, sa_type=Bytes)


class AdminSession(SQLModel, table=True):
    """A session of an administrator; of its token only the hash is kept."""

    __tablename__: ClassVar[str] = "admin_session"
    __table_args__ = (
        UniqueConstraint("token_hash", name="admin_session_token_hash_key"),
        Index("admin_session_admin_id_idx", "admin_id"),
    )

    id: UUID = Field(primary_key=True)
    token_hash: bytes = Field(sa_type=Bytes)
    admin_id: UUID = _of("administrator", "admin_session_admin_id_fkey")
    method: str = Field(sa_type=Text)
    address: str | None = Field(default=None, sa_type=INET)
    user_agent: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Timestamp)
    confirmed_at: datetime = Field(sa_type=Timestamp)
    seen_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Ceremony(SQLModel, table=True):
    """What a sign-in began with, used once."""

    __tablename__: ClassVar[str] = "ceremony"
    __table_args__ = (Index("ceremony_expires_at_idx", "expires_at"),)

    token_hash: bytes = Field(primary_key=True, sa_type=Bytes)
    kind: str = Field(sa_type=Text)
    admin_id: UUID | None = _of("administrator", "ceremony_admin_id_fkey", nullable=True)
    data: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)


class Approval(SQLModel, table=True):
    """Something that opens access, and waits for people's yes."""

    __tablename__: ClassVar[str] = "approval"
    __table_args__ = (
        Index("approval_one_waiting", "act", "subject", unique=True, postgresql_where=text("state = 'waiting'")),
    )

    id: UUID = Field(primary_key=True)
    act: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    detail: dict[str, Any] = Field(sa_type=Json)
    asked_by: str = Field(sa_type=Text)
    asked_through: str | None = Field(default=None, sa_type=Text)
    asked_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    state: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'waiting'")))
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    reason: str | None = Field(default=None, sa_type=Text)


class ApprovalYes(SQLModel, table=True):
    """That somebody has said yes."""

    __tablename__: ClassVar[str] = "approval_yes"
    __table_args__ = (
        PrimaryKeyConstraint("approval_id", "actor", name="approval_yes_pkey"),
        Index("approval_yes_once", "approval_id", "admin_id", unique=True),
    )

    approval_id: UUID = _of("approval", "approval_yes_approval_id_fkey")
    actor: str = Field(sa_type=Text)
    admin_id: UUID | None = _of("administrator", "approval_yes_admin_id_fkey", nullable=True)
    said_at: datetime = Field(sa_type=Timestamp)

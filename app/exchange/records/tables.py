"""Tables of the record and of what is disclosed of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.foundation.columns import ByteaArray, Bytes, TextArray, Timestamp


class RecordVersion(SQLModel, table=True):
    """A snapshot of the record: which sections it has, and the sealed preview."""

    __tablename__ = "record_version"
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        Index("record_version_retracted", "retracted_at", postgresql_where=text("retracted_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    number: int
    author_id: UUID = Field(foreign_key="agency.id")
    schema_version: str = Field(sa_type=Text)
    sections: list[str] = Field(sa_type=TextArray)
    needs_hash: bytes = Field(sa_type=Bytes)
    preview: bytes | None = Field(default=None, sa_type=Bytes)
    recorded_at: datetime = Field(sa_type=Timestamp)
    retracted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    erased_sections: list[str] = Field(sa_column=Column(TextArray, nullable=False, server_default=text("'{}'")))


class RecordContent(SQLModel, table=True):
    """The sections of a version, each sealed under the version's own key."""

    __tablename__ = "record_content"

    version_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(primary_key=True)
    author_id: UUID
    wrapped_key: bytes = Field(sa_type=Bytes)
    parts: list[bytes] = Field(sa_type=ByteaArray)
    retracted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DisclosureRow(SQLModel, table=True):
    """Which sections of a version go to whom, on what basis."""

    __tablename__ = "disclosure"
    __table_args__ = (
        Index("disclosure_subject", "subject_id"),
        Index("disclosure_version", "version_id", "receiver_id"),
        Index("disclosure_consent", "consent_id", postgresql_where=text("consent_id IS NOT NULL")),
        Index("disclosure_request", "request_id", postgresql_where=text("request_id IS NOT NULL")),
        Index("disclosure_origin", "origin_id", postgresql_where=text("origin_id IS NOT NULL")),
        Index("disclosure_holder", "case_id", "receiver_id", postgresql_where=text("onward")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    version_id: UUID | None = Field(default=None)
    move_id: UUID | None = Field(default=None)
    sender_id: UUID
    receiver_id: UUID
    basis: str = Field(sa_type=Text)
    consent_id: UUID | None = Field(default=None)
    legal_basis: str | None = Field(default=None, sa_type=Text)
    article: str | None = Field(default=None, sa_type=Text)
    reason: bytes | None = Field(default=None, sa_type=Bytes)
    sections: list[str] = Field(sa_type=TextArray)
    until_at: datetime | None = Field(default=None, sa_type=Timestamp)
    onward: bool
    recorded_at: datetime = Field(sa_type=Timestamp)
    opened_at: datetime | None = Field(default=None, sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    locked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    lock_reason: str | None = Field(default=None, sa_type=Text)
    request_id: UUID | None = Field(default=None)
    origin_id: UUID | None = Field(default=None)
    review_by: datetime | None = Field(default=None, sa_type=Timestamp)


class SealingKey(SQLModel, table=True):
    """An agency's public key that sections are sealed to; the private half never comes here."""

    __tablename__ = "sealing_key"
    __table_args__ = (
        UniqueConstraint("agency_id", "kid"),
        Index("sealing_key_kid", "kid"),
        Index("sealing_key_client", "client_id", "added_at"),
    )

    id: UUID = Field(primary_key=True, sa_column_kwargs={"server_default": text("uuidv7()")})
    agency_id: UUID = Field(foreign_key="agency.id")
    kid: str = Field(sa_type=Text)
    jwk: dict[str, Any] = Field(sa_type=JSONB)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime | None = Field(default=None, sa_type=Timestamp)
    end_reason: str | None = Field(default=None, sa_type=Text)
    added_at: datetime = Field(sa_type=Timestamp)
    client_id: str = Field(sa_type=Text, foreign_key="client.client_id")


class SealedRecipient(SQLModel, table=True):
    """To whose key a sealed section of a version is encrypted."""

    __tablename__ = "sealed_recipient"
    __table_args__ = (Index("sealed_recipient_key", "key_id"),)

    case_id: UUID = Field(primary_key=True)
    version_id: UUID = Field(primary_key=True)
    section: str = Field(sa_type=Text, primary_key=True)
    key_id: UUID = Field(foreign_key="sealing_key.id", primary_key=True)
    agency_id: UUID
    author_id: UUID

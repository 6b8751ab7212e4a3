"""Tables of files."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Timestamp


class AttachmentRow(SQLModel, table=True):
    """A file as it stands: never its content."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index("attachment_agency", "agency_id", "id"),
        Index("attachment_expiry", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("attachment_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    client_id: str = Field(sa_type=Text, foreign_key="client.client_id")
    section: str = Field(sa_type=Text)
    state: str = Field(default="uploading", sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    media_type: str | None = Field(default=None, sa_type=Text)
    size: int = Field(default=0, sa_type=BigInteger)
    chunks: int = 0
    store: str = Field(sa_type=Text)
    wrapped_key: bytes | None = Field(default=None, sa_type=Bytes)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(sa_type=Timestamp)
    touched_at: datetime = Field(sa_type=Timestamp)
    completed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)
    stored: bool = True
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)


class AttachmentChunkRow(SQLModel, table=True):
    """An encrypted piece of a file."""

    __tablename__ = "attachment_chunk"

    attachment_id: UUID = Field(foreign_key="attachment.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True)
    data: bytes = Field(sa_type=Bytes)


class RecordAttachmentRow(SQLModel, table=True):
    """A file of a version of a record, and the section whose disclosure it follows there."""

    __tablename__ = "record_attachment"
    __table_args__ = (
        ForeignKeyConstraint(["version_id", "case_id"], ["record_version.id", "record_version.case_id"]),
        Index("record_attachment_file", "attachment_id"),
    )

    version_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(primary_key=True)
    attachment_id: UUID = Field(foreign_key="attachment.id", primary_key=True)
    section: str = Field(sa_type=Text)


class ConsentAttachmentRow(SQLModel, table=True):
    """A file that proves an act of consent: the consent itself, or its reconfirmation."""

    __tablename__ = "consent_attachment"
    __table_args__ = (
        ForeignKeyConstraint(["consent_id", "case_id"], ["consent.id", "consent.case_id"]),
        Index("consent_attachment_file", "attachment_id"),
    )

    case_id: UUID = Field(primary_key=True)
    consent_id: UUID
    act_id: UUID = Field(primary_key=True)
    attachment_id: UUID = Field(foreign_key="attachment.id")

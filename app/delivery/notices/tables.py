"""Tables of notices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Timestamp


class NoticeAddressRow(SQLModel, table=True):
    """Where an agency wants to be told."""

    __tablename__ = "notice_address"

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    email: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    position: int = Field(sa_type=BigInteger)
    set_at: datetime = Field(sa_type=Timestamp)
    refused_at: datetime | None = Field(default=None, sa_type=Timestamp)


class NoticeMailRow(SQLModel, table=True):
    """A mail, and what came of it."""

    __tablename__ = "notice_mail"
    __table_args__ = (
        Index("notice_mail_due", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("notice_mail_agency", "agency_id", "id"),
        Index("notice_mail_parked", "id", postgresql_where=text("state = 'parked'")),
    )

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    state: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Timestamp)
    due_at: datetime = Field(sa_type=Timestamp)
    attempts: int
    first_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    fault: str | None = Field(default=None, sa_type=Text)
    status: int | None = Field(default=None)


class NoticeRow(SQLModel, table=True):
    """An event that an agency is told of, and by which mail."""

    __tablename__ = "notice"
    __table_args__ = (Index("notice_of_mail", "mail_id"),)

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    event_id: UUID = Field(primary_key=True)
    mail_id: UUID = Field(foreign_key="notice_mail.id", ondelete="CASCADE")
    type: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    case_id: UUID | None = Field(default=None)

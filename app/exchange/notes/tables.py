"""Tables of notes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Timestamp


class NoteRow(SQLModel, table=True):
    """A note: the move has its text, this its kind and its place."""

    __tablename__ = "note"
    __table_args__ = (UniqueConstraint("subject_id", "number", "case_id"),)

    move_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    number: int
    author_id: UUID = Field(foreign_key="agency.id")
    kind: str = Field(sa_type=Text)
    in_reply_to: UUID | None = Field(default=None)
    for_other: bool


class NoteSeenRow(SQLModel, table=True):
    """How far an agency has read the notes of a referral or transfer."""

    __tablename__ = "note_seen"
    __table_args__ = (
        Index("note_seen_subject", "subject_id"),
        Index("note_seen_unread", "agency_id", "unread_since", "subject_id", postgresql_where=text("unread > 0")),
    )

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    subject: str = Field(sa_type=Text)
    subject_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    through: int
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    unread: int
    unread_since: datetime | None = Field(default=None, sa_type=Timestamp)

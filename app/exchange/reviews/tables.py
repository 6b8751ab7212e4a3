"""The review table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class ReviewRow(SQLModel, table=True):
    """A disclosure without consent, until somebody has judged it; the written ground is sealed."""

    __tablename__ = "review"
    __table_args__ = (
        Index("review_id", "id", postgresql_using="hash"),
        Index("review_queue", "due_at", "id", postgresql_where=text("NOT practice")),
        Index("review_sender", "sender_id", "due_at", "id"),
        Index("review_receiver", "receiver_id", "due_at", "id"),
        Index("review_disclosure", "disclosure_id", postgresql_where=text("disclosure_id IS NOT NULL")),
        Index("review_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    basis: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    disclosure_id: UUID | None = Field(default=None)
    sender_id: UUID | None = Field(default=None, foreign_key="agency.id")
    receiver_id: UUID = Field(foreign_key="agency.id")
    sections: list[str] = Field(sa_type=TextArray)
    legal_basis: str | None = Field(default=None, sa_type=Text)
    article: str | None = Field(default=None, sa_type=Text)
    practice: bool
    opened_at: datetime = Field(sa_type=Timestamp)
    due_at: datetime = Field(sa_type=Timestamp)
    look_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    disclosed_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    disclosed_actor: str | None = Field(default=None, sa_type=Text)
    log_entry: UUID | None = Field(default=None)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    decided_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    decided_actor: str | None = Field(default=None, sa_type=Text)
    ground: bytes | None = Field(default=None, sa_type=Bytes)
    despite_restriction: list[str] = Field(sa_type=TextArray)

"""The request table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class RequestRow(SQLModel, table=True):
    """Something an agency is asked about data, and its answer; what is said on either side is sealed."""

    __tablename__ = "request"
    __table_args__ = (
        Index("request_id", "id", postgresql_using="hash"),
        Index("request_to", "to_id", "id"),
        Index("request_from", "from_id", "id"),
        Index("request_turn", "to_id", "due_at", "id", postgresql_where=text("state = 'open'")),
        Index("request_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    kind: str = Field(sa_type=Text)
    cause: str = Field(sa_type=Text)
    from_id: UUID = Field(foreign_key="agency.id")
    to_id: UUID = Field(foreign_key="agency.id")
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    version_id: UUID | None = Field(default=None)
    sections: list[str] = Field(sa_type=TextArray)
    requested_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    due_at: datetime = Field(sa_type=Timestamp)
    look_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    clock_step: int
    state: str = Field(sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answered_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    legal_basis: str | None = Field(default=None, sa_type=Text)
    article: str | None = Field(default=None, sa_type=Text)
    correction_id: UUID | None = Field(default=None)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    answer_detail: bytes | None = Field(default=None, sa_type=Bytes)

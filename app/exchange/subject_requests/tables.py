"""The subject request table."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class SubjectRequestRow(SQLModel, table=True):
    """What a person asks about their data, and the answer; what is said on either side is sealed."""

    __tablename__ = "subject_request"
    __table_args__ = (
        Index("subject_request_id", "id", postgresql_using="hash"),
        Index("subject_request_author", "author_id", "id"),
        Index("subject_request_waiting", "due_at", "id", postgresql_where=text("state = 'open'")),
        Index("subject_request_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
        Index(
            "subject_request_to_erase",
            "answered_at",
            postgresql_where=text("kind = 'erase' AND answer <> 'refused' AND erased_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    kind: str = Field(sa_type=Text)
    requester: str = Field(sa_type=Text)
    identity_check: str = Field(sa_type=Text)
    identity_checked_by: str = Field(sa_type=Text)
    author_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    sections: list[str] = Field(sa_type=TextArray)
    received_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    due_at: datetime = Field(sa_type=Timestamp)
    look_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    clock_step: int
    state: str = Field(sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    answered_sections: list[str] | None = Field(default=None, sa_type=TextArray)
    refusal_ground: str | None = Field(default=None, sa_type=Text)
    correction_id: UUID | None = Field(default=None)
    delivery: str | None = Field(default=None, sa_type=Text)
    delivered_on: date | None = Field(default=None)
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answered_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    erased_at: datetime | None = Field(default=None, sa_type=Timestamp)
    lifted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    lifted_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    lift_ground: str | None = Field(default=None, sa_type=Text)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    answer_detail: bytes | None = Field(default=None, sa_type=Bytes)
    lift_detail: bytes | None = Field(default=None, sa_type=Bytes)

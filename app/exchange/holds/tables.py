"""Tables of legal holds."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class LegalHold(SQLModel, table=True):
    """What an authority orders to be kept of a case."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        Index("legal_hold_id", "id", postgresql_using="hash"),
        Index("legal_hold_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    placed_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    authority: str = Field(sa_type=Text)
    dated_on: date
    sections: list[str] = Field(sa_type=TextArray)
    until_on: date | None = Field(default=None)
    review_at: datetime = Field(sa_type=Timestamp)
    placed_at: datetime = Field(sa_type=Timestamp)
    look_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    end_detail: bytes | None = Field(default=None, sa_type=Bytes)


class LegalHoldReview(SQLModel, table=True):
    """A review after which the hold stays."""

    __tablename__ = "legal_hold_review"
    __table_args__ = (
        ForeignKeyConstraint(["case_id", "hold_id"], ["legal_hold.case_id", "legal_hold.id"]),
        Index("legal_hold_review_hold", "hold_id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(primary_key=True)
    hold_id: UUID
    actor: str | None = Field(default=None, sa_type=Text)
    recorded_at: datetime = Field(sa_type=Timestamp)
    review_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)

"""Tables of emergency access."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class EmergencyAccessRow(SQLModel, table=True):
    """What an agency reads for a few hours because life is at stake; the written reason is sealed."""

    __tablename__ = "emergency_access"
    __table_args__ = (
        Index("emergency_access_id", "id", postgresql_using="hash"),
        Index(
            "emergency_access_one_open", "case_id", "agency_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
        Index("emergency_access_until", "until_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    actor: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    sections: list[str] = Field(sa_type=TextArray)
    by_reference: bool
    practice: bool
    started_at: datetime = Field(sa_type=Timestamp)
    until_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    end_reason: str | None = Field(default=None, sa_type=Text)
    detail: bytes | None = Field(default=None, sa_type=Bytes)


class EmergencyKnock(SQLModel, table=True):
    """That an agency asked by a reference, right or wrong."""

    __tablename__ = "emergency_knock"

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    at: datetime = Field(sa_type=Timestamp, primary_key=True)

"""Tables of escalations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Timestamp

_OPEN = "closed_at IS NULL"


class EscalationRow(SQLModel, table=True):
    """A deadline that passed."""

    __tablename__ = "escalation"
    __table_args__ = (
        Index("escalation_one_open", "case_id", "subject_id", unique=True, postgresql_where=text(_OPEN)),
        Index("escalation_id", "id", postgresql_using="hash"),
        Index("escalation_subject", "subject_id", postgresql_where=text(_OPEN)),
        Index(
            "escalation_taken",
            "taken_by_id",
            postgresql_where=text("taken_by_id IS NOT NULL AND closed_at IS NULL"),
        ),
        Index("escalation_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    id: UUID = Field(primary_key=True)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    reference: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    urgency: str = Field(sa_type=Text)
    deadline_at: datetime = Field(sa_type=Timestamp)
    opened_at: datetime = Field(sa_type=Timestamp)
    rung: int
    next_at: datetime | None = Field(default=None, sa_type=Timestamp)
    taken_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    taken_at: datetime | None = Field(default=None, sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    close_reason: str | None = Field(default=None, sa_type=Text)


class EscalationAskedRow(SQLModel, table=True):
    """An agency that was asked, and when it stopped waiting for it."""

    __tablename__ = "escalation_asked"
    __table_args__ = (
        ForeignKeyConstraint(["case_id", "escalation_id"], ["escalation.case_id", "escalation.id"]),
        Index("escalation_asked_agency", "agency_id", "escalation_id"),
        Index("escalation_asked_waiting", "agency_id", "asked_at", "escalation_id", postgresql_where=text(_OPEN)),
    )

    case_id: UUID = Field(primary_key=True)
    escalation_id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    role: str = Field(sa_type=Text)
    asked_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)

"""Tables of incidents."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class IncidentRow(SQLModel, table=True):
    """Something that went wrong with personal data, and who was told; the words are sealed."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("incident_author", "author_id", "id"),
        Index("incident_responsible", "responsible_id", "id"),
        Index("incident_waiting", "responsible_id", "due_at", "id", postgresql_where=text("state = 'open'")),
        Index("incident_look", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    author_id: UUID = Field(foreign_key="agency.id")
    responsible_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)
    subject_id: UUID | None = Field(default=None)
    happened_at: datetime | None = Field(default=None, sa_type=Timestamp)
    noticed_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    data_classes: list[str] = Field(sa_type=TextArray)
    persons: int | None = Field(default=None)
    due_at: datetime = Field(sa_type=Timestamp)
    look_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    clock_step: int
    state: str = Field(sa_type=Text)
    subject_told_at: datetime | None = Field(default=None, sa_type=Timestamp)
    authority_told_at: datetime | None = Field(default=None, sa_type=Timestamp)
    no_notice_reason: str | None = Field(default=None, sa_type=Text)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    closed_by_id: UUID | None = Field(default=None, foreign_key="agency.id")
    detail: bytes = Field(sa_type=Bytes)
    close_detail: bytes | None = Field(default=None, sa_type=Bytes)


class IncidentCase(SQLModel, table=True):
    """A case an incident names."""

    __tablename__ = "incident_case"
    __table_args__ = (Index("incident_case_incident", "incident_id"),)

    incident_id: UUID = Field(foreign_key="incident.id", primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)


class IncidentEntry(SQLModel, table=True):
    """What was added to an incident later."""

    __tablename__ = "incident_entry"

    id: UUID = Field(primary_key=True)
    incident_id: UUID = Field(foreign_key="incident.id", primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes = Field(sa_type=Bytes)

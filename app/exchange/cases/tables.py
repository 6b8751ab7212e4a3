"""Tables of a case."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class CaseFile(SQLModel, table=True):
    """A case: who leads it now, in what state."""

    __tablename__ = "case_file"
    __table_args__ = (
        Index("case_file_lead", "lead_id", "id"),
        Index("case_file_closed", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(unique=True, sa_type=Text)
    lead_id: UUID = Field(foreign_key="agency.id")
    state: str = Field(sa_type=Text)
    version: int
    records: int
    entry_channel: str = Field(sa_type=Text)
    opened_by_id: UUID = Field(foreign_key="agency.id")
    opened_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    deceased_at: datetime | None = Field(default=None, sa_type=Timestamp)
    idle_told_at: datetime | None = Field(default=None, sa_type=Timestamp)
    guardian_barred_at: datetime | None = Field(default=None, sa_type=Timestamp)


class CaseLead(SQLModel, table=True):
    """A time during which one agency led the case."""

    __tablename__ = "case_lead"
    __table_args__ = (
        Index("case_lead_one", "case_id", unique=True, postgresql_where=text("until_at IS NULL")),
        Index("case_lead_agency", "agency_id", "case_id"),
    )

    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    from_at: datetime = Field(primary_key=True, sa_type=Timestamp)
    until_at: datetime | None = Field(default=None, sa_type=Timestamp)
    transfer_id: UUID | None = Field(default=None)


class MoveRow(SQLModel, table=True):
    """Everything that happened to a case, referral or transfer."""

    __tablename__ = "move"
    __table_args__ = (Index("move_subject", "subject_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    event: str = Field(sa_type=Text)
    from_state: str | None = Field(default=None, sa_type=Text)
    to_state: str = Field(sa_type=Text)
    version: int
    sender_id: UUID | None = Field(default=None)
    receiver_id: UUID | None = Field(default=None)
    agency_id: UUID | None = Field(default=None)
    recorded_by_id: UUID | None = Field(default=None)
    actor: str | None = Field(default=None, sa_type=Text)
    channel: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    section: str | None = Field(default=None, sa_type=Text)
    disputed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    disputed_ground: str | None = Field(default=None, sa_type=Text)
    disputed_clients: list[str] = Field(sa_type=TextArray)
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    confirmed_client: str | None = Field(default=None, sa_type=Text)


class VictimStatusRow(SQLModel, table=True):
    """A decision about the person's status as a victim, sealed as a whole."""

    __tablename__ = "victim_status"

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)

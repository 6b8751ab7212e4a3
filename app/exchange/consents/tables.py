"""Tables of consents and of their withdrawal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class ConsentRow(SQLModel, table=True):
    """A consent; what was said besides its codes is sealed in `detail`."""

    __tablename__ = "consent"
    __table_args__ = (Index("consent_case", "case_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    author_id: UUID = Field(foreign_key="agency.id")
    giver: str = Field(sa_type=Text)
    method: str = Field(sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    given_at: datetime = Field(sa_type=Timestamp)
    until_at: datetime | None = Field(default=None, sa_type=Timestamp)
    sections: list[str] = Field(sa_type=TextArray)
    agencies: list[str] = Field(sa_type=TextArray)
    agency_kinds: list[str] = Field(sa_type=TextArray)
    purposes: list[str] = Field(sa_type=TextArray)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)


class ConsentWithdrawal(SQLModel, table=True):
    """A consent taken back, whole or in part: who said so, when, and which agency recorded it. The reason, if any, is sealed."""

    __tablename__ = "consent_withdrawal"
    __table_args__ = (Index("consent_withdrawal_consent", "consent_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    consent_id: UUID
    agency_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=Timestamp)
    sections: list[str] = Field(sa_type=TextArray)
    channel: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)

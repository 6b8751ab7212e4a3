"""Tables of consents, of what is taken back of them, and of their reconfirmation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, Computed, Index, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp

_PROVABLE = """method <> 'spoken' AND (interpreter IS NULL OR interpreter_independent OR witnessed
        OR method IN ('audio_recording', 'video_recording', 'sign_language_recording'))"""
_OWN = """(interpreter IS NULL OR interpreter_independent) AND CASE WHEN for_child
        THEN decided AND giver IN ('court_guardian', 'state_authority') AND assent = 'given'
        ELSE giver IN ('person', 'person_with_support') END"""


class ConsentRow(SQLModel, table=True):
    """A consent; what was said besides its codes is sealed in `detail`."""

    __tablename__ = "consent"
    __table_args__ = (
        Index("consent_case", "case_id"),
        Index("consent_author", "author_id", "id"),
        Index("consent_client", "client_id", "recorded_at"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    author_id: UUID = Field(foreign_key="agency.id")
    client_id: str = Field(sa_type=Text)
    giver: str = Field(sa_type=Text)
    method: str = Field(sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    interpreter: str | None = Field(default=None, sa_type=Text)
    interpreter_independent: bool | None = None
    witnessed: bool
    for_child: bool
    assent: str | None = Field(default=None, sa_type=Text)
    decided: bool
    given_at: datetime = Field(sa_type=Timestamp)
    until_at: datetime | None = Field(default=None, sa_type=Timestamp)
    sections: list[str] = Field(sa_type=TextArray)
    agencies: list[str] = Field(sa_type=TextArray)
    agency_kinds: list[str] = Field(sa_type=TextArray)
    except_agencies: list[str] = Field(sa_type=TextArray, sa_column_kwargs={"server_default": "{}"})
    purposes: list[str] = Field(sa_type=TextArray)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    widens_id: UUID | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=Timestamp)
    doubted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    provable: bool = Field(sa_column=Column(Boolean, Computed(_PROVABLE, persisted=True), nullable=False))
    own: bool = Field(sa_column=Column(Boolean, Computed(_OWN, persisted=True), nullable=False))


class ConsentWithdrawal(SQLModel, table=True):
    """A consent taken back, whole or in part: who said so, when, and which agency recorded it. The reason, if any, is sealed."""

    __tablename__ = "consent_withdrawal"
    __table_args__ = (Index("consent_withdrawal_consent", "consent_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    consent_id: UUID
    event: str = Field(sa_type=Text)
    agency_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=Timestamp)
    sections: list[str] = Field(sa_type=TextArray)
    agencies: list[str] = Field(sa_type=TextArray, sa_column_kwargs={"server_default": "{}"})
    agency_kinds: list[str] = Field(sa_type=TextArray, sa_column_kwargs={"server_default": "{}"})
    purposes: list[str] = Field(sa_type=TextArray, sa_column_kwargs={"server_default": "{}"})
    until_at: datetime | None = Field(default=None, sa_type=Timestamp)
    channel: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)


class ConsentReconfirmation(SQLModel, table=True):
    """A consent in doubt, of which the person was asked again; how they agreed is sealed."""

    __tablename__ = "consent_reconfirmation"
    __table_args__ = (Index("consent_reconfirmation_consent", "consent_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    consent_id: UUID
    agency_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    client_id: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)

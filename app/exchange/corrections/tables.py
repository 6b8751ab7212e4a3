"""The correction table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class CorrectionRow(SQLModel, table=True):
    """Sections put right by the lead, as a record version of their own; the reason is sealed."""

    __tablename__ = "correction"
    __table_args__ = (Index("correction_id", "id", postgresql_using="hash"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    version_id: UUID
    author_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    actor: str | None = Field(default=None, sa_type=Text)
    sections: list[str] = Field(sa_type=TextArray)
    proposal_id: UUID | None = Field(default=None)
    channel: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)

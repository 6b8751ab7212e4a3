"""The table of erasures."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import TextArray, Timestamp


class Erasure(SQLModel, table=True):
    """The proof of an erasure, with nothing of what was erased."""

    __tablename__ = "erasure"
    __table_args__ = (Index("erasure_case", "case_id", "kind"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    kind: str = Field(sa_type=Text)
    row_id: UUID
    sections: list[str] | None = Field(default=None, sa_type=TextArray)
    cause: str = Field(sa_type=Text)
    cause_id: UUID | None = Field(default=None)
    before_at: datetime = Field(sa_type=Timestamp)
    recorded_at: datetime = Field(sa_type=Timestamp)
    replayed: bool

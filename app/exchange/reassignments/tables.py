"""The table of reassignments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Timestamp


class ReassignmentRow(SQLModel, table=True):
    """A new lead for a case whose lead is gone; reason and paper are sealed."""

    __tablename__ = "reassignment"
    __table_args__ = (
        Index("reassignment_id", "id", postgresql_using="hash"),
        Index("reassignment_to", "to_id", "id"),
        Index("reassignment_waiting", "to_id", "approved_at", "id", postgresql_where=text("state = 'approved'")),
        Index(
            "reassignment_one_open",
            "case_id",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'approved')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    case_reference: str = Field(sa_type=Text)
    from_id: UUID = Field(foreign_key="agency.id")
    to_id: UUID = Field(foreign_key="agency.id")
    state: str = Field(sa_type=Text)
    version: int
    proposed_by: str = Field(sa_type=Text)
    approved_by: str | None = Field(default=None, sa_type=Text)
    proposed_at: datetime = Field(sa_type=Timestamp)
    approved_at: datetime | None = Field(default=None, sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    transfer_id: UUID | None = Field(default=None)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    end_detail: bytes | None = Field(default=None, sa_type=Bytes)

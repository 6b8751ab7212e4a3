"""The log table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Json, Timestamp


class LogEntry(SQLModel, table=True):
    """One entry of the append-only log."""

    __tablename__ = "log_entry"
    __table_args__ = (
        Index("log_entry_case", "case_id", "recorded_at", postgresql_where=text("case_id IS NOT NULL")),
        Index(
            "log_entry_administrative",
            "id",
            postgresql_where=text("agency_id IS NULL AND case_id IS NULL AND actor IS NOT NULL"),
        ),
        Index(
            "log_entry_time",
            "recorded_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32},
        ),
        {"postgresql_partition_by": "RANGE (recorded_at)"},
    )

    id: UUID = Field(primary_key=True)
    recorded_at: datetime = Field(primary_key=True, sa_type=Timestamp)
    agency_id: UUID | None = Field(default=None)
    client_id: str | None = Field(default=None, sa_type=Text)
    actor: str | None = Field(default=None, sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    action: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)
    subject_id: UUID | None = Field(default=None)
    case_id: UUID | None = Field(default=None)
    detail: dict[str, Any] = Field(sa_type=Json)

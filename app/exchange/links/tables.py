"""The table of links."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, func, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Timestamp


class CaseLinkRow(SQLModel, table=True):
    """Two cases that belong together; what was said about it is sealed, each side's apart."""

    __tablename__ = "case_link"
    __table_args__ = (
        Index("case_link_id", "id", postgresql_using="hash"),
        Index("case_link_other", "other_case_id", "id"),
        Index("case_link_lead", "lead_id", "id"),
        Index("case_link_other_lead", "other_lead_id", "id"),
        Index("case_link_waiting", "other_lead_id", "proposed_at", "id", postgresql_where=text("state = 'proposed'")),
        Index(
            "case_link_once",
            func.least(text("case_id"), text("other_case_id")),
            func.greatest(text("case_id"), text("other_case_id")),
            "kind",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'confirmed')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    other_case_id: UUID = Field(foreign_key="case_file.id")
    lead_id: UUID = Field(foreign_key="agency.id")
    other_lead_id: UUID = Field(foreign_key="agency.id")
    kind: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    version: int
    proposed_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    detail: bytes | None = Field(default=None, sa_type=Bytes)
    ended_by_case_id: UUID | None = Field(default=None)
    end_detail: bytes | None = Field(default=None, sa_type=Bytes)

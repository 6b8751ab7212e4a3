"""Tables of imports and exports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Json, Timestamp


class ImportRow(SQLModel, table=True):
    """An import as it stands."""

    __tablename__ = "bulk_import"
    __table_args__ = (
        CheckConstraint("lines BETWEEN 0 AND 100000", name="bulk_import_lines_check"),
        Index("bulk_import_key", "agency_id", "client_id", "key", unique=True),
        Index("bulk_import_listed", "agency_id", "id"),
        Index("bulk_import_running", "id", postgresql_where=text("state = 'running'")),
    )

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    recorder_id: UUID = Field(foreign_key="agency.id")
    client_id: str = Field(sa_type=Text, foreign_key="client.client_id")
    actor: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    state: str = Field(default="receiving", sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    lines: int = 0
    size: int = Field(default=0, sa_type=BigInteger)
    digest: bytes = Field(sa_type=Bytes)
    counts: dict[str, Any] | None = Field(default=None, sa_type=Json)
    created_at: datetime = Field(sa_type=Timestamp)
    touched_at: datetime = Field(sa_type=Timestamp)
    started_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ImportLineRow(SQLModel, table=True):
    """A line, sealed until it was handled, and what became of it."""

    __tablename__ = "import_line"
    __table_args__ = (
        Index("import_line_number", "import_id", "number", unique=True),
        Index("import_line_fresh", "import_id", "number", postgresql_where=text("outcome IS NULL AND tries = 0")),
        Index("import_line_tried", "import_id", "due_at", postgresql_where=text("outcome IS NULL AND tries > 0")),
        Index("import_line_key", "import_id", "key", "number", postgresql_where=text("key IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    import_id: UUID = Field(foreign_key="bulk_import.id", ondelete="CASCADE")
    agency_id: UUID = Field(foreign_key="agency.id")
    number: int
    content: bytes | None = Field(default=None, sa_type=Bytes)
    key: str | None = Field(default=None, sa_type=Text)
    tries: int = 0
    due_at: datetime = Field(sa_type=Timestamp)
    tried_at: list[datetime] = Field(sa_type=ARRAY(Timestamp))
    outcome: str | None = Field(default=None, sa_type=Text)
    referral_id: UUID | None = None
    case_id: UUID | None = None
    reference: str | None = Field(default=None, sa_type=Text)
    problem: dict[str, Any] | None = Field(default=None, sa_type=Json)
    warnings: list[dict[str, Any]] | None = Field(default=None, sa_type=Json)
    handled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ExportRow(SQLModel, table=True):
    """That a client takes an export at this moment."""

    __tablename__ = "bulk_export"

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    client_id: str = Field(sa_type=Text, foreign_key="client.client_id", primary_key=True)
    id: UUID
    lease_until: datetime = Field(sa_type=Timestamp)

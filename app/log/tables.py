"""The tables of the log: its entries, the tree over them, and the keys that sign it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Json, Timestamp


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


class LogWaiting(SQLModel, table=True):
    """An entry that has no position yet."""

    __tablename__ = "log_waiting"

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    entry_id: UUID
    recorded_at: datetime = Field(sa_type=Timestamp)


class LogLeaf(SQLModel, table=True):
    """An entry's position in the tree, and the hash of its leaf."""

    __tablename__ = "log_leaf"
    __table_args__ = (UniqueConstraint("entry_id"),)

    position: int = Field(primary_key=True, sa_type=BigInteger)
    entry_id: UUID
    recorded_at: datetime = Field(sa_type=Timestamp)
    hash: bytes = Field(sa_type=Bytes)


class LogSubtree(SQLModel, table=True):
    """The root of a complete subtree of 256**level leaves."""

    __tablename__ = "log_subtree"

    level: int = Field(primary_key=True, sa_type=SmallInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=Bytes)


class LogCheckpoint(SQLModel, table=True):
    """A signed checkpoint."""

    __tablename__ = "log_checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger)
    note: str = Field(sa_type=Text)
    sealed_at: datetime = Field(sa_type=Timestamp)


class LogKey(SQLModel, table=True):
    """A key that signs checkpoints and receipts."""

    __tablename__ = "log_key"
    __table_args__ = (
        UniqueConstraint("public"),
        Index("log_key_one_next_one_active", "state", unique=True, postgresql_where=text("state <> 'retired'")),
    )

    id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    public: bytes = Field(sa_type=Bytes)
    state: str = Field(sa_type=Text)
    private_sealed: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(sa_type=Timestamp)
    activated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    retired_at: datetime | None = Field(default=None, sa_type=Timestamp)

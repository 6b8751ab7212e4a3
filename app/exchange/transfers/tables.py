"""The transfer table."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Computed, Index, Interval, Text, Uuid, text
from sqlmodel import Field, SQLModel

from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.columns import Json, TextArray, Timestamp

_OPEN = "state IN (" + ", ".join(f"'{state}'" for state in TRANSFER.open_states) + ")"
_TURN = """CASE
    WHEN state IN ('offered', 'received', 'accepted') OR (state = 'completed' AND paper = 'pending') THEN receiver_id
    WHEN state = 'info_requested' THEN sender_id END"""


class TransferRow(SQLModel, table=True):
    """A transfer's envelope."""

    __tablename__ = "transfer"
    __table_args__ = (
        Index("transfer_one_open", "case_id", unique=True, postgresql_where=text(_OPEN)),
        Index("transfer_receiver", "receiver_id", "id"),
        Index("transfer_receiver_updated", "receiver_id", "updated_at", "id"),
        Index("transfer_receiver_open", "receiver_id", "id", postgresql_where=text(_OPEN)),
        Index("transfer_sender", "sender_id", "id"),
        Index("transfer_sender_updated", "sender_id", "updated_at", "id"),
        Index("transfer_sender_open", "sender_id", "id", postgresql_where=text(_OPEN)),
        Index("transfer_id", "id", postgresql_using="hash"),
        Index("transfer_turn", "turn_id", "state", "deadline_at", "id", postgresql_where=text("turn_id IS NOT NULL")),
        Index("transfer_reference", "reference", postgresql_using="hash"),
        Index("transfer_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", primary_key=True)
    reference: str = Field(sa_type=Text)
    sender_id: UUID = Field(foreign_key="agency.id")
    receiver_id: UUID = Field(foreign_key="agency.id")
    recorded_by_id: UUID = Field(foreign_key="agency.id")
    state: str = Field(sa_type=Text)
    version: int
    purpose: str = Field(sa_type=Text)
    urgency: str = Field(sa_type=Text)
    respond_by: datetime = Field(sa_type=Timestamp)
    sections: list[str] = Field(sa_type=TextArray)
    version_id: UUID
    replaces_id: UUID | None = Field(default=None)
    manifest: dict[str, Any] = Field(sa_type=Json)
    manifest_digest: str = Field(sa_type=Text)
    sent_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    first_read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Timestamp)
    accepted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    service_point_id: UUID | None = Field(default=None, foreign_key="service_point.id")
    paper: str | None = Field(default=None, sa_type=Text)
    paper_due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    deadline_at: datetime | None = Field(default=None, sa_type=Timestamp)
    paused_at: datetime | None = Field(default=None, sa_type=Timestamp)
    pause_used: timedelta = Field(sa_type=Interval)
    last_occurred_at: datetime = Field(sa_type=Timestamp)
    error_reported_at: datetime | None = Field(default=None, sa_type=Timestamp)
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock: str = Field(sa_type=Text)
    clock_step: int
    turn_id: UUID | None = Field(sa_column=Column(Uuid, Computed(_TURN, persisted=True)))

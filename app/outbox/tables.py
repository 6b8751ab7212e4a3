"""Tables of the outbox, the feed and idempotent answers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class OutboxRow(SQLModel, table=True):
    """An event written with its cause, waiting for its position."""

    __tablename__ = "outbox"

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    agency_id: UUID
    event_id: UUID
    type: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    case_id: UUID | None
    state: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=Timestamp)


class EventRow(SQLModel, table=True):
    """An event at its place in an agency's feed."""

    __tablename__ = "event"
    __table_args__ = ({"postgresql_partition_by": "RANGE (recorded_at)"},)

    agency_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    event_id: UUID
    type: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    case_id: UUID | None
    state: str = Field(sa_type=Text)
    recorded_at: datetime = Field(primary_key=True, sa_type=Timestamp)


class FeedEnd(SQLModel, table=True):
    """The last position given in an agency's feed, and the last one that is not kept any more."""

    __tablename__ = "feed_end"

    agency_id: UUID = Field(primary_key=True)
    position: int = Field(sa_type=BigInteger)
    dropped: int = Field(sa_type=BigInteger)
    dropped_until: datetime | None = Field(default=None, sa_type=Timestamp)


class FeedPositionRow(SQLModel, table=True):
    """How far a client has acknowledged an agency's feed."""

    __tablename__ = "feed_position"

    agency_id: UUID = Field(primary_key=True, foreign_key="agency.id")
    client_id: str = Field(primary_key=True, foreign_key="client.client_id", sa_type=Text)
    position: int = Field(sa_type=BigInteger)
    acknowledged_at: datetime = Field(sa_type=Timestamp)


class IdempotencyRow(SQLModel, table=True):
    """The answer to a POST by its key."""

    __tablename__ = "idempotency"
    __table_args__ = ({"postgresql_partition_by": "RANGE (recorded_at)"},)

    agency_id: UUID = Field(primary_key=True)
    client_id: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    recorded_at: datetime = Field(primary_key=True, sa_type=Timestamp)
    request_hash: bytes = Field(sa_type=Bytes)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    case_id: UUID | None
    reference: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    version: int
    log_id: UUID
    met: list[str] | None = Field(default=None, sa_type=TextArray)

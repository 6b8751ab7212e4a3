"""Tables of webhooks, their keys, and what was sent to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, TextArray, Timestamp


class WebhookRow(SQLModel, table=True):
    """An address that a client wants its agency's events sent to."""

    __tablename__ = "webhook"
    __table_args__ = (Index("webhook_agency", "agency_id"),)

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    client_id: str = Field(sa_type=Text, foreign_key="client.client_id")
    url: str = Field(sa_type=Text)
    description: str = Field(default="", sa_type=Text)
    types: list[str] = Field(sa_type=TextArray)
    state: str = Field(default="active", sa_type=Text)
    state_at: datetime = Field(sa_type=Timestamp)
    position: int = Field(sa_type=BigInteger)
    failing_since: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    changed_at: datetime = Field(sa_type=Timestamp)


class WebhookKeyRow(SQLModel, table=True):
    """A key that a webhook's messages are signed with."""

    __tablename__ = "webhook_key"
    __table_args__ = (Index("webhook_key_webhook", "webhook_id"),)

    id: UUID = Field(primary_key=True)
    webhook_id: UUID = Field(foreign_key="webhook.id", ondelete="CASCADE")
    agency_id: UUID = Field(foreign_key="agency.id")
    public_key: str = Field(sa_type=Text)
    private_sealed: bytes = Field(sa_type=Bytes)
    created_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DeliveryRow(SQLModel, table=True):
    """An event for a webhook."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("delivery_due", "webhook_id", "due_at", "position", postgresql_where=text("state = 'waiting'")),
        Index("delivery_ended", "ended_at", postgresql_where=text("state <> 'waiting'")),
        Index("delivery_of_case", "webhook_id", "case_id", "position", postgresql_where=text("state = 'waiting'")),
        Index("delivery_listed", "webhook_id", "position"),
        Index("delivery_by_state", "webhook_id", "state", "ended_at"),
    )

    webhook_id: UUID = Field(foreign_key="webhook.id", ondelete="CASCADE", primary_key=True)
    message_id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agency.id")
    position: int | None = Field(default=None, sa_type=BigInteger)
    type: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID
    case_id: UUID | None = None
    event_state: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=Timestamp)
    state: str = Field(default="waiting", sa_type=Text)
    due_at: datetime = Field(sa_type=Timestamp)
    attempts: int = 0
    first_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    replayed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DeliveryAttemptRow(SQLModel, table=True):
    """One try to send one."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        ForeignKeyConstraint(
            ["webhook_id", "message_id"], ["delivery.webhook_id", "delivery.message_id"], ondelete="CASCADE"
        ),
        Index("delivery_attempt_listed", "webhook_id", "message_id", "at"),
        Index("delivery_attempt_at", "webhook_id", "at"),
    )

    id: UUID = Field(primary_key=True)
    webhook_id: UUID
    message_id: UUID
    agency_id: UUID = Field(foreign_key="agency.id")
    at: datetime = Field(sa_type=Timestamp)
    number: int
    status: int | None = None
    fault: str | None = Field(default=None, sa_type=Text)
    milliseconds: int
    answer: bytes | None = Field(default=None, sa_type=Bytes)


class WebhookSilenceRow(SQLModel, table=True):
    """That the last attempts of all failed, whosever they were: one row or none."""

    __tablename__ = "webhook_silence"

    one: bool = Field(default=True, primary_key=True)
    began_at: datetime = Field(sa_type=Timestamp)
    first_host: str = Field(sa_type=Text)
    several: bool
    worked: bool
    since: datetime | None = Field(default=None, sa_type=Timestamp)


class WebhookOutageRow(SQLModel, table=True):
    """A time in which the exchange reached nobody."""

    __tablename__ = "webhook_outage"

    since: datetime = Field(sa_type=Timestamp, primary_key=True)
    until_at: datetime = Field(sa_type=Timestamp)
    began_at: datetime = Field(sa_type=Timestamp)

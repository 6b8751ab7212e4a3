"""Tables of keys at rest; of the keys themselves nothing."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.foundation.columns import Bytes, Timestamp


class KeyringMark(SQLModel, table=True):
    """The keyring the database was made with."""

    __tablename__ = "keyring_mark"

    one: bool = Field(primary_key=True)
    fingerprint: bytes = Field(sa_type=Bytes)
    at: datetime = Field(sa_type=Timestamp)


class EncryptionKey(SQLModel, table=True):
    """A key-encryption key and how it stands."""

    __tablename__ = "encryption_key"
    __table_args__ = (
        Index(
            "encryption_key_primary",
            "retired_at",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("primary_at IS NOT NULL AND retired_at IS NULL"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigInteger)
    month: date
    made_at: datetime = Field(sa_type=Timestamp)
    added_at: datetime = Field(sa_type=Timestamp)
    at_once: bool
    proof: bytes = Field(sa_type=Bytes)
    primary_at: datetime | None = Field(sa_type=Timestamp)
    retired_at: datetime | None = Field(sa_type=Timestamp)
    emptied_at: datetime | None = Field(sa_type=Timestamp)
    destroyed_at: datetime | None = Field(sa_type=Timestamp)


class KeyringHolder(SQLModel, table=True):
    """A running process and the keys it holds."""

    __tablename__ = "keyring_holder"

    process: UUID = Field(primary_key=True)
    keys: list[int] = Field(sa_type=ARRAY(BigInteger))
    uses: int = Field(sa_type=BigInteger)
    seen_at: datetime = Field(sa_type=Timestamp)


class RewrapProgress(SQLModel, table=True):
    """How far moving a column's keys to the one in use has come."""

    __tablename__ = "rewrap_progress"

    place: str = Field(primary_key=True, sa_type=Text)
    key_id: int = Field(sa_type=BigInteger)
    after_id: UUID | None
    moved: int = Field(sa_type=BigInteger)
    started_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(sa_type=Timestamp)

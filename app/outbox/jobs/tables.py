"""The table of what a job could not do."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from app.foundation.columns import Timestamp


class ParkedJobRow(SQLModel, table=True):
    """A row that a job could not deal with, and when it is tried again. Ids, codes and times; never a value."""

    __tablename__ = "parked_job"
    __table_args__ = (Index("parked_job_listed", "first_at"),)

    job: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_id: UUID = Field(primary_key=True)
    case_id: UUID | None = None
    error: str = Field(sa_type=Text)
    attempts: int
    first_at: datetime = Field(sa_type=Timestamp)
    last_at: datetime = Field(sa_type=Timestamp)
    retry_at: datetime = Field(sa_type=Timestamp)

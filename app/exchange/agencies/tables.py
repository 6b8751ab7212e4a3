"""Tables of the directory that agencies keep themselves."""

from uuid import UUID

from sqlalchemy import Text
from sqlmodel import Field, SQLModel


class DutyContactRow(SQLModel, table=True):
    """Whom to call at an agency, by function."""

    __tablename__ = "duty_contact"

    agency_id: UUID = Field(foreign_key="agency.id", primary_key=True)
    place: int = Field(primary_key=True)
    role: str = Field(sa_type=Text)
    phone: str = Field(sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    hours: str | None = Field(default=None, sa_type=Text)

"""Whether the person is, or may be, a victim of trafficking; who found so and how."""

from typing import Annotated

from pydantic import Field

from schemas.base import Day, Wire
from schemas.codes.agencies import AgencyKind, OrganisationKind
from schemas.codes.answers import Answer
from schemas.codes.disclosure import InterpreterRole
from schemas.codes.services import EntryChannel, StaffRole
from schemas.codes.trafficking import IdentificationStatus, ScreeningPoint
from schemas.record.common import SectionBase
from schemas.text import AgencyCode, LanguageTag, Line, PartialDate, Text


class ScreeningFinding(Wire):
    """A point that was, or was not, asked about."""

    point: ScreeningPoint
    answer: Answer
    note: Line | None = None


class StatusEntry(Wire):
    """An earlier finding: a status is a history, and losing it never ends services by itself."""

    status: IdentificationStatus
    on: PartialDate | None = None
    decided_by: AgencyCode | None = None
    grounds: Text | None = None


class IdentificationSection(SectionBase):
    """Status and screening."""

    status: IdentificationStatus | None = None
    """HTCDS `vic_TraffickingStatus`."""
    decided_by: AgencyCode | None = None
    """The agency of the directory that decided."""
    decided_by_kind: AgencyKind | None = None
    """Where the agency is not in the directory."""
    decided_by_organisation: OrganisationKind | None = None
    """Where no more is known of who decided. HTCDS `vic_TraffickingStatusDecisionMakingOrg`."""
    decided_on: PartialDate | None = None
    grounds: Text | None = None
    history: Annotated[tuple[StatusEntry, ...], Field(max_length=20)] = ()
    """Earlier findings, the oldest first."""
    entry_channel: EntryChannel | None = None
    reported_on: PartialDate | None = None
    screening: Annotated[tuple[ScreeningFinding, ...], Field(max_length=40)] = ()
    screened_on: Day | None = None
    screened_by: StaffRole | None = None
    language: LanguageTag | None = None
    """The language of the screening."""
    interpreter: InterpreterRole | None = None
    self_identifies: Answer | None = None
    """Whether the person sees themselves as exploited; many do not, and help does not depend on it."""
    own_statement: Text | None = None
    """The person's own view of the finding."""

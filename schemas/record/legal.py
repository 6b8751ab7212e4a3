"""Reports, proceedings, custody, protection and restitution."""

from typing import Annotated

from pydantic import Field

from schemas.base import Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.law import Custody, LegalRole, LossKind, ProceedingsStage, ProtectionStatus, RestitutionStatus
from schemas.record.common import Money, SectionBase
from schemas.text import AgencyCode, CountryCode, Line, Number, PartialDate, Text


class PoliceReport(Wire):
    """A report to the police. Its number stays as it is written there."""

    number: Number | None = None
    receipt: Number | None = None
    """The number of the receipt (STTLP) the person was given."""
    made_on: PartialDate | None = None
    unit: Line | None = None
    country: CountryCode | None = None
    """Where it was made abroad."""


class Loss(Wire):
    """Something lost, for restitution."""

    kind: LossKind
    value: Money | None = None
    note: Line | None = None


class Restitution(Wire):
    """What the person may claim, and where the claim stands."""

    wanted: Answer | None = None
    status: RestitutionStatus | None = None
    losses: Annotated[tuple[Loss, ...], Field(max_length=20)] = ()
    claimed: Money | None = None
    paid: Money | None = None
    filed_with: AgencyCode | None = None
    filed_on: PartialDate | None = None
    case_number: Number | None = None


class LegalSection(SectionBase):
    """Where the person stands before the law."""

    wants_to_report: Answer | None = None
    police_reports: Annotated[tuple[PoliceReport, ...], Field(max_length=10)] = ()
    police_reports_missing: Missing | None = None
    """Why no report is given."""
    roles: Annotated[tuple[LegalRole, ...], Field(max_length=len(LegalRole))] = ()
    stage: ProceedingsStage | None = None
    court_case: Number | None = None
    """The number of the case at the prosecution or the court."""
    statement_taken: Answer | None = None
    """Whether the person's statement was taken down (BAP), so that nobody asks them to tell it all again."""
    custody: Custody | None = None
    under_suspicion: Answer | None = None
    """Whether an authority holds something against the person, also for what they were forced to do."""
    non_punishment_requested: Answer | None = None
    """Whether somebody has asked that they not be punished for what they were forced to do."""
    counsel: Answer | None = None
    counsel_office: Line | None = None
    protection: ProtectionStatus | None = None
    restitution: Restitution | None = None
    note: Text | None = None

"""The access report: who saw what of a case, on what basis, when."""

from typing import Literal
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.referral import Purpose
from schemas.exchange.common import AgencyRef

AccessKind = Literal[
    "read",
    "file",
    "preview",
    "sent",
    "corrected",
    "restricted",
    "restriction_lifted",
    "consents",
    "case",
    "envelope",
    "report",
]
"""What happened: the record was read (`read`), a file of it was downloaded (`file`), or before acceptance its summary in codes was read
(`preview`); data was passed on (`sent`) or put right for everybody who has it (`corrected`); the
lead restricted sections because the person asked (`restricted`) or lifted that (`restriction_lifted`); consents (`consents`), the case and its course
(`case`), or an envelope without data of the person (`envelope`) was looked at; this report was made (`report`)."""


class AccessBasis(Wire):
    """What allowed the disclosure of some sections."""

    basis: DisclosureBasis
    sections: list[Section]
    consent: UUID | None
    """The consent, where it is one."""


class AccessEntry(Wire):
    """Once that somebody saw something, or passed it on."""

    log_entry: UUID
    kind: AccessKind
    recorded_at: Moment
    agency: AgencyRef
    """Who saw it, or passed it on."""
    recorded_by: AgencyRef | None
    """Another agency, whose system did it for `agency` under an agreement."""
    actor: str | None
    """The agency's own reference of who acted: of the caller's own agency, and to the reviewing agency."""
    to: AgencyRef | None
    """Of what was passed on: to whom."""
    subject: str | None
    subject_id: UUID | None
    sections: list[Section]
    """The sections that were shown or passed on; none for an envelope."""
    despite_restriction: list[Section]
    """What was passed on although the person had it restricted."""
    after_withdrawal: list[Section]
    """What stayed readable for a day to whoever has the person with them."""
    bases: list[AccessBasis]
    """On what basis; empty for what is the agency's own record."""
    purpose: Purpose | None


class AccessReport(Wire):
    """A page of an access report, oldest first."""

    case_id: UUID
    items: list[AccessEntry]
    next: str | None

"""What an HTCDS row holds beside the person's record: it belongs to the case, to referrals and to the directory.

Whoever imports a row gets it as claims; whoever exports one gives it as far as they know it. `of_case`, `of_referral` and
`of_agency` make it from the exchange's own documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, Strict

from schemas.base import Day, Flag, Wire
from schemas.codes import label
from schemas.codes.agencies import AgencyKind, OrganisationKind
from schemas.codes.referral import Purpose
from schemas.exchange.case import Case
from schemas.exchange.directory import Agency, DutyContact, ServicePoint
from schemas.exchange.referral import Referral, Transfer
from schemas.record.common import Place
from schemas.record.record import Record
from schemas.text import Line, Phone, Text

CaseState = Literal["open", "follow_up", "closed", "handed_over"]
"""A case as one agency sees it: the states of a case, and `handed_over` for who led it before."""

REASONS: Final[dict[str, str]] = {
    "additional_services": "AdditionalServicesRequired",
    "change_of_location": "MigrationOrChangeOfLocation",
    "other": "Other",
}
ReferralReason = Literal["additional_services", "change_of_location", "other"]
"""HTCDS's three reasons for a referral; the exchange has purposes instead."""

JAKARTA: Final = ZoneInfo("Asia/Jakarta")


class CaseClaim(Wire):
    """A case as a row tells it."""

    state: CaseState | None = None
    """HTCDS `cas_Status`."""
    closure: Text | None = None
    """HTCDS `cas_ReasonForCaseClosure`."""
    owner: Line | None = None
    """HTCDS `cas_CaseOwner`: who works on it."""


class ReferralClaim(Wire):
    """A referral as a row tells it."""

    organisation: Line | None = None
    """HTCDS `cas_ReferringOrganisation`, `cas_ReferredOrganisation`."""
    worker: Line | None = None
    """HTCDS `cas_ReferringPrimaryCaseWorker`, `cas_ReferredPrimaryCaseWorker`."""
    on: Day | None = None
    """Of one that came in the day it was accepted, of one that went out the day it was made."""
    reason: ReferralReason | None = None
    """HTCDS `cas_ReasonForIncomingReferral`, `cas_ReasonForOutgoingReferral`."""
    details: Text | None = None
    """HTCDS `cas_IncomingReferralDetails`, `cas_OutgoingReferralDetails`."""


class ConsentClaim(Wire):
    """What a checkbox says of a consent. It proves nothing, and is no basis of a disclosure."""

    claimed: Flag | None = None
    """HTCDS `con_Consent` as it was read. False is no refusal: another basis may hold."""
    agreement: Flag | None = None
    """HTCDS `vic_AgreementToManagePersonalData`, deprecated there."""
    covers: Flag | None = None
    """Whether a valid consent covers the disclosure at hand: known to whoever exports, never read from a row."""


class Organisation(Wire):
    """An organisation as a row tells it."""

    name: Line | None = None
    """HTCDS `org_Name`."""
    kind: OrganisationKind | None = None
    """HTCDS `org_Type`."""
    agency_kind: AgencyKind | None = None
    """Of an agency of the directory its own kind, which is finer."""
    address: Place | None = None
    """HTCDS `org_Shipping…`."""
    phone: Phone | None = None
    """HTCDS `org_Phone`."""


class Exchange(Wire):
    """What belongs to the exchange and not to the record."""

    case: CaseClaim | None = None
    incoming: ReferralClaim | None = None
    outgoing: ReferralClaim | None = None
    consent: ConsentClaim | None = None
    organisation: Organisation | None = None
    staff_title: Line | None = None
    """HTCDS `prs_Title`: a position of staff."""


class Imported(Wire):
    """One row of a sheet. A client makes of it a case, consents and referrals, with bases and needs of its own."""

    row: Annotated[int, Strict(), Field(ge=1)] | None = None
    """Its number in the sheet."""
    record: Record
    exchange: Exchange = Exchange()


def of_case(case: Case, *, reader: str) -> CaseClaim:
    """The case as `reader` (an agency's code) sees it."""
    led = {time.agency.code for time in case.leads}
    handed = case.lead.code != reader and reader in led
    states: dict[str, CaseState] = {"open": "open", "follow_up": "follow_up", "closed": "closed"}
    closure = None
    if case.closure is not None:
        closure = case.closure.text or label("case_closure_reason", case.closure.reason, "en")
    return CaseClaim(state="handed_over" if handed else states.get(case.state), closure=closure, owner=case.lead.name)


def of_referral(sent: Referral | Transfer, *, incoming: bool) -> ReferralClaim:
    """A referral or transfer, as its receiver (`incoming`) or its sender sees it."""
    moved = sent.accepted_at if incoming else sent.sent_at
    travel = sent.record.needs.travel if sent.record is not None and sent.record.needs is not None else None
    meeting = sent.acceptance.meeting_point if sent.acceptance is not None else None
    details = "\n".join(part for part in (travel, meeting) if part)
    return ReferralClaim(
        organisation=(sent.sender if incoming else sent.receiver).name,
        worker=None if incoming or sent.acceptance is None else sent.acceptance.contact,
        on=_day(moved) if moved is not None else None,
        reason="change_of_location" if sent.purpose is Purpose.CASE_RESPONSIBILITY else "additional_services",
        details=details or None,
    )


def of_agency(
    agency: Agency, *, point: ServicePoint | None = None, contacts: Sequence[DutyContact] = ()
) -> Organisation:
    """An agency of the directory. A confidential place gives nothing but the agency's name, kind and telephone."""
    address = None
    if point is not None and not point.confidential and point.address:
        address = Place(street=point.address[:500].replace("\n", ", "), country=agency.country)
    return Organisation(
        name=agency.name,
        agency_kind=agency.kind,
        address=address,
        phone=contacts[0].phone if contacts else None,
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(JAKARTA).date()

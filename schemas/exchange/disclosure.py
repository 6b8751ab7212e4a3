"""What is disclosed by a referral or transfer, and what would be by one that is not sent yet."""

from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Flag, Moment, Wire
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.referral import Purpose
from schemas.exchange.common import AgencyRef
from schemas.exchange.consent import NewConsent
from schemas.text import AgencyCode


class FlowsBack(StrEnum):
    """What of the receiver's doing and saying flows back to the sender, by the sender's kind of agency."""

    STATE = "state"
    """State, arrival and end, each with when and by whom."""
    ACCEPTANCE = "acceptance"
    """Where to bring the person, when, and whom to ask for."""
    REFUSAL = "refusal"
    """Of a refusal before acceptance, the coded reason and who else might help."""
    QUESTION = "question"
    """What the receiver asks before it answers."""
    SERVICES = "services"
    """Which services were planned, given or missed, and when."""
    OUTCOMES = "outcomes"
    """What became of each need; the coded reason why services ended."""
    NOTES = "notes"
    """Notes and every other free text."""


class Withheld(StrEnum):
    """The rule by which a section is not open to whoever asks."""

    PURPOSE = "purpose"
    """The purpose does not need it."""
    AGENCY_KIND = "agency_kind"
    """This kind of agency may not hold it."""
    NO_BASIS = "no_basis"
    """Nothing that it could rest on was given for it, whether or not there is anything in it."""
    NOT_ACCEPTED = "not_accepted"
    """It opens when the receiver accepts; until then the preview tells what is needed to decide."""
    BASIS_ENDED = "basis_ended"
    """The basis has run out."""
    CONSENT_WITHDRAWN = "consent_withdrawn"
    """The person took the consent back."""
    CONSENT_NARROWED = "consent_narrowed"
    """The consent no longer covers this receiver, purpose or section."""
    CONSENT_DOUBTED = "consent_doubted"
    """The consent was recorded by a system found compromised; it waits until the person is asked again."""
    NOT_JUSTIFIED = "not_justified"
    """The reviewing agency found no ground for it."""
    REVIEW_LAPSED = "review_lapsed"
    """The vital interest was put on no other basis in time."""
    RESTRICTED = "restricted"
    """The person asked that processing be restricted."""
    ERASURE_ASKED = "erasure_asked"
    """The person asked for erasure."""
    RETRACTED = "retracted"
    """The record was another person's."""
    ENTERED_IN_ERROR = "entered_in_error"
    """It should never have been sent."""
    TRANSFER_ABORTED = "transfer_aborted"
    """The handover was called off after its acceptance."""
    ENDED_UNACCEPTED = "ended_unaccepted"
    """It ended without a receiver, or another version took its place."""
    NOT_A_PARTY = "not_a_party"
    """Whoever leads the case learns how a referral stands; what was sent is between its parties."""


class SectionAccess(Wire):
    """One section as it is open to the receiver now."""

    section: Section
    access: Literal["preview", "full", "locked", "ended", "closed", "withheld"]
    """As of a disclosure; `withheld`: nothing opens it."""
    withheld_by: Withheld | None
    """The rule that keeps its content back; None where it is open in full."""
    basis: DisclosureBasis | None
    consent_id: UUID | None
    legal_basis: str | None
    article: str | None
    until: Moment | None
    onward: Flag | None


class WordsAccess(Wire):
    """Words about a section that were sent on a basis of their own."""

    move_id: UUID
    section: Section
    access: Literal["preview", "full", "locked", "ended", "closed", "withheld"]
    withheld_by: Withheld | None
    basis: DisclosureBasis
    consent_id: UUID | None
    until: Moment | None


class FileAccess(Wire):
    """A file that comes with it: as open as the less open of its own section and of the papers that name it."""

    id: UUID
    section: Section
    media_type: str | None
    """None until the file is open."""
    size: int | None
    """In bytes; None until the file is open."""
    access: Literal["preview", "full", "locked", "ended", "closed"]
    withheld_by: Withheld | None


class DisclosureView(Wire):
    """What a referral or transfer discloses, to whom, on what, until when; and by which rule everything else is withheld."""

    id: UUID
    reference: str
    state: str
    role: Literal["sender", "receiver", "lead"]
    """As what the caller asks."""
    sender: AgencyRef
    receiver: AgencyRef
    purpose: Purpose
    crosses_border: Flag
    sections: list[SectionAccess]
    """Every section there can be. What is withheld by the tables or for want of a basis stands here alike whether or not a record holds it."""
    files: list[FileAccess]
    """The files that come with it; none of a section that nothing opens."""
    words: list[WordsAccess]
    back: list[FlowsBack]
    """What flows back to the sender."""


class PreviewBasis(Wire):
    """What would be a basis: its kind and sections. No reason yet."""

    kind: Literal[
        "consent", "legal_obligation", "public_task", "best_interests_of_child", "vital_interest", "court_order"
    ]
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]
    until: Moment | None = None
    consent_id: UUID | None = None
    """Of `consent`: one of the case; left out, the one in the same request."""

    @model_validator(mode="after")
    def _only_consent_has_one(self) -> Self:
        if self.consent_id is not None and self.kind != "consent":
            raise PydanticCustomError("consent_of_another_basis", "Only a basis of kind consent has consent_id")
        return self


class PreviewDisclosure(RequestBody):
    """What somebody thinks of sending."""

    receiver: AgencyCode | None = None
    """An agency; or `receiver_kind`."""
    receiver_kind: AgencyKind | None = None
    """Any agency of this kind in the country of the exchange, with which there is no agreement."""
    purpose: Purpose
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]
    """What the record would include."""
    bases: Annotated[tuple[PreviewBasis, ...], Field(max_length=15)] = ()
    case_id: UUID | None = None
    """The case, for its consents."""
    consent: NewConsent | None = None
    """A consent that would be recorded with it. It is not recorded by this."""

    @model_validator(mode="after")
    def _one_receiver(self) -> Self:
        if (self.receiver is None) == (self.receiver_kind is None):
            raise PydanticCustomError("receiver_once", "Give receiver or receiver_kind, one of them")
        if self.consent is None and any(each.kind == "consent" and each.consent_id is None for each in self.bases):
            raise PydanticCustomError(
                "consent_missing", "A basis of kind consent needs consent_id, or consent in the request"
            )
        return self


class SectionVerdict(Wire):
    """Whether one section could go."""

    section: Section
    sendable: Flag
    reason: str | None
    """Why not: as `refused` of the problem `disclosure-refused` has it."""
    purpose_allows: Flag
    """Whether the table has it for this purpose."""
    kind_allows: Flag
    """Whether the table has it for the receiver's kind of agency."""
    agreement_allows: Flag | None
    """Whether the agreements in force let it go; None: they have none and need none."""
    basis: DisclosureBasis | None
    """The basis that names it, if exactly one does."""
    consent_id: UUID | None
    until: Moment | None
    """Until when it would be open: to the end of the basis or of the consent, whichever comes first."""


class RefusedSection(Wire):
    """A section that would be refused."""

    section: Section
    reason: str


class AgreementInForce(Wire):
    """A data-sharing agreement in force by which the caller may send the receiver something."""

    sections: list[Section]
    purposes: list[Purpose]
    since: Moment
    until: Moment | None


class PreviewedDisclosure(Wire):
    """What sending would be answered with, as far as the disclosure decides; nothing was sent and nothing is kept."""

    receiver: AgencyRef | None
    receiver_kind: AgencyKind
    purpose: Purpose
    allowed: Flag
    """Whether everything may go."""
    refusal: Literal["disclosure-refused", "agreement-required"] | None
    """The problem that sending would be answered with."""
    sections: list[SectionVerdict]
    refused: list[RefusedSection]
    sendable_sections: list[Section]
    crosses_border: Flag
    agreements: list[AgreementInForce]
    back: list[FlowsBack]
    """What would flow back to the caller's kind of agency."""

"""Consents: what a person agreed to have disclosed, how that can be proved, and what became of it."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Day, Flag, Moment, Wire
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import (
    ChildAssent,
    ConsentGiver,
    ConsentMethod,
    InterpreterRole,
    NoticeItem,
    Section,
)
from schemas.codes.referral import MoveChannel, Purpose
from schemas.exchange.common import AgencyRef, MoveRequest
from schemas.text import AgencyCode, LanguageTag, Line, Number, Sha256, Text

Sections = Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]

_FOR_CHILDREN = frozenset(
    {ConsentGiver.PARENT, ConsentGiver.GUARDIAN, ConsentGiver.COURT_GUARDIAN, ConsentGiver.STATE_AUTHORITY}
)
_BY_DECISION = frozenset({ConsentGiver.COURT_GUARDIAN, ConsentGiver.STATE_AUTHORITY})


class ConsentInterpreter(Wire):
    """Who interpreted, by role and never by name; left out where nobody had to."""

    role: InterpreterRole
    independent: Flag
    """Neither a relative nor a companion, nor of those who exploited the person or gain by the answer."""

    @model_validator(mode="after")
    def _somebody_interpreted(self) -> Self:
        if self.role is InterpreterRole.NONE:
            raise PydanticCustomError("no_interpreter", "Leave the interpreter out where there was none")
        return self


class ConsentNotice(Wire):
    """What the person was told before they agreed (UU 27/2022 art 21)."""

    version: Line
    """The version of the text that was read out or given."""
    language: LanguageTag | None = None
    """The language of that text, if it is another than that of the talk."""
    items: Annotated[tuple[NoticeItem, ...], Field(max_length=20)]
    """What it said. Where one of the seven of art 21(1) is missing, the consent is void and is not recorded."""


class ConsentEvidence(Wire):
    """What proves the consent: the recording or the signed paper as a file that was uploaded, or its digest and where it is kept, or both."""

    sha256: Sha256 | None = None
    """SHA-256 of the signed paper or recording, salted by its keeper."""
    attachment: UUID | None = None
    """The recording, or a scan of the paper: the id of what was uploaded (`POST /v1/attachments`). Read by who may read the consent, and by
    nobody else: `GET /v1/cases/{id}/consents/{id}/evidence/{id}`."""
    kept_by: AgencyCode | None = None
    """The agency that keeps the thing itself; left out, the one that records the consent."""

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        if self.sha256 is None and self.attachment is None:
            raise PydanticCustomError("no_evidence", "Give sha256 or attachment, or both")
        return self


class ConsentDecision(Wire):
    """The court's or the authority's decision by which somebody decides for the person."""

    authority: Line
    number: Number
    date: Day


class ChildsView(Wire):
    """What the child says. A child is who is not yet 18, or may not be (UU 35/2014 art 1)."""

    assent: ChildAssent
    own_view: Text | None = None
    """In the child's own words."""


class ConsentAct(RequestBody):
    """How somebody agreed: who, in what way, told what. HTCDS has one checkbox, `con_Consent`."""

    giver: ConsentGiver
    method: ConsentMethod
    """What was only `spoken` may be recorded, so that it is known; nothing can rest on it."""
    language: LanguageTag
    """The language in which it was explained."""
    interpreter: ConsentInterpreter | None = None
    given_at: Moment
    notice: ConsentNotice
    witness: Line | None = None
    """Who witnessed it, by role and never by name."""
    evidence: ConsentEvidence | None = None
    decision: ConsentDecision | None = None
    """Required of a guardian appointed by a court, and of a state authority."""
    child: ChildsView | None = None
    """Present if the person is a child, and only then: others decide, and the child is heard."""
    communication: Line | None = None
    """For a person with a disability: by what it was made understandable (UU 27/2022 art 26(2))."""

    @model_validator(mode="after")
    def _somebody_may_decide(self) -> Self:
        if self.child is not None and self.giver not in _FOR_CHILDREN:
            raise PydanticCustomError(
                "child_decides_not_alone", "A parent, a guardian or the state decides for a child"
            )
        if self.child is None and self.giver in (ConsentGiver.PARENT, ConsentGiver.STATE_AUTHORITY):
            raise PydanticCustomError("decides_for_children_only", "Who decides for a child needs `child`")
        if self.child is None and self.giver is ConsentGiver.GUARDIAN and self.communication is None:
            raise PydanticCustomError(
                "guardian_of_an_adult", "For an adult a guardian decides by a disability only: `communication`"
            )
        if self.giver in _BY_DECISION and self.decision is None:
            raise PydanticCustomError("decision_missing", "Who decides by a decision names it")
        if self.method is ConsentMethod.SPOKEN and self.evidence is not None:
            raise PydanticCustomError("spoken_has_no_evidence", "What was recorded is not merely spoken")
        return self


class NewConsent(ConsentAct):
    """What a person (or who may decide for them) agreed to: which sections, for whom, for what, until when."""

    until: Moment | None = None
    sections: Sections
    """The sections that may be disclosed."""
    agencies: Annotated[tuple[AgencyCode, ...], Field(max_length=50)] = ()
    """The agencies that may get them."""
    agency_kinds: Annotated[tuple[AgencyKind, ...], Field(max_length=30)] = ()
    """Or every agency of these kinds."""
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=15)]

    @model_validator(mode="after")
    def _names_recipients(self) -> Self:
        if not self.agencies and not self.agency_kinds:
            raise PydanticCustomError("no_recipient", "Consent names agencies or kinds of agency")
        if self.until is not None and self.until <= self.given_at:
            raise PydanticCustomError("until_before_given", "until is not after given_at")
        return self


class ReconfirmConsent(ConsentAct):
    """The person was asked again, and still agrees to what the consent covers. It is proved like a new one."""


class _TakenBack(MoveRequest):
    """Who takes something back, and when they said so."""

    requested_by: ConsentGiver
    requested_at: Moment
    """When they said so: from then on the answers are due."""
    reason: Text | None = None
    """Only if they gave one; nobody has to."""


class WithdrawConsent(_TakenBack):
    """The person (or who may decide for them) takes a consent back. Whoever hears of it records it."""

    sections: Sections | None = None
    """Only these; left out: all of it."""


class NarrowConsent(_TakenBack):
    """The person (or who may decide for them) agrees to less from now on. Named is what is taken back; the rest stays."""

    sections: Annotated[tuple[Section, ...], Field(max_length=15)] = ()
    """No longer these sections."""
    agencies: Annotated[tuple[AgencyCode, ...], Field(max_length=50)] = ()
    """No longer these agencies, also where their kind is named."""
    agency_kinds: Annotated[tuple[AgencyKind, ...], Field(max_length=30)] = ()
    """No longer agencies of these kinds, unless they are named themselves."""
    purposes: Annotated[tuple[Purpose, ...], Field(max_length=15)] = ()
    """No longer for these purposes."""
    until: Moment | None = None
    """Ends earlier, in the future."""

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.sections or self.agencies or self.agency_kinds or self.purposes or self.until):
            raise PydanticCustomError("nothing_named", "Name what is taken back")
        return self


class Withdrawal(Wire):
    """Something of a consent taken back: a section, a receiver, a purpose, a time, or all of it."""

    id: UUID
    event: str
    """`withdrawn`, or `narrowed`."""
    sections: list[Section]
    """The sections taken back; none where it is about receivers, purposes or the time."""
    agencies: list[str]
    agency_kinds: list[AgencyKind]
    purposes: list[Purpose]
    until: Moment | None
    """The earlier end."""
    requested_by: ConsentGiver
    requested_at: Moment
    recorded_at: Moment
    recorded_by: AgencyRef
    channel: MoveChannel
    reason: str | None


class Reconfirmation(Wire):
    """The person was asked again and still agrees."""

    id: UUID
    giver: ConsentGiver | None
    """None, like what follows, once it was erased."""
    method: ConsentMethod | None
    language: str | None
    interpreter: ConsentInterpreter | None
    given_at: Moment | None
    notice: ConsentNotice | None
    recorded_at: Moment
    recorded_by: AgencyRef


class Consent(Wire):
    """A consent of a case, as it stands."""

    id: UUID
    giver: ConsentGiver
    method: ConsentMethod
    language: str | None
    interpreter: ConsentInterpreter | None
    given_at: Moment
    notice: ConsentNotice | None
    """Like all that was said besides codes and times: None once it was erased."""
    witness: str | None
    evidence: ConsentEvidence | None
    decision: ConsentDecision | None
    child: ChildsView | None
    communication: str | None
    until: Moment | None
    withdrawn_at: Moment | None
    doubted_at: Moment | None
    """The system that recorded it was found compromised: it counts again when it is reconfirmed."""
    provable: bool
    """Whether anything can rest on it: not on what was only spoken, nor on what nobody but a biased interpreter has heard."""
    own: bool
    """Whether it counts as the person's own, as a foreign mission needs it."""
    sections: list[Section]
    """Those it still covers; of a consent withdrawn as a whole, those it covered last."""
    agencies: list[str]
    agency_kinds: list[AgencyKind]
    except_agencies: list[str]
    """Not these, although their kind is named: taken back since."""
    purposes: list[Purpose]
    recorded_by: AgencyRef
    recorded_at: Moment
    widens: UUID | None
    """The earlier consent that this one widens."""
    widened_by: list[UUID]
    """The later acts of consent that widen it, each with its own proof."""
    withdrawals: list[Withdrawal]
    reconfirmations: list[Reconfirmation]


class ConsentPage(Wire):
    """The consents of one case."""

    items: list[Consent]

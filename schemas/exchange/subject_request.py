"""Subject requests: what a person asks about their data, and what became of it (UU 27/2022 art 5 to 15, 30 to 33, 41 to 44)."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Day, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section
from schemas.codes.protection import (
    CopyDelivery,
    IdentityCheck,
    IdentityCheckedBy,
    RefusalGround,
    RestrictionEnd,
    SubjectRequester,
    SubjectRequestKind,
)
from schemas.exchange.common import AgencyRef
from schemas.text import Line, Text

Sections = Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]


class NewSubjectRequest(RequestBody):
    """What the person, or somebody for them, asks. Any party of the case writes it down; it goes to the case's lead."""

    case_id: UUID
    kind: SubjectRequestKind
    requester: SubjectRequester
    identity_check: IdentityCheck
    """How it was made sure that they are who they say, and may ask."""
    identity_checked_by: IdentityCheckedBy
    sections: Sections | None = None
    """About which sections; unset: about all."""
    received_at: Moment
    """When they asked, wherever that was. The three days are counted from then."""
    text: Text | None = None
    """What they said, in their words."""


class AnswerSubjectRequest(RequestBody):
    """What the lead answers, once."""

    answer: Literal["granted", "granted_in_part", "refused"]
    sections: Sections | None = None
    """Which sections the grant reaches; unset: those asked about. Required with `granted_in_part`."""
    refusal_ground: RefusalGround | None = None
    """Required with `refused` and `granted_in_part`."""
    text: Text | None = None
    """Why; required with a ground."""
    correction: UUID | None = None
    """Of a granted correction: the correction that was made."""
    delivery: CopyDelivery | None = None
    delivered_on: Day | None = None
    """Of a granted access or copy, once it has been handed over: how and when. They may be left out, and the copy be made after the answer."""

    @model_validator(mode="after")
    def _answer_has_what_it_needs(self) -> Self:
        refuses = self.answer != "granted"
        if refuses != (self.refusal_ground is not None) or (refuses and self.text is None):
            raise PydanticCustomError("ground_with_refusal", "A refusal has a ground and a text; a grant has no ground")
        if self.answer == "granted_in_part" and self.sections is None:
            raise PydanticCustomError("sections_required", "A grant in part names its sections")
        if self.answer == "refused" and (self.sections or self.correction or self.delivery or self.delivered_on):
            raise PydanticCustomError("nothing_granted", "A refusal grants nothing")
        if (self.delivery is None) != (self.delivered_on is None):
            raise PydanticCustomError("delivery_incomplete", "How and when it was handed over belong together")
        return self


class CourtPaper(Wire):
    """A court's order."""

    authority: Line
    """Which court."""
    number: Line
    dated_on: Day


class RestrictionWish(Wire):
    """Who asks that data be used again, and how it was made sure that they may."""

    requester: Literal["person", "parent", "guardian", "court_guardian", "representative"]
    identity_check: IdentityCheck
    identity_checked_by: IdentityCheckedBy
    asked_at: Moment


class LiftRestriction(RequestBody):
    """Why a granted restriction is over."""

    ground: RestrictionEnd
    text: Text
    """Why, in words; read by the lead, who wrote the request down, and protection officers."""
    wish: RestrictionWish | None = None
    """With `person_asked`, and with nothing else."""
    person_told_at: Moment | None = None
    """With `reason_ended`, and with nothing else: when the person was told that it will be lifted."""
    order: CourtPaper | None = None
    """With `court_order`, and with nothing else."""

    @model_validator(mode="after")
    def _ground_has_what_it_needs(self) -> Self:
        given = {"person_asked": self.wish, "reason_ended": self.person_told_at, "court_order": self.order}
        if {ground for ground, said in given.items() if said is not None} != {str(self.ground)}:
            raise PydanticCustomError(
                "said_of_another_ground",
                "person_asked has a wish, reason_ended person_told_at, court_order an order, and none has another's",
            )
        return self


class Lift(Wire):
    """What was said when a restriction was lifted; None once it is erased."""

    text: str | None
    wish: RestrictionWish | None
    person_told_at: Moment | None
    order: CourtPaper | None


class SubjectRequestEnvelope(Wire):
    """A subject request without what is said in it."""

    id: UUID
    case_id: UUID
    kind: SubjectRequestKind
    requester: SubjectRequester
    identity_check: IdentityCheck
    identity_checked_by: IdentityCheckedBy
    recorded_by: AgencyRef
    sections: list[Section]
    """Empty: all."""
    received_at: Moment
    recorded_at: Moment
    due_at: Moment
    clock: Literal["ok", "due", "overdue"]
    state: Literal["open", "answered"]
    answer: str | None
    granted_sections: list[Section]
    refusal_ground: RefusalGround | None
    correction: UUID | None
    delivery: CopyDelivery | None
    delivered_on: Day | None
    answered_at: Moment | None
    answered_by: AgencyRef | None
    erased_at: Moment | None
    """Of a granted erasure: when the exchange itself had erased it, after the holders' answers."""
    lifted_at: Moment | None
    """Of a granted restriction: since when it is over."""
    lifted_by: AgencyRef | None
    lift_ground: RestrictionEnd | None


class SubjectRequest(SubjectRequestEnvelope):
    """A subject request as its author and the case's lead read it."""

    text: str | None
    answer_text: str | None
    lift: Lift | None
    requests: list[UUID]
    """What holders were asked in its consequence; for the lead."""


class SubjectRequestPage(Wire):
    """A page of subject requests."""

    items: list[SubjectRequestEnvelope]
    next: str | None

"""Requests about data: what a holder, a lead or an author is asked, by when, and what it answered."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Moment, Wire
from schemas.codes.disclosure import Section, WithdrawalAnswer
from schemas.exchange.basis import Basis
from schemas.exchange.common import AgencyRef, MoveRequest
from schemas.text import LegalBasisCode, Line, Text

RequestKind = Literal["erasure", "correction", "reseal"]


class AnswerRequest(MoveRequest):
    """What was done about it."""

    answer: WithdrawalAnswer | Literal["corrected", "refused"]
    """To an erasure request: `erased`, `restricted`, `kept` or `re_based`; to a proposed correction: `corrected` or `refused`; to a request to
    seal again: `refused`, or the new version itself, which answers it as `resealed`."""
    text: Text | None = None
    """Why; required with `kept` and `refused`."""
    legal_basis: LegalBasisCode | None = None
    article: Line | None = None
    """By which law it is kept; both required with `kept`."""
    bases: Annotated[tuple[Basis, ...], Field(max_length=15)] = ()
    """With `re_based`: on what the named sections rest from now on. They open again; what is not named stays locked."""
    correction: UUID | None = None
    """With `corrected`: the correction that was made."""

    @model_validator(mode="after")
    def _answer_has_what_it_needs(self) -> Self:
        if self.answer in ("kept", "refused") and self.text is None:
            raise PydanticCustomError("text_required", "This answer needs a text")
        if (self.answer == "kept") != (self.legal_basis is not None) or (self.answer == "kept") != (
            self.article is not None
        ):
            raise PydanticCustomError("legal_basis_with_kept", "kept names a law and an article; no other answer does")
        if (self.answer == "re_based") != bool(self.bases):
            raise PydanticCustomError("bases_with_re_based", "re_based brings bases; no other answer does")
        if (self.answer == "corrected") != (self.correction is not None):
            raise PydanticCustomError("correction_with_corrected", "corrected names a correction; no other answer does")
        if any(basis.kind == "consent" and basis.consent_id is None for basis in self.bases):
            raise PydanticCustomError("consent_missing", "A basis of kind consent needs consent_id")
        return self


class RequestEnvelope(Wire):
    """A request without what is said in it."""

    id: UUID
    case_id: UUID
    kind: RequestKind
    cause: str
    """`consent_withdrawn`, `transfer_aborted`, `version_retracted`, `erasure_asked` and `restriction_asked` by the person, `proposed`, `key_lost`,
    `key_ended`, `cannot_open`."""
    asked_by: AgencyRef
    asked: AgencyRef
    subject: str
    """What it is about: `consent`, `referral`, `transfer`, `record_version`, `subject_request` or `case`."""
    subject_id: UUID
    record_version: UUID | None
    sections: list[Section]
    requested_at: Moment
    """When the person asked; else when it was recorded."""
    recorded_at: Moment
    due_at: Moment
    clock: Literal["ok", "due", "overdue"]
    state: Literal["open", "answered"]
    answer: str | None
    answered_at: Moment | None


class Request(RequestEnvelope):
    """A request as its two sides and the lead may read it."""

    text: str | None
    pointers: list[str]
    """Of a proposed correction: what in the record is wrong."""
    answer_text: str | None
    legal_basis: str | None
    article: str | None
    correction: UUID | None


class RequestPage(Wire):
    """A page of requests."""

    items: list[RequestEnvelope]
    next: str | None

"""Reviews: what was disclosed without consent is judged afterwards, by the reviewing agency."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Day, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section
from schemas.exchange.basis import Basis, ReviewState
from schemas.exchange.common import AgencyRef, MoveRequest
from schemas.text import Text


class ReviewEnvelope(Wire):
    """What lists return: who disclosed which sections to whom on what basis, and until when it must be judged."""

    id: UUID
    case_id: UUID
    basis: str
    """A code of `disclosure_basis`; `emergency_access` where nothing was sent."""
    subject: Literal["referral", "transfer", "emergency_access"]
    subject_id: UUID
    sender: AgencyRef | None
    """Who disclosed; nobody in an emergency access."""
    receiver: AgencyRef
    sections: list[Section]
    despite_restriction: list[Section]
    """Of these, what the person had restricted, or asked to erase, when it was disclosed."""
    legal_basis: str | None
    article: str | None
    article_known: bool | None
    """Whether the list `legal_article` has it; None where no law is named."""
    opened_at: Moment
    due_at: Moment
    clock: Literal["ok", "due", "overdue"]
    state: ReviewState
    decided_at: Moment | None


class CourtOrder(Wire):
    """The order a disclosure rests on."""

    authority: str | None
    number: str | None
    date: Day | None
    scope: list[Section] | None
    addressed_to: str | None
    valid_until: Day | None


class Review(ReviewEnvelope):
    """A review; the written reason, the person and the ground are for the reviewers and who disclosed."""

    reason: str | None
    court_order: CourtOrder | None
    disclosed_by: AgencyRef | None
    """Whose act it was: mostly the sender's; the desk's where it re-routed."""
    disclosed_actor: str | None
    """The agency's own reference of the person."""
    log_entry: UUID | None
    """The entry of the log about the disclosure."""
    decided_by: AgencyRef | None
    ground: str | None
    moves: list[str]
    """What the caller may do now: `justify`, `find-unjustified`."""


class ReviewPage(Wire):
    """A page of reviews, the one due first first."""

    items: list[ReviewEnvelope]
    next: str | None


class Justify(RequestBody):
    """There was a ground for it."""

    text: Text
    """Why; read by who disclosed."""
    until: Moment | None = None
    """Of a vital interest: let it last until then. Left out: it was right, and ends when it would have ended."""


class FindUnjustified(RequestBody):
    """There was no ground for it."""

    text: Text
    """Why; read by who disclosed."""


class Rebase(MoveRequest):
    """On what the named sections rest from now on."""

    bases: Annotated[tuple[Basis, ...], Field(min_length=1, max_length=15)]

    @model_validator(mode="after")
    def _consents_are_named(self) -> Self:
        if any(basis.kind == "consent" and basis.consent_id is None for basis in self.bases):
            raise PydanticCustomError("consent_missing", "A basis of kind consent needs consent_id")
        return self

"""What allows a disclosure: consent, or a named legal basis (UU 27/2022 art 20(2))."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Day, Flag, Moment, Wire
from schemas.codes.disclosure import DisclosureBasis, LockReason, Section
from schemas.text import AgencyCode, LegalBasisCode, Line, Number, Text


class _Basis(Wire):
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]
    """The sections that rest on it. Every included section rests on exactly one basis."""
    until: Moment | None = None
    """When it ends; the sections close then."""
    onward: Flag = False
    """Whether the receiver may refer on."""


class ConsentBasis(_Basis):
    """The person's consent."""

    kind: Literal["consent"]
    consent_id: UUID | None = None
    """A consent of this case; left out, the one in the same request."""


class LegalBasis(_Basis):
    """A duty or task given by law; the best interests of a child are grounded in one. The law is in force today, and the article may ground it.

    An article that the list `legal_article` does not have is taken with a warning. Reviewed afterwards.
    """

    kind: Literal["legal_obligation", "public_task", "best_interests_of_child"]
    legal_basis: LegalBasisCode
    article: Line
    reason: Text


class VitalInterestBasis(_Basis):
    """Life or safety is at stake. Opens identity, location, safety, health and needs, within the country.

    Ends when its review is due, 72 hours from now at the latest: until then its sender gives it another basis.
    """

    kind: Literal["vital_interest"]
    reason: Text


class CourtOrderBasis(_Basis):
    """A court has ordered it. Reviewed afterwards."""

    kind: Literal["court_order"]
    authority: Line
    number: Number
    date: Day
    scope: Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]
    """The sections the order names; all that rest on it are among them."""
    addressed_to: AgencyCode
    """Whom it binds: who discloses or who receives."""
    valid_until: Day | None = None
    """The order's last day, where it has one; what rests on it ends then."""
    reason: Text


Basis = Annotated[ConsentBasis | LegalBasis | VitalInterestBasis | CourtOrderBasis, Field(discriminator="kind")]


ReviewState = Literal["waiting", "justified", "not_justified", "re_based", "closed"]
"""`re_based`: it rests on something else now; `closed`: its time ran out before anybody judged it."""


class ReviewOutcome(Wire):
    """How the review of a basis other than consent stands."""

    id: UUID
    state: ReviewState
    due_at: Moment
    decided_at: Moment | None


class Disclosure(Wire):
    """A basis as it stands: which sections, until when, and whether they are open to the receiver."""

    basis: DisclosureBasis
    consent_id: UUID | None
    legal_basis: str | None
    article: str | None
    sections: list[Section]
    until: Moment | None
    onward: bool
    access: Literal["preview", "full", "locked", "ended", "closed"]
    """`preview`: not yet accepted; `ended`: the basis has run out; `locked`: see `locked_because`; `closed`: the referral ended without
    acceptance, or the sections rest on another basis now."""
    locked_because: LockReason | None
    """Why it is locked, or has ended."""
    review: ReviewOutcome | None
    """Of a basis other than consent."""

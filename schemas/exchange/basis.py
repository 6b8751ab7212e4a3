"""What allows a disclosure: consent, or a named legal basis (UU 27/2022 art 20(2))."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Day, Flag, Moment, Wire
from schemas.codes.disclosure import DisclosureBasis, LockReason, Section
from schemas.text import LegalBasisCode, Line, Number, Text


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
    """A duty or task given by law; the best interests of a child are grounded in one."""

    kind: Literal["legal_obligation", "public_task", "best_interests_of_child"]
    legal_basis: LegalBasisCode
    article: Line
    reason: Text


class VitalInterestBasis(_Basis):
    """Life or safety is at stake. Opens identity, location, safety, health and needs, within the country; reviewed afterwards."""

    kind: Literal["vital_interest"]
    reason: Text


class CourtOrderBasis(_Basis):
    """A court has ordered it."""

    kind: Literal["court_order"]
    authority: Line
    number: Number
    date: Day
    reason: Text


Basis = Annotated[ConsentBasis | LegalBasis | VitalInterestBasis | CourtOrderBasis, Field(discriminator="kind")]


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
    """`preview`: not yet accepted; `ended`: the basis has run out; `locked`: its consent was taken back or is in doubt, or the record retracted;
    `closed`: the referral ended without acceptance."""
    locked_because: LockReason | None = None
    """Why it is locked, or has ended."""

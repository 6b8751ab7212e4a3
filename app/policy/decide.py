"""The decision, pure: what was asked, what the table says, what may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from app.policy import table
from app.policy.agreements import Agreed
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis
from schemas.codes.referral import Purpose

_NO_FAULTS: Final[Mapping[str, str]] = MappingProxyType({})


class BasisLike(Protocol):
    """A basis, as far as the decision needs it."""

    @property
    def kind(self) -> str:
        """One of `disclosure_basis`."""

    @property
    def sections(self) -> Sequence[str]:
        """The sections that rest on it."""

    @property
    def until(self) -> datetime | None:
        """When it ends."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which of the included sections may go, and why each other one may not."""

    sendable: tuple[str, ...]
    refused: dict[str, str]
    """Section → `no_basis`, `two_bases`, `basis_does_not_open`, `basis_ended`, `purpose`, `agency_kind`, `consent_only`, `abroad`,
    `agreement`, `not_included`, or what makes its basis fail (app/policy/bases.py)."""

    @property
    def allowed(self) -> bool:
        """Whether everything may go."""
        return not self.refused


def decide(
    *,
    kind: AgencyKind,
    abroad: bool,
    purpose: Purpose,
    included: Iterable[str],
    bases: Sequence[BasisLike],
    at: datetime,
    agreed: Agreed | None,
    faults: Mapping[str, str] = _NO_FAULTS,
) -> Decision:
    """Decide about each included section for a receiver of `kind`; `abroad`: outside the country of the exchange.

    `agreed`: what the agreements between the two let go for this purpose; None: they have none and need none.
    `faults`: sections whose basis does not hold, with the reason.
    """
    sections = list(included)
    refused: dict[str, str] = {}
    for section in sections:
        resting = [basis for basis in bases if section in basis.sections]
        if not resting:
            refused[section] = "no_basis"
        elif len(resting) > 1:
            refused[section] = "two_bases"
        elif why := _refuse(section, resting[0], kind, abroad, purpose, at, agreed) or faults.get(section):
            refused[section] = why
    for basis in bases:
        for section in basis.sections:
            if section not in sections:
                refused[str(section)] = "not_included"
    return Decision(tuple(section for section in sections if section not in refused), refused)


def _refuse(
    section: str,
    basis: BasisLike,
    kind: AgencyKind,
    abroad: bool,
    purpose: Purpose,
    at: datetime,
    agreed: Agreed | None,
) -> str | None:
    basis_kind = DisclosureBasis(basis.kind)
    if section not in table.PURPOSES[purpose]:
        return "purpose"
    if section not in table.KINDS[kind]:
        return "agency_kind"
    if kind in table.CONSENT_ONLY and basis_kind is not DisclosureBasis.CONSENT:
        return "consent_only"
    if section not in table.BASES.get(basis_kind, frozenset()):
        return "basis_does_not_open"
    if abroad and basis_kind is DisclosureBasis.VITAL_INTEREST:
        return "abroad"
    if basis.until is not None and basis.until <= at:
        return "basis_ended"
    if agreed is not None and not agreed.lets(section, vital=basis_kind is DisclosureBasis.VITAL_INTEREST):
        return "agreement"
    return None


def covers(
    consent: Mapping[str, Any], section: str, *, receiver: str, kind: AgencyKind, purpose: Purpose, at: datetime
) -> bool:
    """Whether a consent, by its columns, covers a section for this receiver and purpose. The database asks the same before it sends."""
    return (
        consent["given_at"] <= at
        and (consent["until_at"] is None or consent["until_at"] > at)
        and consent.get("withdrawn_at") is None
        and section in consent["sections"]
        and (receiver in consent["agencies"] or kind in consent["agency_kinds"])
        and purpose in consent["purposes"]
    )


def back_state_only(sender: AgencyKind) -> bool:
    """Whether a sender of this kind learns no more than state, arrival and end (direction back)."""
    return sender in table.BACK_STATE_ONLY

"""The decision, pure: what was asked, what the table says, what may go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from app.policy import consents, table
from app.policy.agreements import Agreed
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import ChildAssent, DisclosureBasis
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
    if why := why_not_open(section, kind=kind, purpose=purpose):
        return why
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


def goes_despite_restriction(kind: str) -> bool:
    """Whether a basis of this kind lets go what the person had restricted. Of a consent the database knows whether it was given since."""
    return kind in table.DESPITE_RESTRICTION


def restricted_of(bases: Iterable[BasisLike], restricted: Collection[str]) -> list[str]:
    """Return the sections that a restriction keeps back, of those that rest on anything but a consent."""
    return [
        str(section)
        for basis in bases
        if basis.kind != DisclosureBasis.CONSENT and not goes_despite_restriction(basis.kind)
        for section in basis.sections
        if section in restricted
    ]


def despite_restriction(bases: Sequence[BasisLike], restricted: Collection[str]) -> dict[int, list[str]]:
    """Return the restricted sections that go all the same, by the place of the basis they rest on."""
    found = {
        place: [str(section) for section in basis.sections if section in restricted]
        for place, basis in enumerate(bases)
        if goes_despite_restriction(basis.kind)
    }
    return {place: sections for place, sections in found.items() if sections}


def uncovered(
    consent: Mapping[str, Any],
    section: str,
    *,
    receiver: str,
    kind: AgencyKind,
    purpose: Purpose,
    at: datetime,
    child: bool = False,
) -> str | None:
    """Return why a section cannot rest on a consent for this receiver and purpose, by the consent's columns, or None if it can.

    `child`: the record says that the person is a child. The reasons: `consent` (it does not cover this, or is over), `consent_not_provable`,
    `consent_without_assent`, `consent_not_for_child`, `consent_not_own`. The database asks the same, and of a stored consent whether it is in
    doubt, before anything is sent (`consent_gaps`).
    """
    if not (
        consent["given_at"] <= at
        and (consent["until_at"] is None or consent["until_at"] > at)
        and section in consent["sections"]
        and (receiver in consent["agencies"] or kind in consent["agency_kinds"])
        and purpose in consent["purposes"]
    ):
        return "consent"
    if not consents.provable(consent):
        return "consent_not_provable"
    if consent["assent"] == ChildAssent.REFUSED:
        return "consent_without_assent"
    if child and not consent["for_child"]:
        return "consent_not_for_child"
    if kind in table.CONSENT_ONLY and not consents.own(consent):
        return "consent_not_own"
    return None


def flows_back(sender: AgencyKind, *, agreed: bool = True) -> frozenset[table.Back]:
    """Return what of the receiver's doing and saying flows back to a sender of this kind (direction back).

    `agreed`: not recorded across the border on a day without an agreement.
    """
    return table.BACK[sender] if agreed else table.BACK[sender] & table.BACK_WITHOUT_AGREEMENT


def fields_back(event: str, flowing: frozenset[table.Back], *, accepted: bool = False) -> frozenset[str]:
    """Return the fields of a receiver's move that a sender learns to whom this flows back; `accepted`: whether it was, before the move."""
    row = table.BACK_MOVES.get("decline_accepted" if event == "decline" and accepted else event, {})
    return frozenset(name for name, what in row.items() if what in flowing)


def unsaid(event: str, flowing: frozenset[table.Back]) -> bool:
    """Whether a sender to whom this flows back does not even learn that the move was made."""
    return event in table.UNSAID and table.UNSAID[event] not in flowing


def kinds_not_told(event: str) -> list[str]:
    """Return the kinds of sender that are not told of a receiver's move."""
    return sorted(kind for kind, flowing in table.BACK.items() if unsaid(event, flowing))


def why_not_open(section: str, *, kind: AgencyKind, purpose: Purpose) -> str | None:
    """Return what the tables themselves say against a section, whatever a record holds: `purpose`, `agency_kind`, or None."""
    if section not in table.PURPOSES[purpose]:
        return "purpose"
    return None if section in table.KINDS[kind] else "agency_kind"

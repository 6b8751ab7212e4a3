"""Whether a basis other than consent holds: the law on that day, its article, the order of a court, the child. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from app.foundation.zones import WIB, WIT
from schemas.codes.disclosure import DisclosureBasis
from schemas.codes.laws import articles_in, grounds_of, in_force, known_articles, law_of
from schemas.exchange.basis import Basis, CourtOrderBasis, LegalBasis

_GROUND_A_CHILDS_BEST_INTERESTS: Final = frozenset({DisclosureBasis.LEGAL_OBLIGATION, DisclosureBasis.PUBLIC_TASK})
"""The best interests of a child are no ground of UU 27/2022 art 20 of their own: one of these must stand behind them."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a basis is judged by, besides itself."""

    at: datetime
    parties: tuple[str, ...]
    """The codes of who discloses and of who receives."""
    adult: bool = False
    """Whether the record says, undisputed, that the person is grown up."""


def day_of(at: datetime) -> date:
    """Return the country's date at a moment: the capital's."""
    return at.astimezone(WIB).date()


def end_of(day: date) -> datetime:
    """Return the moment at which a day ends in the capital."""
    return datetime.combine(day + timedelta(days=1), time(), WIB)


def fault_of(basis: Basis, asking: Asking) -> str | None:
    """Return why a basis does not hold today, or None. The codes stand in `disclosure-refused`."""
    if isinstance(basis, LegalBasis):
        return _fault_of_law(basis, asking)
    if isinstance(basis, CourtOrderBasis):
        return _fault_of_order(basis, asking)
    return None


def _fault_of_law(basis: LegalBasis, asking: Asking) -> str | None:
    law = law_of(basis.legal_basis)
    if law is None:
        return "legal_basis_unknown"
    if not in_force(law, day_of(asking.at)):
        return "legal_basis_not_in_force"
    child = basis.kind == "best_interests_of_child"
    wanted = _GROUND_A_CHILDS_BEST_INTERESTS if child else frozenset({basis.kind})
    for article in articles_in(basis.article) or ():
        grounds = grounds_of(basis.legal_basis, article)
        if grounds is not None and not grounds & wanted:
            return "article_does_not_ground"
    return "not_a_child" if child and asking.adult else None


def _fault_of_order(basis: CourtOrderBasis, asking: Asking) -> str | None:
    if basis.date > asking.at.astimezone(WIT).date():  # the day begins in the east
        return "court_order_in_the_future"
    if basis.valid_until is not None and basis.valid_until < day_of(asking.at):
        return "court_order_expired"
    if basis.addressed_to not in asking.parties:
        return "court_order_for_another"
    return None


def faults(bases: Sequence[Basis], asking: Asking) -> dict[str, str]:
    """Return each section whose basis does not hold, with the reason; of a court's order, each section it does not name."""
    found: dict[str, str] = {}
    for basis in bases:
        fault = fault_of(basis, asking)
        for section in basis.sections:
            if fault is not None:
                found[section] = fault
            elif isinstance(basis, CourtOrderBasis) and section not in basis.scope:
                found[section] = "court_order_scope"
    return found


def replaced(bases: Sequence[Basis], at: datetime) -> Mapping[str, str | None]:
    """Return the laws named that are not in force, each with what replaced it."""
    named = {basis.legal_basis: law_of(basis.legal_basis) for basis in bases if isinstance(basis, LegalBasis)}
    return {code: law.replaced_by for code, law in named.items() if law is not None and not in_force(law, day_of(at))}


def unknown_articles(bases: Sequence[Basis]) -> list[int]:
    """Return the places of bases whose article the list does not have: taken, with a warning, and reviewed."""
    return [
        place
        for place, basis in enumerate(bases)
        if isinstance(basis, LegalBasis) and not known_articles(basis.legal_basis, basis.article)
    ]


def ends(basis: Basis) -> datetime | None:
    """Return when a basis ends: when it says so, and a court's order with its last day."""
    if isinstance(basis, CourtOrderBasis) and basis.valid_until is not None:
        last = end_of(basis.valid_until)
        return last if basis.until is None else min(basis.until, last)
    return basis.until

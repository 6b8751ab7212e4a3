"""What two agencies have agreed that one may send the other, pure: read from the directory's snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auth.directory import AgencyEntry, Snapshot
from schemas.codes.referral import Purpose


@dataclass(frozen=True, slots=True)
class Agreed:
    """The bounds that agreements set to what one agency sends another for one purpose."""

    sections: frozenset[str]
    crosses_border: bool

    def lets(self, section: str, *, vital: bool) -> bool:
        """Whether a section may go. `vital`: on a vital interest, which inside the country needs no agreement, and which none bounds."""
        return section in self.sections or (vital and not self.crosses_border)


def crosses_border(sender: AgencyEntry, receiver: AgencyEntry, *, home: str) -> bool:
    """Whether what passes between two agencies leaves or enters `home`, the country of the exchange: not both are in it."""
    return not sender.country == receiver.country == home


def agreed(
    directory: Snapshot, sender: AgencyEntry, receiver: AgencyEntry, purpose: Purpose, *, home: str, at: datetime
) -> Agreed | None:
    """Return what `sender` may send `receiver` by the agreements in force at `at`; None: nothing bounds it but the policy's tables.

    Across the border there must be one. Inside the country the two need none; once they have had one, only what one in force covers goes:
    who ends an agreement opens nothing by it.
    """
    abroad = crosses_border(sender, receiver, home=home)
    made = directory.sharing(sender.id, receiver.id, at)
    if not made and not abroad:
        return None
    covering = (each.sections for each in made if each.counts(at) and purpose in each.purposes)
    return Agreed(frozenset().union(*covering), abroad)

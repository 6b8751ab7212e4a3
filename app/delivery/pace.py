"""How much is under way to each receiver, and how much may be, by how it has answered this process lately.

Whoever has not been heard from begins with little, and with each quick success may have one more under way. One that was slow, or is slow just now,
has a single one under way for a minute, as one that fails has, and all of these share a quarter of the places: so one that answers and hangs by
turns takes no more places than one that only hangs. Memory of one process, of a minute.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

SLOW: Final = 5.0
"""Seconds from which on an answer is slow."""
FIRST: Final = 2
"""What may be under way to a receiver that has not been heard from."""
REMEMBERED: Final = 60.0
"""Seconds that slowness counts, and after which who has been sent nothing is forgotten."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a webhook has of this process's places."""

    busy: int
    """How much of it is under way."""
    most: int
    """How much may be."""
    slow: bool
    """Whether it was slow within a minute, or is just now."""


@dataclass(slots=True)
class _Known:
    most: int
    heard_at: float
    slow_until: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Sending:
    """Something that is under way."""

    webhook_id: UUID
    failing: bool
    """Whether its webhook has failed last."""
    began: float


class Pace:
    """Of one process."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._sending: set[Sending] = set()
        self._known: dict[UUID, _Known] = {}

    @property
    def first(self) -> int:
        """What may be under way to one that has not been heard from."""
        return min(FIRST, self._each)

    def begin(self, webhook_id: UUID, *, failing: bool) -> Sending:
        """Something is sent."""
        sending = Sending(webhook_id, failing, monotonic())
        self._sending.add(sending)
        return sending

    def end(self, sending: Sending) -> None:
        """It is dealt with."""
        self._sending.discard(sending)

    def heard(self, webhook_id: UUID, took: float, *, succeeded: bool) -> None:
        """An attempt took so long, and came to something or not."""
        now = monotonic()
        known = self._known.setdefault(webhook_id, _Known(self.first, now))
        known.heard_at = now
        known.most = min(known.most + 1, self._each) if succeeded and took < SLOW else 1
        if took >= SLOW:
            known.slow_until = now + REMEMBERED

    def shares(self) -> dict[UUID, Share]:
        """Return the share of each webhook that there is something to say of."""
        now = monotonic()
        busy = Counter(each.webhook_id for each in self._sending)
        slow = {each.webhook_id for each in self._sending if now - each.began >= SLOW}
        self._known = {
            id: known for id, known in self._known.items() if id in busy or now - known.heard_at < REMEMBERED
        }
        return {
            id: Share(
                busy[id],
                self.first if (known := self._known.get(id)) is None else known.most,
                id in slow or (known is not None and known.slow_until > now),
            )
            for id in busy.keys() | self._known.keys()
        }

    def failing(self, shares: dict[UUID, Share]) -> int:
        """Return how much is under way to webhooks that fail or are slow."""
        return sum(each.failing or shares[each.webhook_id].slow for each in self._sending)

"""When a delivery is tried again: a pure function of the attempt, how long it has been tried, what came of it, and a throw of the dice.

The delays grow to eight hours, so that 17 attempts are spread over three days; each is shortened or lengthened by up to a fifth, so that
what failed together does not come back together. The page for operators (`docs/delivery.md`) shows the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
)
"""After the first attempt that failed, the second, and so on; after those that are not here, the last."""
JITTER: Final = 0.2
GIVE_UP_AFTER: Final = timedelta(days=3)
FEWEST: Final = 10
"""Attempts before a delivery is given up, however long it seems to have been tried: a clock that jumped ends nothing."""
LONGEST_ASKED: Final = timedelta(days=1)
"""The longest `Retry-After` that is respected."""
GONE: Final = 410
_ASKS: Final = frozenset({429, 503})
"""The statuses whose `Retry-After` counts (RFC 6585 §4, RFC 9110 §15.6.4)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    status: int | None
    """Of HTTP; None: there was no answer."""
    fault: str | None = None
    """Why there was none (`app/foundation/outbound.FAULTS`)."""
    retry_after: timedelta | None = None
    """What the receiver asks for, where its status lets it ask."""

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has it: any 2xx. A redirect is none, nobody follows it."""
        return self.status is not None and 200 <= self.status < 300


def next_delay(attempt: int, tried_for: timedelta, outcome: Outcome, chance: Callable[[], float]) -> timedelta | None:
    """Return how long after a failed attempt the next one is due; None: none is.

    `attempt` is its number, from 1; `tried_for` the time since the first, without that in which nobody was reached; `chance` returns a number
    from 0 to 1, as `random.random`.
    """
    if outcome.status == GONE:
        return None
    delay = DELAYS[min(attempt, len(DELAYS)) - 1] * (1 + JITTER * (2 * chance() - 1))
    if outcome.retry_after is not None:
        delay = max(delay, outcome.retry_after)
    if attempt >= FEWEST and tried_for + delay > GIVE_UP_AFTER:
        return None
    return delay


def retry_after(status: int, value: str | None, now: datetime) -> timedelta | None:
    """Return what a `Retry-After` asks for (RFC 9110 §10.2.3: seconds, or a date), at most a day; None if it asks for nothing that counts."""
    if value is None or status not in _ASKS:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) < 10 else int(LONGEST_ASKED.total_seconds())
        return min(timedelta(seconds=seconds), LONGEST_ASKED)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return min(max(until - now, timedelta()), LONGEST_ASKED)

"""The one clock. Times reach the database as parameters, never as its own `now()`, so that a test can move months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Wall-clock time in UTC, optionally shifted. Only development may shift it (`RUJUKAN_CLOCK_OFFSET_SECONDS`)."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def shift(self, by: timedelta) -> None:
        """Move the clock; negative moves it back."""
        self._offset += by

    @property
    def offset(self) -> timedelta:
        """How far this clock is from the machine's."""
        return self._offset

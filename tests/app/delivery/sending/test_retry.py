"""When the next attempt is: the same for the same attempt, outcome and dice; three days in all."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from app.delivery.retry import DELAYS, FEWEST, GIVE_UP_AFTER, Outcome, next_delay, retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = Outcome(500)
PAGE = Path(__file__).parents[4] / "docs" / "delivery.md"


def tries(chance: random.Random | None) -> list[timedelta]:
    """When each attempt is made, if all fail."""
    made = [timedelta()]
    while True:
        delay = next_delay(len(made), made[-1], FAILED, chance.random if chance else lambda: 0.5)
        if delay is None:
            return made
        made.append(made[-1] + delay)


class TestTheDelays:
    def test_grow_and_are_spread_over_three_days(self) -> None:
        made = tries(None)
        assert len(made) == 17
        assert timedelta(days=2, hours=12) < made[-1] <= GIVE_UP_AFTER
        assert list(DELAYS) == sorted(DELAYS)

    def test_differ_from_one_to_the_next_by_chance_and_never_by_much(self) -> None:
        runs = [tries(random.Random(seed)) for seed in range(200)]
        assert len({run[1] for run in runs}) == 200, "what failed together does not come back together"
        for run in runs:
            assert timedelta(days=2, hours=12) < run[-1] <= GIVE_UP_AFTER
            for number, (before, after) in enumerate(pairwise(run)):
                delay = DELAYS[min(number, len(DELAYS) - 1)]
                assert delay * 0.8 <= after - before <= delay * 1.2

    def test_stand_on_the_page_for_operators(self) -> None:
        rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
        made = tries(None)
        assert [int(number) for number, _, _ in rows] == list(range(1, len(made) + 1))
        assert [after.strip() for _, after, _ in rows] == [
            "at once",
            *(words(DELAYS[min(n, len(DELAYS) - 1)]) for n in range(len(made) - 1)),
        ]
        assert [total.strip() for _, _, total in rows] == [words(each) for each in made]

    def test_end_with_410_and_with_no_other_answer(self) -> None:
        assert next_delay(1, timedelta(), Outcome(410), random.random) is None
        for status in (100, 301, 304, 400, 401, 404, 408, 409, 413, 429, 500, 503, 999):
            assert next_delay(1, timedelta(), Outcome(status), random.random) is not None, status
        assert next_delay(1, timedelta(), Outcome(None, "address"), random.random) is not None

    def test_a_clock_that_jumps_ends_nothing_that_was_hardly_tried(self) -> None:
        assert next_delay(FEWEST - 1, timedelta(days=400), FAILED, random.random) is not None
        assert next_delay(FEWEST, timedelta(days=400), FAILED, random.random) is None
        assert next_delay(50, timedelta(days=-400), FAILED, random.random) is not None


class TestRetryAfter:
    def test_is_respected_where_it_is_longer(self) -> None:
        def asked(seconds: float) -> timedelta | None:
            return next_delay(1, timedelta(), Outcome(503, retry_after=timedelta(seconds=seconds)), lambda: 0.5)

        assert asked(3600) == timedelta(hours=1)
        assert asked(0) == DELAYS[0]

    def test_is_read_as_seconds_or_as_a_date_and_is_a_day_at_most(self) -> None:
        for value, seconds in (
            ("120", 120.0),
            (" 7 ", 7.0),
            ("0", 0.0),
            ("999999", 86400.0),
            ("9" * 5000, 86400.0),
            ("Sun, 01 Mar 2026 12:10:00 GMT", 600.0),
            ("Sunday, 01-Mar-26 12:10:00 GMT", 600.0),
            ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
            ("Sun, 01 Mar 2099 12:00:00 GMT", 86400.0),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("\u0663", None),
            ("Sun, 99 Mar 2026 12:10:00 GMT", None),
        ):
            found = retry_after(429, value, NOW)
            assert (None if found is None else found.total_seconds()) == seconds, value

    def test_counts_with_429_and_503_alone(self) -> None:
        assert retry_after(503, "60", NOW) == timedelta(minutes=1)
        assert retry_after(500, "60", NOW) is None
        assert retry_after(429, None, NOW) is None


def words(time: timedelta) -> str:
    """A time as the page has it."""
    seconds = round(time.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"

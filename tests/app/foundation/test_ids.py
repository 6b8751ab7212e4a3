"""Identifiers: sortable for machines, checkable for people on the telephone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.foundation.ids import CHECK, CROCKFORD, new_reference, read_reference, uuid7

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class TestUuid7:
    def test_is_of_version_7_and_its_time(self) -> None:
        made = uuid7(NOON)
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert made.int >> 80 == int(NOON.timestamp() * 1000)

    def test_later_sorts_later(self) -> None:
        made = [uuid7(NOON + timedelta(milliseconds=step)) for step in range(50)]
        assert made == sorted(made)

    def test_never_comes_twice(self) -> None:
        assert len({uuid7(NOON) for _ in range(1000)}) == 1000


class TestReferences:
    def test_have_the_form_people_read_out(self) -> None:
        made = new_reference("K")
        prefix, first, second, check = made.split("-")
        assert (prefix, len(first), len(second), len(check)) == ("K", 4, 4, 1)
        assert set(first + second) <= set(CROCKFORD)
        assert check in CHECK

    @pytest.mark.parametrize("prefix", ["K", "R", "T"])
    def test_are_read_as_they_are_written(self, prefix: str) -> None:
        for _ in range(200):
            made = new_reference(prefix)
            assert read_reference(made) == made

    def test_are_read_as_people_write_them(self) -> None:
        plain = read_reference("K-0011-0011-" + _check("00110011"))
        assert plain is not None
        assert read_reference(plain.lower()) == plain
        assert read_reference(f"  {plain.replace('-', ' ')} ") == plain
        assert read_reference(plain.replace("0", "O").replace("1", "l")) == plain
        assert read_reference(plain.replace("0", "o").replace("1", "I")) == plain

    @given(st.integers(0, 2**40 - 1), st.integers(0, 7), st.sampled_from(CROCKFORD))
    def test_one_wrong_character_is_noticed(self, number: int, place: int, instead: str) -> None:
        digits = "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5))
        wrong = digits[:place] + instead + digits[place + 1 :]
        read = read_reference(f"K-{wrong[:4]}-{wrong[4:]}-{CHECK[number % 37]}")
        assert (read is not None) == (wrong == digits)

    @given(st.integers(0, 2**40 - 1), st.integers(0, 6))
    def test_two_swapped_characters_are_noticed(self, number: int, place: int) -> None:
        digits = "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5))
        swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
        read = read_reference(f"K{swapped}{CHECK[number % 37]}")
        assert (read is not None) == (swapped == digits)

    @given(st.text(max_size=20))
    def test_any_other_text_is_none_or_one(self, text: str) -> None:
        read = read_reference(text)
        assert read is None or read_reference(read) == read

    @pytest.mark.parametrize("text", ["", "K", "X-0000-0000-0", "K-0000-000U-0", "K-0000-0000", "K-0000-0000-00"])
    def test_what_is_none_is_not_read(self, text: str) -> None:
        assert read_reference(text) is None


def _check(digits: str) -> str:
    number = 0
    for digit in digits:
        number = number << 5 | CROCKFORD.index(digit)
    return CHECK[number % 37]

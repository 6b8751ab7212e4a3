"""Days, moments, flags and counts, and what all models share."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas import Age, Count, Day, Flag, Moment, Name, Wire


class Paper(Wire):
    name: Name
    day: Day | None = None
    moment: Moment | None = None


def refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


class TestWire:
    def test_refuses_an_unknown_field_and_says_where(self):
        with pytest.raises(ValidationError) as caught:
            Paper.model_validate({"name": "a", "hush": 1})
        assert caught.value.errors()[0]["loc"] == ("hush",)

    def test_cannot_be_changed(self):
        with pytest.raises(ValidationError):
            Paper(name="a").name = "b"

    def test_its_refusal_does_not_show_the_value(self):
        with pytest.raises(ValidationError) as caught:
            Paper.model_validate({"name": ["hush"], "day": "hush", "moment": "hush"})
        assert "hush" not in str(caught.value)


class TestDay:
    def test_is_a_whole_date(self):
        assert TypeAdapter(Day).validate_python("2026-11-25") == date(2026, 11, 25)

    @pytest.mark.parametrize(
        "bad",
        [
            0,
            1.5,
            "0",
            "20261125",
            "2026-11-25T00:00:00",
            "2026-02-30",
            "25-11-2026",
            datetime(2026, 1, 1, tzinfo=UTC),
            None,
            True,
        ],
    )
    def test_is_nothing_else(self, bad):
        refused(Day, bad)


class TestMoment:
    def test_is_kept_in_utc(self):
        moment = TypeAdapter(Moment).validate_python("2026-11-25T09:00:00+09:00")
        assert moment == datetime(2026, 11, 25, tzinfo=UTC)
        assert moment.tzinfo is UTC

    def test_is_written_with_z(self):
        paper = Paper(name="a", moment=datetime(2026, 11, 25, 9, tzinfo=timezone(timedelta(hours=9))))
        assert paper.model_dump(mode="json")["moment"] == "2026-11-25T00:00:00Z"

    @pytest.mark.parametrize(
        "bad",
        [
            0,
            "1764028800",
            "2026-11-25",
            "2026-11-25T09:00:00",
            "2026-11-25 09:00:00Z",
            "2026-11-25T25:00:00Z",
            "0001-01-01T00:00:00+09:00",
            None,
        ],
    )
    def test_is_nothing_else(self, bad):
        refused(Moment, bad)


@pytest.mark.parametrize("bad", ["yes", "true", 1, 0, None])
def test_a_flag_is_true_or_false(bad):
    refused(Flag, bad)


@pytest.mark.parametrize(
    ("kind", "bad"), [(Count, -1), (Count, 10_001), (Count, "3"), (Count, 3.5), (Age, 131), (Age, True)]
)
def test_a_number_is_a_number_in_bounds(kind, bad):
    refused(kind, bad)


@pytest.mark.parametrize("whole", ["3", "3.0", "3e0"])
def test_a_whole_number_may_be_written_with_a_point(whole):
    """As in JSON Schema, where 3.0 is an integer; a spreadsheet writes it so."""
    taken = TypeAdapter(Count).validate_json(whole)
    assert (taken, type(taken)) == (3, int)

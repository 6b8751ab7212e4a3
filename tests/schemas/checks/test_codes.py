"""A code that is deprecated is taken, with a warning. No list of ours has one so far, so here is a list that does."""

from datetime import date

from schemas.base import Wire
from schemas.checks.codes import codes
from schemas.checks.collect import Parts
from schemas.codes.base import CodeEnum
from schemas.record import Record


class Colour(CodeEnum):
    RED = "red"
    VERMILION = "vermilion"

    @classmethod
    def deprecated(cls) -> frozenset[str]:
        return frozenset({"vermilion"})


class Painted(Wire):
    colour: Colour | None = None
    spots: tuple[Colour, ...] = ()
    name: str = "vermilion"


def warned(painted):
    parts = Parts(models={Painted: [("/paint/0", painted)]})
    return [(each.code.value, each.pointer) for each in codes(Record(), parts, date(2026, 11, 25))]


class TestADeprecatedCode:
    def test_is_taken(self):
        assert Painted(colour="vermilion").colour is Colour.VERMILION

    def test_is_warned_about_where_it_stands(self):
        painted = Painted(colour="vermilion", spots=("red", "vermilion"))
        assert warned(painted) == [
            ("code_deprecated", "/paint/0/colour"),
            ("code_deprecated", "/paint/0/spots/1"),
        ]

    def test_is_not_seen_in_other_codes_and_texts(self):
        assert warned(Painted(colour="red")) == []
        assert warned(Painted()) == []

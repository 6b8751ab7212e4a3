"""What a model is made of, as forms, checks, pages and tests ask for it."""

from typing import Annotated

from pydantic import BaseModel, Field

from schemas.record import Record
from schemas.record.common import Place
from schemas.shapes import every_model, models_in, shapes
from schemas.text import CountryCode, Line, PartialDate


class Stop(BaseModel):
    on: PartialDate | None = None
    notes: Annotated[tuple[Line, ...], Field(max_length=3)] = ()


class Journey(BaseModel):
    to: CountryCode
    stops: Annotated[tuple[Stop, ...], Field(max_length=9)] = ()
    before: "Journey | None" = None


class TestShapes:
    def test_are_told_apart_by_the_named_type_and_whether_there_are_several(self):
        assert {name: (shape.hint, shape.many) for name, shape in shapes(Stop).items()} == {
            "on": (PartialDate, False),
            "notes": (Line, True),
        }

    def test_lead_to_the_models_inside(self):
        found = shapes(Journey)
        assert (found["to"].model, found["stops"].model, found["before"].model) == (None, Stop, Journey)
        assert list(models_in(Journey.model_fields["stops"].annotation)) == [Stop]

    def test_a_model_inside_itself_is_met_once(self):
        assert every_model(Journey) == (Journey, Stop)

    def test_the_record_is_met_first_and_what_many_sections_use_once(self):
        every = every_model(Record)
        assert every[0] is Record
        assert every.count(Place) == 1

"""What HTCDS 2.0 calls a field of the record, read off the table that imports and exports go by."""

from functools import cache

from pydantic import BaseModel

from schemas.mappings.htcds.fields import FIELDS
from schemas.record import Record
from schemas.shapes import shapes


def htcds_names(model: type[BaseModel], field: str) -> tuple[str, ...]:
    """The columns that have their home in a field of a model, wherever in the record the model stands."""
    return _columns().get((model, field), ())


@cache
def _columns() -> dict[tuple[type[BaseModel], str], tuple[str, ...]]:
    found: dict[tuple[type[BaseModel], str], tuple[str, ...]] = {}
    for column, home in FIELDS.items():
        for pointer in home.places:
            place = _home_of(pointer)
            found[place] = (*found.get(place, ()), column)
    return found


def _home_of(pointer: str) -> tuple[type[BaseModel], str]:
    """The model and field a pointer leads to; what follows its last field is a place in a list."""
    names = [step for step in pointer.split("/")[1:] if step != "*" and not step.isdigit()]
    model: type[BaseModel] = Record
    for name in names[:-1]:
        inner = shapes(model)[name].model
        assert inner is not None, pointer
        model = inner
    return model, names[-1]

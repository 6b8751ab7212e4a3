"""What every model on the wire shares, and the scalar types that are not text."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from schemas.calendar import DAY_PATTERN, MOMENT_PATTERN

_DAY = re.compile(DAY_PATTERN)
_MOMENT = re.compile(MOMENT_PATTERN)


class Wire(BaseModel):
    """A document that crosses the wire: closed, unchangeable, and silent about values when it refuses."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Closed in requests, open in answers: a reader must expect members that are added later."""
        made = handler(schema)
        if handler.mode == "serialization":
            handler.resolve_ref_schema(made).pop("additionalProperties", None)
        return made


def _written_day(value: object) -> object:
    # Left alone, a number or a time would also become a date: 0 is then 1 January 1970.
    if isinstance(value, str):
        if _DAY.fullmatch(value):
            return value
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise PydanticCustomError("day_form", "A date is written YYYY-MM-DD and stands on the calendar, from 1800 to 2199")


def _written_moment(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise PydanticCustomError("moment_form", "A time is written by RFC 3339, with Z or an offset")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # of a datetime; what is written stays far from the ends of time
        raise PydanticCustomError("moment_form", "A time is written by RFC 3339, with Z or an offset") from None


def _written(pattern: str, form: str) -> Any:
    return Annotated[str, Field(pattern=f"^{pattern}$", json_schema_extra={"format": form})]


Day = Annotated[date, BeforeValidator(_written_day, json_schema_input_type=_written(DAY_PATTERN, "date"))]
"""A whole calendar date, ISO 8601."""

Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_moment, json_schema_input_type=_written(MOMENT_PATTERN, "date-time")),
    AfterValidator(_in_utc),
]
"""A point in time, RFC 3339; kept and given in UTC."""

Flag = Annotated[bool, Strict()]
"""true or false, never "yes" or 1."""


def _without_point(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_without_point)
"""On a strict `int`: 1.0 is 1, since JSON has one kind of number (JSON Schema 2020-12 §4.2.2); "1" and true are not."""

Count = Annotated[int, Strict(), Field(ge=0, le=10_000), WHOLE]
"""A whole number of things or people."""

Age = Annotated[int, Strict(), Field(ge=0, le=130), WHOLE]
"""Completed years of life."""

"""What every code list has in common."""

from enum import StrEnum
from typing import Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import simple_ser_schema


class CodeEnum(StrEnum):
    """A code list that is closed in requests and open in answers.

    A request with a code we do not know is an error for a person to resolve. A client that reads our answers must
    expect codes added later, so there the schema gives the codes as known values and does not bind it to them.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Written as the string it is: asking each member for its `value` would take six times as long."""
        return cast(CoreSchema, {**handler(source), "serialization": simple_ser_schema("str")})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """An enumeration for what is sent to us, an open string with `x-known-values` for what we send."""
        if handler.mode == "serialization":
            return {"type": "string", "x-known-values": [member.value for member in cls]}
        return handler(schema)

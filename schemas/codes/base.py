"""What every code list has in common, and the difference between a request and an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ModelWrapValidatorHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.base import Wire

_asking: ContextVar[bool] = ContextVar("asking", default=False)


@contextmanager
def _as_a_request() -> Iterator[None]:
    token = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(token)


class CodeEnum(StrEnum):
    """A code list that is closed in requests and open in answers.

    A request with a code we do not know is an error for a person to resolve. A client that reads our answers must
    expect codes added later, so there the schema gives the codes as known values and does not bind it to them.
    A retired code stays a member: what was sent with it before is still read. A request with it is refused.
    """

    @classmethod
    def retired(cls) -> frozenset[str]:
        """The codes that no request may use any more; a list that has some says so by overriding this."""
        return frozenset()

    @classmethod
    def deprecated(cls) -> frozenset[str]:
        """The codes that are still taken although another is better; said as for retired ones. A record with one is warned about."""
        return frozenset()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """The enumeration, written as the string it is; where codes are retired, with a look at whether this is a request."""
        # Asking each member for its `value` would take six times as long as writing the string.
        made: Any = {**handler(source), "serialization": core_schema.simple_ser_schema("str")}
        if not cls.retired():
            return made  # type: ignore[no-any-return]
        # The name goes to the whole, so that it stays one schema that others refer to.
        name = made.pop("ref", None)
        return core_schema.no_info_after_validator_function(
            cls._in_use, made, ref=name, serialization=core_schema.simple_ser_schema("str")
        )

    @classmethod
    def _in_use(cls, code: Self) -> Self:
        if code in cls.retired() and _asking.get():
            raise PydanticCustomError("retired_code", "The code is retired; its list says what replaces it")
        return code

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """An enumeration for what is sent to us, an open string with `x-known-values` for what we send."""
        if handler.mode == "serialization":
            return {"type": "string", "x-known-values": [member.value for member in cls]}
        made = handler(schema)
        if retired := cls.retired():
            closed = handler.resolve_ref_schema(made)
            closed["enum"] = [code for code in closed["enum"] if code not in retired]
        return made


class RequestBody(Wire):
    """The body of a request: in it, and nowhere else, a retired code is refused."""

    @model_validator(mode="wrap")
    @classmethod
    def _is_a_request(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        with _as_a_request():
            return handler(data)

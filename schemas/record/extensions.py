"""What agencies add for themselves: a JSON object each, under the agency's code, passed through untouched."""

import json
import math
import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, RootModel
from pydantic_core import PydanticCustomError

from schemas.text import AgencyCode

MAX_DEPTH: Final = 8
MAX_BYTES: Final = 64 * 1024
MAX_INTEGER: Final = 2**53 - 1
"""What every reader of JSON keeps exactly (RFC 7493 §2.2); a longer number would come out as another."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _acceptable(extensions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Bounded, plain JSON, without the characters no other string may have; nothing is changed."""
    # A stack of our own, so that depth is an answer to the sender and not the end of ours.
    open_values: list[tuple[Any, int]] = [(value, 1) for value in extensions.values()]
    while open_values:
        value, depth = open_values.pop()
        if isinstance(value, str):
            _check_string(value)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise PydanticCustomError("extensions_depth", "Extensions are nested at most 8 deep")
            if isinstance(value, dict):
                for key in value:
                    if not isinstance(key, str):
                        raise PydanticCustomError("extensions_key", "Keys of an object are strings")
                    _check_string(key)
                open_values.extend((inner, depth + 1) for inner in value.values())
            else:
                open_values.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise PydanticCustomError("extensions_number", "JSON has no infinity and no NaN")
        elif isinstance(value, int):
            if abs(value) > MAX_INTEGER:
                raise PydanticCustomError(
                    "extensions_number", "A whole number is at most 2^53 - 1; write longer ones as text"
                )
        elif value is not None:
            raise PydanticCustomError("extensions_value", "Extensions are plain JSON")
    if len(json.dumps(extensions, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
        raise PydanticCustomError("extensions_size", "Extensions have at most 64 KB of JSON")
    return extensions


def _check_string(value: str) -> None:
    if _FORBIDDEN.search(value):
        raise PydanticCustomError(
            "extensions_string", "A string has a control character, a bidi override or half a character"
        )


class ExtensionsSection(
    RootModel[Annotated[dict[AgencyCode, dict[str, Any]], Field(max_length=10), AfterValidator(_acceptable)]]
):
    """Agency code to a JSON object of its own. Unknown to us, and therefore never in a preview."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

"""Codes that are on their way out."""

from collections.abc import Iterator
from datetime import date
from functools import cache

from pydantic import BaseModel

from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.base import CodeEnum
from schemas.codes.warnings import WarningCode
from schemas.record.record import Record
from schemas.shapes import shapes


def codes(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check whether a code is still taken although another is better."""
    for kind, found in parts.models.items():
        for name, many, deprecated in _with_deprecated(kind):
            for at, model in found:
                given = getattr(model, name)
                for place, code in enumerate(given if many else (given,)):
                    if code in deprecated:
                        pointer = f"{at}/{name}/{place}" if many else f"{at}/{name}"
                        yield RecordWarning(code=WarningCode.CODE_DEPRECATED, pointer=pointer, related=())


@cache
def _with_deprecated(model: type[BaseModel]) -> tuple[tuple[str, bool, frozenset[str]], ...]:
    """The fields of a model whose lists have deprecated codes, and those codes: of nearly every model, none."""
    return tuple(
        (name, shape.many, shape.hint.deprecated())
        for name, shape in shapes(model).items()
        if isinstance(shape.hint, type) and issubclass(shape.hint, CodeEnum) and shape.hint.deprecated()
    )

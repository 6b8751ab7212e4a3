"""The person: age, family, nationality, and what cannot be said together."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from schemas.checks.births import SLACK_YEARS, Span, born, estimated, years_before
from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.answers import Answer
from schemas.codes.person import AgeBand, MaritalStatus, Relationship, Statelessness
from schemas.codes.warnings import WarningCode
from schemas.record.age import years_between
from schemas.record.exploitation import Episode, Recruitment
from schemas.record.family import FamilySection, Relative
from schemas.record.identity import Birth, IdentitySection
from schemas.record.record import Record
from schemas.text import earliest, latest

_OLDEST: Final = 120
_OF_AGE: Final = 18
_MARRIED: Final = frozenset(MaritalStatus) - {
    MaritalStatus.SINGLE,
    MaritalStatus.UNKNOWN,
    MaritalStatus.NOT_ASKED,
    MaritalStatus.DECLINED,
}
_NEVER: Final = 200
_BANDS: Final = {
    AgeBand.AGE_0_5: (0, 5),
    AgeBand.AGE_6_11: (6, 11),
    AgeBand.AGE_12_17: (12, 17),
    AgeBand.AGE_18_24: (18, 24),
    AgeBand.AGE_25_39: (25, 39),
    AgeBand.AGE_40_59: (40, 59),
    AgeBand.AGE_60_OVER: (60, _NEVER),
    AgeBand.CHILD: (0, _OF_AGE - 1),
    AgeBand.ADULT: (_OF_AGE, _NEVER),
}
_BIRTH: Final = "/identity/birth"


def person(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check what is said of the person and their family."""
    identity, family = record.identity, record.family
    birth = identity.birth if identity else None
    span = born(birth)
    for at, one in parts.of(Birth):
        yield from _birth(one, at, on)
    if identity is not None:
        yield from _standing(identity, record)
    if family is not None:
        yield from _family(family, birth, span, on)
    yield from _age_at_entry(record, parts, span, on)
    for at, model, name in parts.missing:
        facts = ("date", "estimated_age") if name == "missing" else (name.removesuffix("_missing"),)
        for fact in facts:
            if getattr(model, fact) not in (None, ()):
                yield RecordWarning(
                    code=WarningCode.MISSING_BUT_GIVEN, pointer=f"{at}/{name}", related=(f"{at}/{fact}",)
                )


def _birth(birth: Birth, at: str, on: date) -> Iterator[RecordWarning]:
    span = born(birth)
    if span is None:
        return
    fact = f"{at}/{'date' if birth.date is not None else 'estimated_age'}"
    youngest, oldest = _ages(span, on)
    if youngest > _OLDEST:
        yield RecordWarning(code=WarningCode.AGE_IMPROBABLE, pointer=fact, related=())
    if birth.date is not None and birth.estimated_age is not None and birth.as_of is not None:
        other = estimated(birth.estimated_age, birth.as_of)
        if span.last < years_before(other.first, SLACK_YEARS) or span.first > years_before(other.last, -SLACK_YEARS):
            yield RecordWarning(
                code=WarningCode.ESTIMATE_FAR_FROM_BIRTH, pointer=f"{at}/estimated_age", related=(fact,)
            )
    band = _BANDS.get(birth.age_band) if birth.age_band is not None else None
    if band is not None and (oldest < band[0] or youngest > band[1]):
        yield RecordWarning(code=WarningCode.AGE_BAND_DIFFERS, pointer=f"{at}/age_band", related=(fact,))


def _ages(span: Span, on: date) -> tuple[int, int]:
    return years_between(span.last, on), years_between(span.first, on)


def _standing(identity: IdentitySection, record: Record) -> Iterator[RecordWarning]:
    if identity.statelessness is Statelessness.STATELESS and identity.nationalities:
        yield RecordWarning(
            code=WarningCode.STATELESS_WITH_NATIONALITY,
            pointer="/identity/statelessness",
            related=("/identity/nationalities",),
        )
    if identity.deceased is Answer.YES and record.needs is not None:
        yield RecordWarning(
            code=WarningCode.DECEASED_WITH_NEEDS, pointer="/identity/deceased", related=("/needs/services",)
        )


def _family(family: FamilySection, birth: Birth | None, span: Span | None, on: date) -> Iterator[RecordWarning]:
    if family.marital_status in _MARRIED and birth is not None and _surely_child(birth, span, on):
        yield RecordWarning(
            code=WarningCode.CHILD_WITH_MARITAL_STATUS, pointer="/family/marital_status", related=(_BIRTH,)
        )
    relatives = [
        (f"/family/{group}/{place}", relative)
        for group in ("accompanying", "left_behind")
        for place, relative in enumerate(getattr(family, group))
    ]
    children = [at for at, relative in relatives if relative.relationship is Relationship.CHILD]
    if family.number_of_children is not None and len(children) > family.number_of_children:
        yield RecordWarning(
            code=WarningCode.CHILDREN_COUNT_DIFFERS, pointer="/family/number_of_children", related=tuple(children)
        )
    for at, relative in relatives:
        if span is not None and _not_younger(relative, span):
            yield RecordWarning(code=WarningCode.CHILD_NOT_YOUNGER, pointer=f"{at}/birth", related=(_BIRTH,))


def _surely_child(birth: Birth, span: Span | None, on: date) -> bool:
    if span is not None:
        return _ages(span, on)[1] < _OF_AGE
    return birth.age_band is not None and _BANDS.get(birth.age_band, (0, _NEVER))[1] < _OF_AGE


def _not_younger(relative: Relative, span: Span) -> bool:
    """Whether of a child and its parent, whichever of them the person is, the child is surely not the younger."""
    theirs = born(relative.birth)
    if theirs is None:
        return False
    if relative.relationship is Relationship.CHILD:
        return theirs.last <= span.first
    return relative.relationship is Relationship.PARENT and span.last <= theirs.first


def _age_at_entry(record: Record, parts: Parts, span: Span | None, on: date) -> Iterator[RecordWarning]:
    age = record.exploitation.age_at_entry if record.exploitation else None
    if age is None or span is None:
        return
    starts = [(f"{at}/started", one.started) for at, one in parts.of(Recruitment) if one.started is not None]
    starts += [(f"{at}/started", one.started) for at, one in parts.of(Episode) if one.started is not None]
    at, start = min(starts, key=lambda each: earliest(each[1]), default=("", ""))
    lowest = years_between(span.last, earliest(start)) if start else 0
    highest = years_between(span.first, latest(start) if start else on)
    if not lowest - 1 <= age <= highest + 1:
        yield RecordWarning(
            code=WarningCode.AGE_AT_ENTRY_DIFFERS,
            pointer="/exploitation/age_at_entry",
            related=(_BIRTH, at) if start else (_BIRTH,),
        )

"""Papers: what their numbers say, and whether they still hold."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from stdnum import imo

from schemas import regions
from schemas.checks.births import Span, born
from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.answers import Answer
from schemas.codes.person import DocumentKind, Sex
from schemas.codes.warnings import WarningCode
from schemas.record.common import Vessel
from schemas.record.identity import Document, IdentitySection
from schemas.record.nik import family_card_parts, nik_parts
from schemas.record.record import Record
from schemas.text import latest

_INDONESIAN_PASSPORT: Final = re.compile(r"[A-Z]{1,2}[0-9]{6,8}")


def papers(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check the person's papers, and the numbers of vessels."""
    identity = record.identity
    span = born(identity.birth) if identity else None
    for at, document in parts.of(Document):
        if document.number is not None:
            yield from _number(document, document.number, f"{at}/number", identity, span)
        if document.expires_on is not None and latest(document.expires_on) < on:
            yield RecordWarning(code=WarningCode.DOCUMENT_EXPIRED, pointer=f"{at}/expires_on", related=())
    for at, vessel in parts.of(Vessel):
        if vessel.imo is not None and not imo.is_valid(vessel.imo):
            yield RecordWarning(code=WarningCode.IMO_CHECK_DIGIT, pointer=f"{at}/imo", related=())


def _number(
    document: Document, number: str, at: str, identity: IdentitySection | None, span: Span | None
) -> Iterator[RecordWarning]:
    match document.kind:
        case DocumentKind.NIK:
            yield from _nik(document, number, at, identity, span)
        case DocumentKind.FAMILY_CARD:
            card = family_card_parts(number)
            if not card.registered or not regions.is_known(card.district):
                yield RecordWarning(code=WarningCode.FAMILY_CARD_UNUSUAL, pointer=at, related=())
        case DocumentKind.PASSPORT if document.country == "ID":
            if not _INDONESIAN_PASSPORT.fullmatch(number.replace(" ", "")):
                yield RecordWarning(code=WarningCode.PASSPORT_FORM, pointer=at, related=())
        case _:
            pass


def _nik(
    document: Document, number: str, at: str, identity: IdentitySection | None, span: Span | None
) -> Iterator[RecordWarning]:
    says = nik_parts(number)
    if not regions.is_known(says.district):
        yield RecordWarning(code=WarningCode.NIK_REGION_UNKNOWN, pointer=at, related=())
    if document.in_own_name is Answer.NO:  # then it rightly says something else
        return
    if span is not None and not any(span.first <= day <= span.last for day in says.births):
        yield RecordWarning(code=WarningCode.NIK_BIRTH_DIFFERS, pointer=at, related=("/identity/birth",))
    sex = identity.sex if identity else None
    if sex in (Sex.MALE, Sex.FEMALE) and sex is not says.sex:
        yield RecordWarning(code=WarningCode.NIK_SEX_DIFFERS, pointer=at, related=("/identity/sex",))

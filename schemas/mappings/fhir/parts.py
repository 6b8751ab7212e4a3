"""FHIR's data types, made of our values: what is missing says why, what does not fit is left out, nothing becomes more precise."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.codes import label
from schemas.mappings.fhir.systems import DATA_ABSENT, HL7, MISSING, UCUM

Json = dict[str, Any]

_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")
_SPACE = re.compile(r"[^\S \r\n\t]")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the exchange is, which names our code systems; and what the bundle's resources share."""

    url: str
    case_id: UUID
    record_version: UUID
    confidentiality: str
    """`V` where it holds the record, `R` where it holds the preview or nothing about the person."""
    partial: bool
    """Whether there is more than this reader may see."""

    def id(self, *parts: object) -> str:
        """Return the id of a resource: the same whenever it is read."""
        return str(uuid5(NAMESPACE_URL, "/".join(str(part) for part in (self.url, "fhir", *parts))))

    def fact_id(self, *parts: object) -> str:
        """Return the id of what a version of the record says: it never comes to mean another fact."""
        return self.id("record", self.record_version, *parts)

    @property
    def patient(self) -> Json:
        """The reference to the person, of whom there is one a case."""
        return reference(self.id("patient", self.case_id))

    def agency_id(self, code: str) -> str:
        """Return the id of an agency's Organization."""
        return self.id("agency", code)

    def list_of(self, name: str) -> str:
        """Return the canonical URL of a code list of ours."""
        return f"{self.url}/v1/code-lists/{name}"

    def coding(self, name: str, code: str) -> Json:
        """Return a code of ours, with its Indonesian label."""
        return {"system": self.list_of(name), "code": code, "display": label(name, code)}

    def concept(self, name: str, code: str, *, also: Json | None = None) -> Json:
        """Return a code of ours, with the counterpart in another system; a missing answer says which of the three it is."""
        if code in MISSING:
            return {"extension": [absent(code)]}
        return {"coding": [each for each in (also, self.coding(name, code)) if each]}

    def field(self, path: str, *, also: Json | None = None) -> Json:
        """Return what an observation is about: a field of the record, by its dotted path."""
        return {"coding": [each for each in (also, {"system": f"{self.url}/v1/record-fields", "code": path}) if each]}

    def meta(self, *sections: str) -> Json:
        """Return the security labels of a resource: how confidential, and the sections its facts come from."""
        labels = [{"system": f"{HL7}/v3-Confidentiality", "code": self.confidentiality}]
        found: Json = {"security": [*labels, *(self.coding("section", name) for name in sections)]}
        if self.partial:
            found["tag"] = [{"system": f"{HL7}/v3-ObservationValue", "code": "SUBSETTED"}]
        return found


def absent(code: str) -> Json:
    """Return why there is no value: unknown, not asked, declined."""
    return {"url": DATA_ABSENT, "valueCode": MISSING[code]}


def hl7(system: str, code: str | None) -> Json | None:
    """Return a code of HL7's terminology; nothing where there is none that means the same."""
    return None if code is None else {"system": f"{HL7}/{system}", "code": code}


def coded(system: str, code: str | None) -> Json | None:
    """Return a code of any system; nothing where there is none."""
    return None if code is None else {"system": system, "code": code}


def reference(resource_id: str) -> Json:
    """Return a reference inside the bundle."""
    return {"reference": f"urn:uuid:{resource_id}"}


def text(value: str) -> str:
    """Return text as FHIR's strings may have it: its only white space is that of ASCII (R4 §2.24.0.1)."""
    return _SPACE.sub(lambda found: "\n" if found[0] in "\u2028\u2029" else " ", value)


def fhir_date(value: str | None) -> str | None:
    """Return a date known to the day, month or year; nothing of an uncertain one, which FHIR would make certain."""
    return value if value is not None and _DATE.fullmatch(value) else None


def period(start: str | date | datetime | None, end: str | date | datetime | None) -> Json | None:
    """Return a period; nothing where it ends before it begins (invariant per-1), since one of the two is wrong."""
    first, last = _moment(start), _moment(end)
    if first is None and last is None:
        return None
    if first and last and first > last[: len(first)].ljust(len(first), "9"):
        return None
    return compact(start=first, end=last)


def _moment(value: str | date | datetime | None) -> str | None:
    return fhir_date(value) if isinstance(value, str) else value.isoformat() if value is not None else None


def quantity(value: float, unit: str) -> Json:
    """Return a number with its unit in UCUM; FHIR takes 9.0 for more exact than 9."""
    exact = int(value) if float(value).is_integer() else Decimal(repr(value))
    return {"value": exact, "unit": unit, "system": UCUM, "code": unit}


def compact(**members: Any) -> Json:
    """Return the members that are there: FHIR has neither null nor empty arrays."""
    return {name: value for name, value in members.items() if value is not None and value != [] and value != {}}


def listed(values: Iterable[Json | None]) -> list[Json]:
    """Return those that are there."""
    return [value for value in values if value]


def notes(*values: str | None) -> list[Json]:
    """Return texts as annotations."""
    return [{"text": text(value)} for value in values if value is not None]


def known(codes: Sequence[str]) -> list[str]:
    """Return the codes that are answers."""
    return [str(code) for code in codes if code not in MISSING]

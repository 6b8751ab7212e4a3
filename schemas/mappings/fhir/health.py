"""Illnesses, medicines and allergies, which have resources of their own in FHIR."""

from collections.abc import Iterable

from fhir.resources.R4B.allergyintolerance import AllergyIntolerance
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.medicationstatement import MedicationStatement

from schemas.codes.answers import Answer
from schemas.mappings.fhir.parts import Json, Source, compact, fhir_date, notes, text
from schemas.mappings.fhir.systems import HL7, ICD_10
from schemas.record.health import Condition as Illness
from schemas.record.health import HealthSection, Medicine


def conditions(source: Source, health: HealthSection) -> Iterable[Condition]:
    """Yield illnesses and injuries. Whether they last and whether they are confirmed was not asked, so no status is given."""
    for place, each in enumerate(health.conditions):
        yield Condition.model_validate(
            {**_head(source, "condition", place), "subject": source.patient, **_illness(each)}
        )


def _illness(illness: Illness) -> Json:
    code = compact(
        coding=[{"system": ICD_10, "code": illness.icd_10}] if illness.icd_10 else None, text=text(illness.name)
    )
    return {"code": code, **compact(onsetDateTime=fhir_date(illness.since), note=notes(illness.note))}


def medicines(source: Source, health: HealthSection) -> Iterable[MedicationStatement]:
    """Yield medicines by name; FHIR must be told whether they are taken, so `unknown` where the record denies it."""
    status = "active" if health.takes_medicines in (Answer.YES, None) else "unknown"
    for place, each in enumerate(health.medicines):
        yield MedicationStatement.model_validate(
            {
                **_head(source, "medicine", place),
                "status": status,
                "subject": source.patient,
                "medicationCodeableConcept": {"text": text(each.name)},
                **compact(dosage=_dosage(each)),
            }
        )


def _dosage(medicine: Medicine) -> list[Json]:
    words = "; ".join(text(each) for each in (medicine.dose, medicine.times) if each)
    return [{"text": words}] if words else []


def allergies(source: Source, health: HealthSection) -> Iterable[AllergyIntolerance]:
    """Yield allergies as they were told. A clinical status is required (invariant ait-1); nobody has confirmed them."""
    for place, each in enumerate(health.allergies):
        yield AllergyIntolerance.model_validate(
            {
                **_head(source, "allergy", place),
                "clinicalStatus": {"coding": [{"system": f"{HL7}/allergyintolerance-clinical", "code": "active"}]},
                "verificationStatus": {
                    "coding": [{"system": f"{HL7}/allergyintolerance-verification", "code": "unconfirmed"}]
                },
                "code": {"text": text(each)},
                "patient": source.patient,
            }
        )


def _head(source: Source, kind: str, place: int) -> Json:
    return {"id": source.fact_id(kind, place), "meta": source.meta("health")}

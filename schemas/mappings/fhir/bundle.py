"""A referral as a FHIR R4 Bundle, made of the very answer its reader would get as JSON, and of nothing else.

It is a `collection`. A `document` is attested by somebody and stays as it is, which what one reader may see today does not; a
`message` asks its receiver to act, and reading asks for nothing.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from schemas.exchange.referral import Referral
from schemas.mappings.fhir import health, observations
from schemas.mappings.fhir.consent import consents
from schemas.mappings.fhir.organization import organization
from schemas.mappings.fhir.parts import Source
from schemas.mappings.fhir.patient import patient, related_persons
from schemas.mappings.fhir.request import service_requests, task
from schemas.record.record import sealed_in


def bundle(referral: Referral, *, url: str, at: datetime) -> Bundle:
    """Return a referral as its reader may see it. `url` is where the exchange is; `at`, when it was read."""
    source = Source(
        url=url.rstrip("/"),
        case_id=referral.case_id,
        record_version=referral.record_version,
        confidentiality="R" if referral.record is None else "V",
        partial=referral.record is None or bool(referral.withheld) or bool(sealed_in(referral.record)),
    )
    return Bundle.model_validate(
        {
            "id": str(referral.id),
            "meta": {
                "versionId": str(referral.version),
                "lastUpdated": referral.updated_at.isoformat(),
                **source.meta(),
            },
            "identifier": {"system": f"{source.url}/v1/referrals", "value": str(referral.id)},
            "type": "collection",
            "timestamp": at.isoformat(),
            "entry": [
                {"fullUrl": f"urn:uuid:{resource.id}", "resource": resource}
                for resource in _resources(source, referral)
            ],
        }
    )


def _resources(source: Source, referral: Referral) -> Iterable[Any]:
    record, preview = referral.record, referral.preview
    yield from service_requests(source, referral)
    yield task(source, referral)
    yield patient(source, record, preview, withheld=referral.withheld)
    for agency in {each.code: each for each in (referral.sender, referral.receiver)}.values():
        yield organization(source, agency)
    yield from consents(source, referral)
    yield from observations.flags(source, record, preview)
    if record is not None:
        if record.family:
            yield from related_persons(source, record.family)
        if record.health:
            yield from health.conditions(source, record.health)
            yield from health.medicines(source, record.health)
            yield from health.allergies(source, record.health)
        yield from observations.from_record(source, record)
    elif preview is not None:
        yield from observations.from_preview(source, preview)
    if referral.withheld or (record is not None and sealed_in(record)):
        yield _withheld(source, referral)


def _withheld(source: Source, referral: Referral) -> OperationOutcome:
    """Say which sections were sent and are not open to the reader, or are sealed, so that nobody takes their absence for an answer."""
    sealed = sealed_in(referral.record) if referral.record is not None else ()
    return OperationOutcome.model_validate(
        {
            "id": source.id("referral", referral.id, "withheld"),
            "issue": [
                {
                    "severity": "information",
                    "code": "suppressed",
                    "details": {"coding": [source.coding("section", name)]},
                }
                for name in referral.withheld
            ]
            + [
                {
                    "severity": "information",
                    "code": "suppressed",
                    "details": {"coding": [source.coding("section", name)]},
                    "diagnostics": "Sealed: only the receiver can read it. It is in the answer as JSON.",
                }
                for name in sealed
            ],
        }
    )

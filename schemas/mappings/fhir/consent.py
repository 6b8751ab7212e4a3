"""The person's consents, as Consents. A duty by law or a vital interest is none, and stands in the Task instead."""

from collections.abc import Iterable

from fhir.resources.R4B.consent import Consent

from schemas.exchange.basis import Disclosure
from schemas.exchange.referral import Referral
from schemas.mappings.fhir.parts import Json, Source, compact, period, reference
from schemas.mappings.fhir.systems import HL7, URI

_OPEN = ("preview", "full")


def consents(source: Source, referral: Referral) -> Iterable[Consent]:
    """Yield what the person consented to for this referral: which sections, for whom, for what, until when."""
    for each in referral.disclosures:
        if each.basis == "consent":
            yield _consent(source, referral, each)


def _consent(source: Source, referral: Referral, disclosure: Disclosure) -> Consent:
    sender = reference(source.agency_id(referral.sender.code))
    actions = ["access", "use", *(["disclose"] if disclosure.onward else [])]
    provision: Json = {
        "type": "permit",
        "actor": [
            {
                "role": {"coding": [{"system": f"{HL7}/v3-ParticipationType", "code": "IRCP"}]},
                "reference": reference(source.agency_id(referral.receiver.code)),
            }
        ],
        "action": _actions(*actions),
        "purpose": [source.coding("purpose", referral.purpose)],
        "class": [source.coding("section", name) for name in disclosure.sections],
        **compact(period=period(None, disclosure.until)),
    }
    if not disclosure.onward:
        provision["provision"] = [{"type": "deny", "action": _actions("disclose")}]
    return Consent.model_validate(
        {
            "id": source.id("referral", referral.id, "consent", disclosure.sections[0]),
            "meta": source.meta(),
            "status": "active" if disclosure.access in _OPEN else "inactive",
            "scope": {"coding": [{"system": f"{HL7}/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": f"{HL7}/v3-ActCode", "code": "IDSCL"}]}],
            "patient": source.patient,
            "organization": [sender],
            "policyRule": source.concept("legal_basis", "uu-27-2022"),
            "provision": provision,
            **compact(
                identifier=[{"system": URI, "value": f"urn:uuid:{disclosure.consent_id}"}]
                if disclosure.consent_id
                else None
            ),
        }
    )


def _actions(*codes: str) -> list[Json]:
    return [{"coding": [{"system": f"{HL7}/consentaction", "code": code}]} for code in codes]

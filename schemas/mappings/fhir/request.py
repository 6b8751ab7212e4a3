"""The referral as a ServiceRequest, what is asked for as one each, and where it stands as a Task."""

from collections.abc import Iterable
from datetime import datetime

from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.task import Task

from schemas.exchange.basis import Disclosure
from schemas.exchange.referral import Ending, Referral
from schemas.mappings.fhir.parts import Json, Source, compact, known, notes, period, reference, text
from schemas.mappings.fhir.systems import MISSING, NEED_PRIORITY, PRIORITY, REQUEST_STATUS, SNOMED, TASK_STATUS
from schemas.record.needs import NeededService, NeedsSection, Preferences
from schemas.record.preview import Preview, PreviewNeed, PreviewPreferences

_REFERRAL = {"system": SNOMED, "code": "3457005", "display": "Patient referral"}
_FULFILL = {"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}


def service_requests(source: Source, referral: Referral) -> Iterable[ServiceRequest]:
    """Yield the referral, and then each need, based on it. Of a need that is to be met now, later, only so much is said."""
    needs, preview = _asked(referral)
    sections = ("needs",) if isinstance(needs, NeedsSection) else ()
    shared: Json = {
        "status": REQUEST_STATUS.get(referral.state, "unknown"),
        "intent": "order",
        "subject": source.patient,
        "requester": reference(source.agency_id(referral.sender.code)),
        "performer": [reference(source.agency_id(referral.receiver.code))],
        "authoredOn": referral.sent_at.isoformat(),
        "requisition": {"system": f"{source.url}/v1/referrals", "value": str(referral.id)},
    }
    asked = needs or preview
    yield ServiceRequest.model_validate(
        shared
        | {
            "id": source.id("referral", referral.id),
            "meta": source.meta(*sections),
            "identifier": [
                {"system": f"{source.url}/v1/referrals", "value": str(referral.id)},
                {"type": {"text": "reference"}, "value": referral.reference},
            ],
            "category": [{"coding": [_REFERRAL]}],
            "priority": PRIORITY.get(referral.urgency),
            "code": source.concept("purpose", referral.purpose),
            **compact(
                orderDetail=_details(source, asked.preferences, asked.escort) if asked else None,
                occurrencePeriod=period(asked.arrives_from, asked.arrives_until) if asked else None,
                note=notes(needs.travel, needs.note) if needs else None,
                replaces=[_replaced(source, referral)] if referral.replaces else None,
            ),
        }
    )
    for need in needs.services if needs else preview.needs if preview else ():
        yield ServiceRequest.model_validate(shared | _need(source, referral, need))


def _asked(referral: Referral) -> tuple[NeedsSection | None, Preview | None]:
    """Return what is asked for, from the record where it is open to the reader, else from the preview."""
    if referral.record is not None:
        return referral.record.needs, None
    return None, referral.preview


def _need(source: Source, referral: Referral, need: NeededService | PreviewNeed) -> Json:
    told = need if isinstance(need, NeededService) else None
    details = _details(source, need.preferences, None)
    if told and told.focus:
        details.append(source.concept("rehabilitation_focus", told.focus))
    return {
        "id": source.id("referral", referral.id, need.need),
        "meta": source.meta(*(("needs",) if told else ())),
        "basedOn": [reference(source.id("referral", referral.id))],
        "category": [{"coding": [_REFERRAL]}],
        "code": source.concept("need", need.need),
        **compact(
            priority=NEED_PRIORITY.get(need.priority) if need.priority else None,
            orderDetail=details,
            occurrencePeriod=period(None, told.until) if told else None,
            note=notes(told.note) if told else None,
        ),
    }


def _details(source: Source, preferences: Preferences | PreviewPreferences | None, escort: str | None) -> list[Json]:
    """Return how it should be given, as far as it was answered and is a code."""
    found: list[tuple[str, str]] = [("escort", escort)] if escort and escort not in MISSING else []
    if preferences:
        for name, codes in (
            ("staff_gender", [preferences.staff_gender] if preferences.staff_gender else []),
            ("room_preference", [preferences.room] if preferences.room else []),
            ("accessibility_need", preferences.accessible),
            ("diet", preferences.diet),
        ):
            found += [(name, code) for code in known(codes)]
    return [source.concept(name, code) for name, code in found]


def _replaced(source: Source, referral: Referral) -> Json:
    return {"identifier": {"system": f"{source.url}/v1/referrals", "value": str(referral.replaces)}}


def task(source: Source, referral: Referral) -> Task:
    """Return where the referral stands, what it rests on besides consent, and what became of each need."""
    return Task.model_validate(
        {
            "id": source.id("referral", referral.id, "task"),
            "meta": source.meta(),
            "status": _status(referral.state, referral.started_at),
            # `declined` is a state here, and no answer that is missing.
            "businessStatus": {"coding": [source.coding("referral_state", referral.state)]},
            "intent": "order",
            "code": {"coding": [_FULFILL]},
            "focus": reference(source.id("referral", referral.id)),
            "for": source.patient,
            "authoredOn": referral.sent_at.isoformat(),
            "lastModified": referral.updated_at.isoformat(),
            "requester": reference(source.agency_id(referral.sender.code)),
            "owner": reference(source.agency_id(referral.receiver.code)),
            **compact(
                statusReason=_reason(source, referral.ending, referral.state) if referral.ending else None,
                executionPeriod=period(referral.started_at, referral.ended_at) if referral.started_at else None,
                input=[_legal(source, each) for each in referral.disclosures if each.basis != "consent"],
                output=[
                    {
                        "type": source.concept("need", each.need),
                        "valueCodeableConcept": source.concept("need_outcome", each.outcome),
                    }
                    for each in (referral.ending.outcomes if referral.ending else ())
                ],
            ),
        }
    )


def _status(state: str, started_at: datetime | None) -> str:
    if state == "cancel_requested":
        return "in-progress" if started_at else "accepted"
    return TASK_STATUS.get(state, "requested")


def _reason(source: Source, ending: Ending, state: str) -> Json | None:
    """Return why it ended: a code, where the state has a list of reasons, and what was said to it."""
    names = {"declined": "decline_reason", "not_completed": "not_completed_reason"}
    said = [] if state in names else [ending.reason]
    words = "\n".join(text(each) for each in (*said, ending.text) if each)
    coding = [source.coding(names[state], ending.reason)] if state in names and ending.reason else None
    return compact(coding=coding, text=words or None) or None


def _legal(source: Source, disclosure: Disclosure) -> Json:
    """Return a basis that is no consent, and must not look like one: the law and article, where there is one."""
    law = [source.coding("legal_basis", disclosure.legal_basis)] if disclosure.legal_basis else None
    named = compact(coding=law, text=text(disclosure.article) if disclosure.article else None)
    return {
        "type": source.concept("disclosure_basis", disclosure.basis),
        "valueCodeableConcept": named or source.concept("disclosure_basis", disclosure.basis),
    }

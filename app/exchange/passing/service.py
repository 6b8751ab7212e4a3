"""Sending and moving: what referrals and transfers do alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key, occurred
from app.exchange.attachments.binding import evidence_of, files_of
from app.exchange.lifecycle import PREVIOUS, Deadline, Lifecycle, Need, Party, Tell, first_reminder
from app.exchange.passing import problems, queries, refusals
from app.exchange.passing.reading import in_force, open_back, section_told
from app.exchange.passing.storing import (
    bases_for_storage,
    consent_detail,
    consent_for_storage,
    guardian_suspected,
    in_manifest,
    left_behind,
    said_with_it,
    unfit,
)
from app.exchange.records.sealing import SealedRecord, in_order, open_preview, read_version, seal
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.foundation.settings import Settings
from app.policy.agreements import Agreed, agreed
from app.policy.bases import Asking, day_of, faults, replaced, unknown_articles
from app.policy.consents import is_child
from app.policy.decide import (
    BasisLike,
    Decision,
    decide,
    despite_restriction,
    flows_back,
    goes_despite_restriction,
    kinds_not_told,
    restricted_of,
    uncovered,
    why_not_open,
)
from app.policy.table import Back
from auth.directory import AgencyEntry
from schemas.checks import warnings_of
from schemas.checks.warning import RecordWarning
from schemas.codes.agencies import AgencyKind
from schemas.codes.answers import Answer
from schemas.codes.disclosure import DisclosureBasis
from schemas.codes.person import AgeBand
from schemas.codes.referral import Purpose, Urgency
from schemas.codes.warnings import WarningCode
from schemas.exchange.basis import Basis, ConsentBasis
from schemas.exchange.common import Moved, MoveRequest
from schemas.exchange.consent import NewConsent
from schemas.exchange.referral import Amend, Confirmation, Decline, Dispute, NewReferral, NewTransfer, Note, ProvideInfo
from schemas.record.age import is_adult
from schemas.record.age import is_child as is_child_by_birth
from schemas.record.record import SECTIONS, Record, included

REFERENCE_PREFIX = {"case": "K", "referral": "R", "transfer": "T"}


def within(
    settings: Settings, deadline: Deadline, urgency: str, own: Mapping[str, timedelta] | None = None
) -> timedelta:
    """Return how long a state may last; `own`: the receiver's times by agreement, by setting."""
    name = deadline.setting + (urgency if deadline.by_urgency else "")
    return (own or {}).get(name) or cast(timedelta, getattr(settings, name))


def moved(
    row: queries.MovedRow,
    moves: list[str],
    record: Record | None = None,
    bases: Sequence[Basis] = (),
    besides: Sequence[RecordWarning] = (),
) -> Moved:
    """Return the answer to a POST that brought this record and these bases, or none.

    Warnings are kept nowhere: a request that is repeated brings the same record, and is looked at as of its first day.
    """
    warnings = warnings_of(record, on=row.recorded_at.date()) if record else ()
    return Moved(
        id=row.id,
        case_id=row.case_id,
        reference=row.reference,
        state=row.state,
        version=row.version,
        recorded_at=row.recorded_at,
        log_entry=row.log_id,
        receipt=f"/v1/receipts/{row.log_id}",
        moves=moves,
        warnings=[
            *(warning.under("/record") for warning in warnings),
            *(
                RecordWarning(code=WarningCode.ARTICLE_UNKNOWN, pointer=f"/bases/{place}/article", related=())
                for place in unknown_articles(bases)
            ),
            *besides,
        ],
    )


def open_to(lifecycle: Lifecycle, row: queries.MovedRow, by: Party) -> list[str]:
    """Return what who has just acted as `by` may do next."""
    return lifecycle.moves_open(row.state, [by], [Need(each) for each in row.met or ()])


async def send(db: Acting, lifecycle: Lifecycle, body: NewReferral | NewTransfer, key: Key) -> Moved:
    """Send a referral or offer a transfer: check what the table of the policy says, seal the record, write everything at once."""
    receiver = receiver_of(db, body.receiver)
    refused: Problem | None = None
    if isinstance(receiver, Problem):
        refused, receiver = receiver, db.agency
    sections = included(body.record) if body.record else in_order({s for b in body.bases for s in b.sections}, SECTIONS)
    if refused is None and body.consent is not None:
        refused = unfit(db, body.consent, "/consent")
    child = is_child(body.record, db.at.date())
    refused = refused or await undisclosable(
        db,
        receiver,
        body.purpose,
        sections,
        body.bases,
        case_id=body.case_id,
        consent=body.consent,
        child=child,
        adult=await grown_up(db, body.bases, record=body.record, version_id=body.record_version),
    )
    deadline = lifecycle.deadline(lifecycle.initial)
    assert deadline is not None
    respond_by = db.at + within(db.settings, deadline, body.urgency, db.directory.times(db.at).get(receiver.id))
    if body.respond_by is not None:
        if not db.at < body.respond_by <= respond_by:
            refused = refused or InvalidRequest([{"pointer": "/respond_by", "code": "outside_the_urgency"}])
        respond_by = body.respond_by
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        refused = refused or happened
    if refused is not None:
        return await unless_repeated(db, lifecycle, key, refused, by=Party.SENDER, record=body.record)

    subject_id, case_id = uuid7(db.at), body.case_id or uuid7(db.at)
    sealed = seal(db.keyring, body.record, version_id=uuid7(db.at), case_id=case_id, at=db.at) if body.record else None
    consent_id = uuid7(db.at) if body.consent else None
    bases, reasons = bases_for_storage(db, body.bases, consent_id, case_id=case_id, child=child)
    envelope: dict[str, Any] = {
        "subject": lifecycle.name,
        "id": subject_id,
        "reference": new_reference(REFERENCE_PREFIX[lifecycle.name]),
        "case_id": case_id,
        "new_case": {"reference": new_reference("K"), "entry_channel": body.case.entry_channel} if body.case else None,
        "consent": consent_for_storage(body.consent, consent_id) | {"file": evidence_of(body.consent, under="/consent")}
        if body.consent and consent_id
        else None,
        "receiver_id": receiver.id,
        "receiver_code": receiver.code,
        "receiver_kind": receiver.kind,
        "recorded_by_id": db.recorder_id,
        "purpose": body.purpose,
        "urgency": body.urgency,
        "respond_by": respond_by,
        "due_at": db.at + first_reminder(respond_by - db.at),
        "sections": list(sections),
        "version_id": sealed.version_id if sealed else body.record_version,
        "schema_version": sealed.schema_version if sealed else None,
        "guardian_suspected": guardian_suspected(body.record),
        "record_sections": list(sealed.sections) if sealed else None,
        "sealed": sealed.recipients if sealed else None,
        "files": files_of(body.record),
        "reuse": sealed is None,
        "commitment": sealed.commitment if sealed else None,
        "replaces_id": body.replaces,
        "offer_group": body.offer_group if isinstance(body, NewReferral) else None,
        "bases": bases,
        "occurred_at": happened,
        "channel": body.channel,
    }
    said = said_with_it(body)
    if isinstance(body, NewTransfer):
        envelope["manifest"] = in_manifest(said) | left_behind(body)
    try:
        row = await queries.send(
            db,
            key,
            envelope,
            sealed=sealed,
            reasons=reasons,
            consent_detail=consent_detail(db, body.consent, consent_id, case_id=case_id)
            if body.consent and consent_id
            else None,
            detail=db.keyring.seal_one(Place("move.detail", subject_id, subject_id), json.dumps(said))
            if said
            else None,
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle, sections=tuple(sections)) or error) from error
    besides = await restriction_warnings(db, row, body.bases) if body.case is None else []
    return moved(row, lifecycle.moves_open(row.state, [Party.SENDER]), body.record, body.bases, besides)


async def move(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    *,
    subject_id: UUID,
    seen: int | None,
    key: Key,
    body: MoveRequest,
    detail: dict[str, Any] | None = None,
    **facts: Any,
) -> Moved:
    """Make the move the table's row describes. `detail` is what the parties say about it, encrypted; `facts` go to columns."""
    return await _apply(
        db, lifecycle, event, subject_id=subject_id, seen=seen, key=key, body=body, detail=detail, facts=facts
    )


async def new_version(
    db: Acting, lifecycle: Lifecycle, event: str, *, subject_id: UUID, seen: int, key: Key, body: Amend | ProvideInfo
) -> Moved:
    """Replace the record by a new version with its own bases."""
    row = await party_row(db, lifecycle, subject_id)
    if row is None:
        return await unless_repeated(db, lifecycle, key, NotFound(), by=Party.SENDER, record=body.record)
    record, receiver = body.record, db.directory.agencies[row["receiver_id"]]
    assert record is not None, "an answer without a record is words"
    sections = included(record)
    purpose = Purpose(row["purpose"])
    child = is_child(record, db.at.date())
    adult = await grown_up(db, body.bases, record=record)
    if refused := await undisclosable(
        db, receiver, purpose, sections, body.bases, case_id=row["case_id"], child=child, adult=adult
    ):
        return await unless_repeated(db, lifecycle, key, refused, by=Party.SENDER, record=record)
    sealed = seal(db.keyring, record, version_id=uuid7(db.at), case_id=row["case_id"], at=db.at)
    bases, reasons = bases_for_storage(db, body.bases, None, case_id=row["case_id"], child=child)
    facts = {
        "case_id": row["case_id"],
        "version_id": sealed.version_id,
        "schema_version": sealed.schema_version,
        "guardian_suspected": guardian_suspected(record),
        "record_sections": list(sections),
        "sections": list(sections),
        "sealed": sealed.recipients,
        "files": files_of(record),
        "bases": bases,
        "receiver_code": receiver.code,
        "receiver_kind": receiver.kind,
        "log": {
            "sections": list(sections),
            "purpose": purpose,
            "bases": [{"basis": each["basis"], "sections": each["sections"]} for each in bases],
            "record_version": sealed.version_id,
            "commitment": sealed.commitment,
        },
    }
    return await _apply(
        db,
        lifecycle,
        event,
        subject_id=subject_id,
        seen=seen,
        key=key,
        body=body,
        detail=None,
        facts=facts,
        sealed=sealed,
        reasons=reasons,
        record=record,
        bases=body.bases,
    )


async def words(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    *,
    subject_id: UUID,
    seen: int | None,
    key: Key,
    body: Note | ProvideInfo,
    facts: Mapping[str, Any] | None = None,
) -> Moved:
    """Write to the other party. What is written is a disclosure of the section it names, on a basis of its own or on the section's."""
    by = lifecycle[event].by
    async with db.transaction() as tx:
        row = await queries.find(tx, lifecycle.name, subject_id)
        disclosures = await queries.disclosures_of(tx, subject_id, row["version_id"]) if row is not None else []
        restricted: Mapping[str, asyncpg.Record] = {}
        if row is not None and body.basis is None:
            disclosures = await queries.without_barred(tx, row["case_id"], disclosures)
            restricted = await queries.restricted_sections(tx, row["case_id"], db.at)
        if (
            row is not None
            and row["receiver_id"] == db.agency_id
            and isinstance(body, Note)
            and body.in_reply_to is not None
            and body.section is None
        ):
            # what answers a question is of the section that was asked of, though it names none
            asked = await queries.section_of_note(tx, subject_id, body.in_reply_to)
            body = body.model_copy(update={"section": asked})
    if row is None:
        return await unless_repeated(db, lifecycle, key, NotFound(), by=by)
    is_sender = row["sender_id"] == db.agency_id
    by = Party.SENDER if is_sender else Party.RECEIVER
    other = db.directory.agencies[row["receiver_id" if is_sender else "sender_id"]]
    purpose = Purpose(row["purpose"])
    fault: Problem | None = None
    if is_sender:
        fault = _unfounded(body, row, disclosures, db.at)
    elif body.basis is None:
        fault = _closed_back(body, other, purpose, row, disclosures, db.at)
    if body.basis is None:
        fault = _restricted(body, row, disclosures, restricted, db.at) or fault
        fault = fault or _unagreed(db, other, purpose, body.section, disclosures)
    if fault is not None:
        return await unless_repeated(db, lifecycle, key, fault, by=by)
    # a receiver's note that its sender's kind may not read waits for nobody
    back = flows_back(AgencyKind(other.kind))
    for_other = is_sender or body.basis is not None or Back.NOTES in back
    facts = {
        **(facts or {}),
        "for_other": for_other,
        "section": body.section,
        "log": {"sections": [body.section] if body.section else []},
    }
    reasons: Sequence[bytes | None] = ()
    detail: dict[str, Any] = {"text": body.text}
    if body.basis is not None and body.section is not None:
        adult = await grown_up(db, [body.basis], version_id=row["version_id"])
        if refused := await undisclosable(
            db, other, purpose, [body.section], [body.basis], case_id=row["case_id"], adult=adult
        ):
            return await unless_repeated(db, lifecycle, key, refused, by=by)
        bases, reasons = bases_for_storage(db, [body.basis], None, case_id=row["case_id"])
        facts |= {"bases": bases, "other_id": other.id, "receiver_code": other.code, "receiver_kind": other.kind}
        facts["log"]["basis"] = detail["basis"] = body.basis.kind
    return await _apply(
        db,
        lifecycle,
        event,
        subject_id=subject_id,
        seen=seen,
        key=key,
        body=body,
        detail=detail,
        facts=facts,
        reasons=reasons,
        by=by,
        bases=[body.basis] if body.basis is not None else (),
    )


def _unfounded(
    body: Note | ProvideInfo, row: asyncpg.Record, disclosures: Sequence[asyncpg.Record], at: datetime
) -> Problem | None:
    """Return what a sender's text lacks: it names a section, and where that is not open to the receiver, brings a basis."""
    if body.section is None:
        return InvalidRequest([{"pointer": "/section", "code": "missing"}])
    if body.basis is None and row["accepted_at"] is None:
        return InvalidRequest([{"pointer": "/basis", "code": "needed_before_acceptance"}])
    if body.basis is None and body.section not in row["sections"]:
        return InvalidRequest([{"pointer": "/basis", "code": "section_not_sent"}])
    if (
        body.basis is None
        and row["ended_at"] is None
        and not any(
            body.section in each["sections"] and each["version_id"] and in_force(each, at) for each in disclosures
        )
    ):  # nobody would read it
        return InvalidRequest([{"pointer": "/basis", "code": "section_not_open"}])
    return None


def _restricted(
    body: Note | ProvideInfo,
    row: asyncpg.Record,
    disclosures: Sequence[asyncpg.Record],
    restricted: Mapping[str, asyncpg.Record],
    at: datetime,
) -> Problem | None:
    """Return the refusal of words about a section that the person had restricted, unless it went since on what lets it go."""
    section = section_told(body.section)
    open_since = any(
        section in each["sections"]
        and each["version_id"]
        and each["receiver_id"] == row["receiver_id"]
        and in_force(each, at)
        for each in disclosures
    )
    if section not in restricted or open_since:
        return None
    refused = {section: "restricted"}
    return problems.DisclosureRefused(refused=refused, sendable=[], restrictions=_named(restricted, refused))


def _closed_back(
    body: Note | ProvideInfo,
    sender: AgencyEntry,
    purpose: Purpose,
    row: asyncpg.Record,
    disclosures: Sequence[asyncpg.Record],
    at: datetime,
) -> Problem | None:
    """Return why a receiver's text about a section cannot go back to the sender without a basis of its own.

    What the tables keep from the sender's kind it learns from no note either; and what the two had open between them and is locked now is not
    told on in words.
    """
    section = section_told(body.section)
    if why := why_not_open(section, kind=AgencyKind(sender.kind), purpose=purpose):
        return problems.DisclosureRefused(refused={section: why}, sendable=[])
    if not open_back(section, row, disclosures, at):
        return InvalidRequest([{"pointer": "/basis", "code": "section_not_open"}])
    return None


def agreed_with(db: Acting, receiver: AgencyEntry, purpose: Purpose) -> Agreed | None:
    """Return what the caller may send another agency now, by their agreements."""
    return agreed_between(db, db.agency, receiver, purpose)


def agreed_between(db: Acting, sender: AgencyEntry, receiver: AgencyEntry, purpose: Purpose) -> Agreed | None:
    """Return what one agency may send another now, by their agreements."""
    return agreed(db.directory, sender, receiver, purpose, home=db.settings.emergency_country, at=db.at)


def _unagreed(
    db: Acting, other: AgencyEntry, purpose: Purpose, section: str | None, disclosures: Sequence[asyncpg.Record]
) -> Problem | None:
    """Return the refusal of words that rest on what was opened before, if no agreement lets them go now. Words about no section are `needs`."""
    section = section_told(section)
    bounds = agreed_with(db, other, purpose)
    bases = {
        each["basis"]
        for each in disclosures
        if section in each["sections"] and each["sender_id"] == db.agency_id and in_force(each, db.at)
    }
    if bounds is None or bounds.lets(section, vital=bases == {DisclosureBasis.VITAL_INTEREST}):
        return None
    return problems.AgreementRequired(
        sender=db.agency.code, receiver=other.code, purpose=purpose, refused={section: "agreement"}, sendable=[]
    )


async def dispute(
    db: Acting, lifecycle: Lifecycle, *, subject_id: UUID, move_id: UUID, key: Key, body: Dispute
) -> Moved:
    """Dispute a move that another agency recorded for the caller's. It stands; everybody who sees it sees that it is disputed."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, lifecycle, key, happened, by=Party.EITHER)
    own_id = uuid7(db.at)
    try:
        row = await queries.dispute_move(
            db,
            key,
            lifecycle.name,
            subject_id,
            move_id,
            {"move_id": own_id, "occurred_at": happened, "channel": body.channel},
            detail=db.keyring.seal_one(Place("move.detail", own_id, subject_id), json.dumps({"text": body.reason})),
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle) or error) from error
    return moved(row, [])


async def confirm_move(
    db: Acting, lifecycle: Lifecycle, *, subject_id: UUID, move_id: UUID, key: Key, body: Confirmation
) -> Moved:
    """Say that a move of the caller's, disputed because of a breach, was its own."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, lifecycle, key, happened, by=Party.EITHER)
    try:
        row = await queries.confirm_move(
            db,
            key,
            lifecycle.name,
            subject_id,
            move_id,
            {"move_id": uuid7(db.at), "occurred_at": happened, "channel": body.channel},
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle) or error) from error
    return moved(row, [])


async def party_row(db: Acting, lifecycle: Lifecycle, subject_id: UUID) -> asyncpg.Record | None:
    """Return the row of a referral or transfer the caller may see."""
    async with db.transaction() as tx:
        return await queries.find(tx, lifecycle.name, subject_id)


async def _apply(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    *,
    subject_id: UUID,
    seen: int | None,
    key: Key,
    body: MoveRequest,
    detail: dict[str, Any] | None,
    facts: dict[str, Any],
    sealed: SealedRecord | None = None,
    reasons: Sequence[bytes | None] = (),
    by: Party | None = None,
    record: Record | None = None,
    bases: Sequence[Basis] = (),
) -> Moved:
    row = lifecycle[event]
    by = by or row.by
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, lifecycle, key, happened, by=by, record=record)
    move_id = uuid7(db.at)
    parameters: dict[str, Any] = {
        "subject": lifecycle.name,
        "id": subject_id,
        "event": event,
        "from_states": row.from_states,
        "to_state": row.to,
        "party": row.by,
        "seen": seen if row.versioned else None,
        "counts": row.versioned,
        "type": lifecycle.told(row),
        "tells": _told(row.tells),
        "not_kinds": kinds_not_told(event) or None,
        "partners": _PARTNERS_TOLD[event] if Tell.PARTNERS in row.tells else None,
        "handover": event == "confirm_handover",
        "access": row.access,
        "final": row.to in lifecycle.final_states,
        **_dues(db, lifecycle, row.to, facts.get("review_at")),
        "pause_at_most": f"{db.settings.info_pause_at_most.total_seconds()} seconds",
        "answer_within": f"{db.settings.answer_request_within.total_seconds()} seconds",
        "move_id": move_id,
        "occurred_at": happened,
        "said_at": happened if body.occurred_at else None,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
        **facts,
    }
    try:
        answer = await queries.apply_move(
            db,
            key,
            parameters,
            detail=db.keyring.seal_one(Place("move.detail", move_id, subject_id), json.dumps(detail))
            if detail
            else None,
            sealed=sealed,
            reasons=reasons,
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle, sections=sealed.sections if sealed else ()) or error) from error
    besides = await restriction_warnings(db, answer, bases, under="/bases" if record is not None else None)
    return moved(answer, open_to(lifecycle, answer, by), record, besides=besides)


_PARTNERS_TOLD = {
    "accept": "case.lead_changing",
    "confirm_handover": "case.lead_changed",
    "abort": "case.lead_unchanged",
    "confirm_error": "case.lead_unchanged",
}
"""What the receivers of a case's open referrals learn of a move on its transfer."""


def _told(tells: Sequence[Tell]) -> list[str]:
    named = {
        Tell.SENDER: ("sender",),
        Tell.EARLIER_LEAD: ("sender",),
        Tell.RECEIVER: ("receiver",),
        Tell.LEAD: ("lead",),
        Tell.OTHER: ("sender", "receiver"),
    }
    return sorted({party for tell in tells for party in named.get(tell, ())})


def _dues(db: Acting, lifecycle: Lifecycle, to: str | None, review_at: datetime | None) -> dict[str, Any]:
    """Return the deadline of each state the move may lead to, and when the clock first looks, by urgency.

    Nothing where the deadline to answer simply runs on. `own_dues`: the same for receivers that have agreed on other times.
    """
    targets = _WORKED_ON if to == PREVIOUS else (to,)
    own = {str(agency): _dues_of(db, lifecycle, targets, times) for agency, times in db.directory.times(db.at).items()}
    dues = _dues_of(db, lifecycle, targets, None)
    if to == "on_hold" and review_at is not None:
        look = db.at + first_reminder(review_at - db.at)
        dues["on_hold"] = {urgency.value: {"deadline": review_at, "look": look} for urgency in Urgency}
        own = {}
    return {"dues": dues or None, "own_dues": own or None}


_WORKED_ON = ("accepted", "in_progress", "on_hold")
"""The states that a refused cancellation leads back to."""


def _dues_of(
    db: Acting, lifecycle: Lifecycle, targets: Sequence[str | None], times: Mapping[str, timedelta] | None
) -> dict[str, dict[str, dict[str, datetime]]]:
    dues: dict[str, dict[str, dict[str, datetime]]] = {}
    for target in targets:
        deadline = lifecycle.deadline(target) if target and target not in lifecycle.final_states else None
        if target is None or deadline is None or deadline.at_deadline == "answer":
            continue
        dues[target] = {}
        for urgency in Urgency:
            span = within(db.settings, deadline, urgency, times)
            dues[target][urgency.value] = {"deadline": db.at + span, "look": db.at + first_reminder(span)}
    return dues


def declined(db: Acting, body: Decline) -> dict[str, Any] | Problem:
    """Return what a refusal says; a problem for a suggestion that is no agency."""
    for place, code in enumerate(body.suggested_receivers):
        if db.directory.known_to(db.agency, code) is None:
            return problems.UnknownReceiver(f"/suggested_receivers/{place}")
    return {"reason": body.reason, "text": body.text, "suggested_receivers": list(body.suggested_receivers)}


def receiver_of(db: Acting, code: str) -> AgencyEntry | Problem:
    """Return the receiving agency, or why there is none."""
    receiver = db.directory.known_to(db.agency, code)
    if receiver is None:
        return problems.UnknownReceiver()
    if not receiver.active or receiver.id == db.agency_id:
        return problems.ReceiverUnavailable()
    return receiver


def by_policy(
    db: Acting,
    receiver: AgencyEntry,
    purpose: Purpose,
    sections: Sequence[str],
    bases: Sequence[BasisLike],
    *,
    faults: Mapping[str, str] | None = None,
) -> Decision:
    """Return what the tables, the bases and the agreements say of sending these sections; of a consent, only that it is named.

    `faults`: sections whose basis does not hold today, and why.
    """
    return decide(
        kind=AgencyKind(receiver.kind),
        abroad=receiver.country != db.settings.emergency_country,
        purpose=purpose,
        included=sections,
        bases=bases,
        at=db.at,
        agreed=agreed_with(db, receiver, purpose),
        faults=faults or {},
    )


async def with_consents(
    db: Acting,
    decision: Decision,
    receiver: AgencyEntry,
    purpose: Purpose,
    bases: Sequence[BasisLike],
    *,
    case_id: UUID | None,
    consent: NewConsent | None,
    child: bool = False,
) -> Decision:
    """Return the decision with the sections refused of which a consent does not cover what rests on it, or that the person had restricted.

    `consent`: what comes in the same request, meant by a basis that names none. `child`: the record says that the person is one.
    """
    refused = dict(decision.refused)
    kind = AgencyKind(receiver.kind)
    if case_id is not None and any(not isinstance(basis, ConsentBasis) for basis in bases):
        async with db.transaction() as tx:
            restricted = await queries.restricted_sections(tx, case_id, db.at)
        kept_back = restricted_of(bases, restricted)
        refused |= {section: "restricted" for section in decision.sendable if section in kept_back}
    for basis in bases:
        resting = [str(section) for section in basis.sections if section in decision.sendable]
        if not isinstance(basis, ConsentBasis) or not resting:
            continue
        if basis.consent_id is None and consent is not None:
            given = consent_for_storage(consent, uuid7(db.at))
            for section in resting:
                if why := uncovered(
                    given, section, receiver=receiver.code, kind=kind, purpose=purpose, at=db.at, child=child
                ):
                    refused[section] = why
        elif case_id is None:
            refused |= dict.fromkeys(resting, "consent")
        else:
            async with db.transaction() as tx:
                refused |= await queries.consent_gaps(
                    tx, case_id, basis.consent_id, resting, receiver.code, kind, purpose, child=child, at=db.at
                )
    return Decision(tuple(section for section in decision.sendable if section not in refused), refused)


async def restriction_warnings(
    db: Acting, row: queries.MovedRow, bases: Sequence[BasisLike], *, under: str | None = "/bases"
) -> list[RecordWarning]:
    """Return a warning for each basis on which a section went that the person had restricted when it was sent.

    A request that is repeated is told the same: what was restricted on its first day. `under`: where the bases stand; None: one, at `/basis`.
    """
    if not any(goes_despite_restriction(basis.kind) for basis in bases):
        return []
    async with db.transaction() as tx:
        restricted = await queries.restricted_sections(tx, row.case_id, row.recorded_at)
    return [
        RecordWarning(
            code=WarningCode.RESTRICTED_SENT,
            pointer=f"{under}/{place}" if under is not None else "/basis",
            related=tuple(f"/record/{section}" for section in sections) if under is not None else (),
        )
        for place, sections in despite_restriction(bases, restricted).items()
    ]


async def undisclosable(
    db: Acting,
    receiver: AgencyEntry,
    purpose: Purpose,
    sections: Sequence[str],
    bases: Sequence[Basis],
    *,
    case_id: UUID | None,
    consent: NewConsent | None = None,
    child: bool = False,
    adult: bool = False,
) -> Problem | None:
    """Return the refusal the policy demands, or None; then the consents are left to the statement that sends.

    A refusal names all that is refused, by the consents too, so that one retry is enough; `previewing` asks the same. `child`, `adult`: the
    record says so of the person, the latter undisputed.
    """
    asking = Asking(at=db.at, parties=(db.agency.code, receiver.code), adult=adult)
    decision = by_policy(db, receiver, purpose, sections, bases, faults=faults(bases, asking))
    if decision.allowed:
        return None
    decision = await with_consents(
        db, decision, receiver, purpose, bases, case_id=case_id, consent=consent, child=child
    )
    restricted: Mapping[str, asyncpg.Record] = {}
    if case_id is not None and "restricted" in decision.refused.values():
        async with db.transaction() as tx:
            restricted = await queries.restricted_sections(tx, case_id, db.at)
    return refusal(
        decision.refused,
        decision.sendable,
        sender=db.agency,
        receiver=receiver,
        purpose=purpose,
        not_in_force=replaced(bases, db.at),
        restrictions=_named(restricted, decision.refused),
    )


def _named(restricted: Mapping[str, asyncpg.Record], refused: Mapping[str, str]) -> list[dict[str, str]]:
    """Return by which request, and since when, sections are restricted, of those refused for that."""
    return [
        {
            "section": section,
            "subject_request": str(restricted[section]["request_id"]),
            "since": restricted[section]["since"].isoformat(),
        }
        for section, why in refused.items()
        if why == "restricted" and section in restricted
    ]


async def grown_up(
    db: Acting, bases: Sequence[Basis], *, record: Record | None = None, version_id: UUID | None = None
) -> bool:
    """Return whether the record says, undisputed, that the person is an adult; looked at only where a basis is for children alone."""
    if all(basis.kind != "best_interests_of_child" for basis in bases):
        return False
    if record is not None:
        return record.identity is not None and is_child_by_birth(record.identity.birth, on=day_of(db.at)) is Answer.NO
    if version_id is None:
        return False
    async with db.transaction() as tx:
        version = await read_version(tx, version_id)
    preview = open_preview(db.keyring, version, ("identity",)) if version is not None else None
    if preview is None or preview["age_band"] is None or preview["age_disputed"] == Answer.YES:
        return False
    return is_adult(AgeBand(preview["age_band"]))


def refusal(
    refused: Mapping[str, str],
    sendable: Sequence[str],
    *,
    sender: AgencyEntry,
    receiver: AgencyEntry,
    purpose: Purpose,
    not_in_force: Mapping[str, str | None] | None = None,
    restrictions: Sequence[Mapping[str, str]] = (),
) -> Problem:
    """Return the problem that names the refused sections and why."""
    if "agreement" in refused.values():
        return problems.AgreementRequired(
            sender=sender.code, receiver=receiver.code, purpose=purpose, refused=refused, sendable=sendable
        )
    return problems.DisclosureRefused(
        refused=refused, sendable=sendable, not_in_force=not_in_force, restrictions=restrictions
    )


async def unless_repeated(
    db: Acting, lifecycle: Lifecycle, key: Key, refused: Problem, *, by: Party, record: Record | None = None
) -> Moved:
    """Raise the refusal, unless this very request succeeded before: then it gets the original answer."""
    try:
        earlier = await queries.earlier_answer(db, key)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    if earlier is None:
        raise refused
    return moved(earlier, open_to(lifecycle, earlier, by), record)

"""Reading a referral or transfer: what its caller may see of it, now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting
from app.exchange.attachments.binding import LIST, as_read, sections_of
from app.exchange.lifecycle import Lifecycle, Need, Party
from app.exchange.passing import queries
from app.exchange.records.sealing import (
    PREVIEWED,
    as_record,
    in_order,
    open_preview,
    open_sections,
    read_part,
    read_version,
)
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.keyring import Place, Sealed
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound
from app.policy import table
from app.policy.agreements import agreed, crosses_border
from app.policy.decide import fields_back, flows_back, unsaid
from app.policy.table import Back
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis
from schemas.codes.referral import Purpose
from schemas.record.record import SECTIONS

Document = dict[str, Any]
LEAVES_IN_HAND: Final = frozenset(
    {
        "consent_withdrawn",
        "consent_narrowed",
        "consent_doubted",
        "not_justified",
        "review_lapsed",
        "erasure_asked",
        "restricted",
    }
)
"""Why sections lock that leave, for a day, to whoever has the person with them what keeps them safe and alive."""


def agency_ref(db: Acting, agency_id: UUID) -> Document:
    """Return an agency as others may know it."""
    agency = db.directory.agencies[agency_id]
    return {"code": agency.code, "name": agency.name, "kind": agency.kind}


def parties_of(db: Acting, row: asyncpg.Record) -> list[Party]:
    """Return what the caller is to this referral or transfer."""
    return [
        party
        for party, agency_id in ((Party.SENDER, row["sender_id"]), (Party.RECEIVER, row["receiver_id"]))
        if agency_id == db.agency_id
    ]


def met_by(row: asyncpg.Record) -> list[Need]:
    """Return the conditions of moves that the row meets."""
    met = [Need.ERROR_REPORTED] if row["error_reported_at"] is not None else []
    return [*met, Need.PAPER_PENDING] if row.get("paper") == "pending" else met


def _over(row: asyncpg.Record) -> bool:
    return row["ended_at"] is not None and row.get("paper") != "pending"


def _silence_of_others(db: Acting, row: asyncpg.Record) -> bool:
    """Whether the deadline counts from the last service, of which the caller, the sender, learns nothing, not even when it was."""
    if row["state"] != "in_progress" or row["sender_id"] != db.agency_id:
        return False
    flowing = flows_back(AgencyKind(db.agency.kind), agreed=agreed_back(db, row, db.at))
    return unsaid("record_service", flowing)


def envelope(db: Acting, lifecycle: Lifecycle, row: asyncpg.Record) -> Document:
    """Return everything but the person."""
    found: Document = {
        "id": row["id"],
        "case_id": row["case_id"],
        "reference": row["reference"],
        "sender": agency_ref(db, row["sender_id"]),
        "receiver": agency_ref(db, row["receiver_id"]),
        "state": row["state"],
        "version": row["version"],
        "purpose": row["purpose"],
        "urgency": row["urgency"],
        "respond_by": row["respond_by"],
        "deadline": None if _over(row) or _silence_of_others(db, row) else row["deadline_at"],
        "clock": row["clock"],
        "sent_at": row["sent_at"],
        "updated_at": row["updated_at"],
        "acknowledged_at": row["acknowledged_at"],
        "accepted_at": row["accepted_at"],
        "ended_at": row["ended_at"],
        "error_reported_at": row["error_reported_at"],
        "replaces": row["replaces_id"] if row["sender_id"] == db.agency_id else None,
        "moves": lifecycle.moves_open(row["state"], parties_of(db, row), met_by(row)),
    }
    if lifecycle.name == "referral":
        found["started_at"] = row["started_at"]
        found["review_at"] = row["review_at"]
        found["offer_group"] = row["offer_group"] if row["sender_id"] == db.agency_id else None
    else:
        found["paper"] = row["paper"]
    return found


async def page(
    db: Acting,
    lifecycle: Lifecycle,
    *,
    role: str,
    states: Sequence[str] | None,
    urgency: Sequence[str] | None,
    case_id: UUID | None,
    updated_since: datetime | None,
    cursor: str | None,
    limit: int,
) -> Document:
    """Return a page of envelopes and the address of the next; nothing is decrypted."""
    if states and not set(states) <= set(lifecycle.states):
        raise InvalidRequest([{"parameter": "state", "code": "unknown_state"}])
    if role == "lead" and case_id is None:
        raise InvalidRequest([{"parameter": "case_id", "code": "missing"}])
    path = f"/v1/{lifecycle.name}s"
    filters = {
        "role": role,
        "state": list(states) if states else None,
        "urgency": [str(each) for each in urgency] if urgency else None,
        "case_id": str(case_id) if case_id else None,
        "updated_since": updated_since.isoformat() if updated_since else None,
        "limit": str(limit),
    }
    scope = f"{path} {db.agency_id} {sorted(filters.items(), key=str)}"
    after = None
    if cursor is not None:
        updated, row_id = decode_cursor(db.keyring, scope, cursor, length=2)
        after = (datetime.fromisoformat(updated), UUID(row_id))
    rows = await queries.list_page(
        db,
        lifecycle.name,
        role=role,
        states=list(states) if states else None,
        open_only=bool(states) and set(states or ()) <= set(lifecycle.open_states),
        urgency=list(urgency) if urgency else None,
        case_id=case_id,
        updated_since=updated_since,
        after=after,
        limit=limit + 1,
    )
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [rows[-1]["updated_at"].isoformat(), str(rows[-1]["id"])])
    return {"items": [envelope(db, lifecycle, row) for row in rows], "next": next_link(path, filters, more)}


async def read(db: Acting, lifecycle: Lifecycle, subject_id: UUID, *, within: Connection | None = None) -> Document:
    """Return a referral or transfer as the caller may read it, and log what was disclosed, in one transaction (`within`: one that is open)."""
    async with db.transaction(within) as tx:
        row = await queries.find(tx, lifecycle.name, subject_id)
        if row is None:
            raise NotFound
        is_sender, is_receiver = row["sender_id"] == db.agency_id, row["receiver_id"] == db.agency_id
        version = await read_version(tx, row["version_id"])
        disclosures = await queries.disclosures_of(tx, subject_id, row["version_id"])
        moves = await queries.moves_of(tx, subject_id)
        unanswered = row["accepted_at"] is None and row["ended_at"] is None
        names = _open_to(db, row, version, disclosures, is_sender=is_sender) if version else []
        previewed = (
            row["sections"]
            if is_sender
            else [name for each, name in _covered(db, row, disclosures) if not each["move_id"]]
        )
        sections = await open_sections(tx, db.keyring, version, names) if version else {}
        preview = open_preview(db.keyring, version, previewed) if version and (unanswered or is_sender) else None
        corrections = await queries.corrections_since(
            tx, subject_id, row["receiver_id"], version["recorded_at"] if version else row["sent_at"]
        )
        shown = in_order(sections, SECTIONS)
        files = await readable_files(tx, db, version, set(shown)) if version else []
        drawn_from = PREVIEWED & set(previewed) if preview is not None else frozenset()
        in_hand = {}
        if is_receiver and any(each["lock_reason"] in LEAVES_IN_HAND for each in disclosures):
            left = await sections_in_hand(
                tx, db, case_id=row["case_id"], subject_id=subject_id, version_id=row["version_id"]
            )
            allowed = allowed_for(db, [row["purpose"]]) - set(shown)
            in_hand = {name: part for name, part in left.items() if name in allowed}
        is_party = is_sender or is_receiver  # else the lead, who learns how it stands
        said = {move["id"]: said_of(db, move) for move in moves if is_party and move["detail"] is not None}
        reader = Reader(db, row, disclosures)
        told_in_words = reader.words(moves, said)
        await tx.fetchval(
            "SELECT log_by($1, $2, 'done', $3, $4, $5, $6)",
            db.parameter(),
            f"{lifecycle.name}:read",
            lifecycle.name,
            subject_id,
            row["case_id"],
            json.text(
                {"sections": shown, "preview": preview is not None, "purpose": row["purpose"]}
                | ({"previewed": in_order(drawn_from, SECTIONS)} if preview is not None else {})
                | _rested_on(db, row, disclosures, {*shown, *drawn_from})
                | ({"words": told_in_words} if told_in_words else {})
                | ({"after_withdrawal": sorted(in_hand)} if in_hand else {})
            ),
        )
        if is_receiver and row["first_read_at"] is None:
            await queries.note_reading(tx, lifecycle.name, subject_id, db.at)
    back = reader.back
    by_event = {move["event"]: back.fields(move, said[move["id"]]) for move in moves if move["id"] in said}
    told = [move for move in moves if not back.unsaid(move)]
    services = [move for move in told if move["event"] == "record_service"]
    found = envelope(db, lifecycle, row)
    found |= {
        "record_version": row["version_id"],
        "first_read_at": row["first_read_at"],
        "notes_unread": row["notes_unread"] if is_party else 0,
        "preview": preview,
        "record": as_record(version["schema_version"], sections | in_hand) if version and (shown or in_hand) else None,
        "files": files,
        "sealed": in_order(set(version["sealed"]) & set(row["sections"]), SECTIONS) if version else [],
        "disclosures": [_disclosure(db, each) for each in disclosures if each["version_id"]],
        "withheld": in_order(set(row["sections"]) - set(shown), SECTIONS),
        "corrections": _corrected(db, corrections, list(_covered(db, row, disclosures)), is_sender=is_sender),
        "acceptance": _acceptance(db, row, by_event.get("accept"), is_receiver=is_receiver) if is_party else None,
        "ending": _ending(by_event) if row["ended_at"] and is_party else None,
        "prior_agreement": by_event.get(_FIRST[lifecycle.name], {}).get("prior_agreement") if is_party else None,
        "history": [move_record(db, each, reader.text(each, said)) for each in told],
    }
    if lifecycle.name == "referral":
        found["services"] = [_service(said[each["id"]], each) for each in services if each["id"] in said]
    else:
        paper = by_event.get("handover_paper") or by_event.get("confirm_handover") or {}
        found |= {
            "manifest": orjson.loads(row["manifest"]),
            "manifest_digest": row["manifest_digest"],
            "handover": reader.handover(by_event.get("offer", {})),
            "paper_due_at": row["paper_due_at"],
            "paper_number": paper.get("number"),
            "paper_date": paper.get("date"),
        }
    return found


async def readable_files(
    tx: Connection, db: Acting, version: asyncpg.Record, shown: AbstractSet[str]
) -> list[Document]:
    """Return the files of a version whose own section and whose papers are both shown, without their content."""
    if LIST not in shown:
        return []
    files = await queries.files_of_version(tx, version, db.at)
    return [as_read(db.keyring, each) for each in files if sections_of(each["section"]) <= shown]


async def read_file(
    db: Acting, lifecycle: Lifecycle, subject_id: UUID, attachment_id: UUID, *, content: bool
) -> asyncpg.Record:
    """Return a file of a referral or transfer, as stored, to whoever may now read its section and the papers that name it.

    `content`: it will be given out, which is a disclosure and is logged, once for each request. Raises `NotFound`, also of what is not open.
    """
    async with db.transaction() as tx:
        row = await queries.find(tx, lifecycle.name, subject_id)
        version = await read_version(tx, row["version_id"]) if row is not None else None
        file = await queries.file_of_version(tx, version, attachment_id, db.at) if version is not None else None
        if row is None or version is None or file is None:
            raise NotFound
        disclosures = await queries.disclosures_of(tx, subject_id, row["version_id"])
        needed = sections_of(file["section"])
        is_sender = row["sender_id"] == db.agency_id
        if not needed <= set(_open_to(db, row, version, disclosures, is_sender=is_sender)):
            raise NotFound
        if content:
            await log_file(
                tx,
                db,
                lifecycle.name,
                subject_id,
                file,
                case_id=row["case_id"],
                detail={"purpose": row["purpose"]} | _rested_on(db, row, disclosures, needed),
            )
            if row["receiver_id"] == db.agency_id and row["first_read_at"] is None:
                await queries.note_reading(tx, lifecycle.name, subject_id, db.at)
    return file


async def log_file(
    tx: Connection,
    db: Acting,
    subject: str,
    subject_id: UUID,
    file: asyncpg.Record,
    *,
    case_id: UUID,
    detail: Document | None = None,
    of_record: bool = True,
) -> None:
    """Log that a file is given out, of a record under its two sections. `detail`: what it rested on."""
    sections = {"sections": in_order(sections_of(file["section"]), SECTIONS)} if of_record else {}
    await tx.fetchval(
        "SELECT log_by($1, $2, 'done', $3, $4, $5, $6)",
        db.parameter(),
        f"{subject}_file:read",
        subject,
        subject_id,
        case_id,
        json.text(sections | {"attachment": file["id"]} | (detail or {})),
    )


def agreed_back(db: Acting, row: asyncpg.Record, at: datetime) -> bool:
    """Whether more than the state may flow back at `at`: inside the country always, across the border as an agreement lets `needs` go.

    What counts is the day something was recorded: an agreement that has ended since does not close what flowed back under it.
    """
    home = db.settings.emergency_country
    sender, receiver = (db.directory.agencies[row[party]] for party in ("sender_id", "receiver_id"))
    if not crosses_border(sender, receiver, home=home):
        return True
    bounds = agreed(db.directory, receiver, sender, Purpose(row["purpose"]), home=home, at=at)
    return bounds is None or "needs" in bounds.sections


class _Back:
    """What of what was done and said flows to the reader: all of it to the receiver and to its author, to the sender by the table."""

    def __init__(self, db: Acting, row: asyncpg.Record) -> None:
        self._db, self._row = db, row

    def flowing(self, move: asyncpg.Record) -> frozenset[Back]:
        """Return what of a move flows to the reader."""
        me, row = self._db.agency_id, self._row
        if me in (row["receiver_id"], move["agency_id"]):
            return frozenset(Back)
        if me != row["sender_id"]:  # the lead, who learns how it stands
            return frozenset()
        # a note was refused, or an agreement covered it
        agreed = (
            move["agency_id"] != row["receiver_id"]
            or move["event"] == "note"
            or agreed_back(self._db, row, move["recorded_at"])
        )
        return flows_back(AgencyKind(self._db.agency.kind), agreed=agreed)

    def unsaid(self, move: asyncpg.Record) -> bool:
        """Whether the reader does not even learn of a move."""
        return unsaid(move["event"], self.flowing(move))

    def fields(self, move: asyncpg.Record, said: Document) -> Document:
        """Return what the reader learns of what was said with a move."""
        if self._db.agency_id != self._row["sender_id"] or move["agency_id"] != self._row["receiver_id"]:
            return said
        accepted = self._row["accepted_at"] is not None
        names = fields_back(move["event"], self.flowing(move), accepted=accepted)
        return {name: value for name, value in said.items() if name in names}


def _open_to(
    db: Acting, row: asyncpg.Record, version: asyncpg.Record, disclosures: Sequence[asyncpg.Record], *, is_sender: bool
) -> list[str]:
    """Return the sections the caller may read now: the author all of its own, the receiver what bases, policy and time leave open."""
    if version["author_id"] == db.agency_id:
        return list(version["sections"])
    if is_sender:
        return []
    return [name for each, name in _covered(db, row, disclosures) if each["opened_at"] and not each["move_id"]]


def _covered(
    db: Acting, row: asyncpg.Record, disclosures: Sequence[asyncpg.Record]
) -> Iterator[tuple[asyncpg.Record, str]]:
    """Yield each section that a basis in force covers for the caller and the policy lets its kind have for this purpose, with its basis."""
    allowed = allowed_for(db, [row["purpose"]])
    for each in disclosures:
        # not what an earlier lead, whose place the caller has taken, was disclosed
        if each["receiver_id"] == db.agency_id and in_force(each, db.at):
            yield from ((each, name) for name in each["sections"] if name in allowed)


def reads_all(db: Acting, row: asyncpg.Record, version: asyncpg.Record, disclosures: Sequence[asyncpg.Record]) -> bool:
    """Whether the caller may read every section of a version now."""
    is_sender = row["sender_id"] == db.agency_id
    return set(version["sections"]) <= set(_open_to(db, row, version, disclosures, is_sender=is_sender))


def _rested_on(db: Acting, row: asyncpg.Record, disclosures: Sequence[asyncpg.Record], shown: set[str]) -> Document:
    """Return what the log says of the bases on which sections were shown; nothing of what is the reader's own."""
    rested: dict[UUID, Document] = {}
    for each, name in _covered(db, row, disclosures):
        if name in shown and not each["move_id"]:
            found = rested.setdefault(each["id"], {"basis": each["basis"], "sections": []})
            found["sections"].append(name)
            if each["consent_id"]:
                found["consent"] = each["consent_id"]
    return {"bases": list(rested.values())} if rested else {}


def allowed_for(db: Acting, purposes: Iterable[str]) -> frozenset[str]:
    """Return the sections that the policy lets the caller's kind have for any of these purposes."""
    return table.KINDS[AgencyKind(db.agency.kind)] & frozenset().union(
        *(table.PURPOSES[Purpose(each)] for each in purposes)
    )


def in_force(disclosure: asyncpg.Record, at: datetime) -> bool:
    """Whether a basis still discloses what rests on it."""
    return not disclosure["closed_at"] and not disclosure["locked_at"] and not _ended(disclosure, at)


def section_told(section: str | None) -> str:
    """Return the section a note tells of: one that names none tells how what was asked for goes."""
    return section or "needs"


def open_back(section: str, row: asyncpg.Record, disclosures: Sequence[asyncpg.Record], at: datetime) -> bool:
    """Whether the receiver's words of a section flow back: not while what the two had of it rests on nothing any more.

    A section that did not come with it is the receiver's own to tell of, as the table of what flows back allows. What has closed because it ended
    is still read.
    """
    resting = [
        each
        for each in disclosures
        if each["version_id"] and each["receiver_id"] == row["receiver_id"] and section in each["sections"]
    ]
    resting = [each for each in resting if not each["closed_at"]] or resting
    return not resting or any(not each["locked_at"] and not _ended(each, at) for each in resting)


async def sections_in_hand(
    tx: Connection, db: Acting, *, case_id: UUID, subject_id: UUID, version_id: UUID
) -> Document:
    """Return what stays readable, for a day after a withdrawal, to whoever has the person with them: `safety`, and the medicines of `health`."""
    rows = await queries.content_in_hand(
        tx,
        case_id=case_id,
        subject_id=subject_id,
        version_id=version_id,
        locked_after=db.at - db.settings.readable_after_withdrawal,
    )
    if not rows:
        return {}
    parts = db.keyring.open_parts(
        version_id, Sealed(rows[0]["wrapped_key"], {row["section"]: row["part"] for row in rows}), case_id=case_id
    )
    opened: Document = {name: read_part(part) for name, part in parts.items()}
    medicines = opened.pop("health", {}).get("medicines")
    return opened | ({"health": {"medicines": medicines}} if medicines else {})


def _corrected(
    db: Acting,
    corrections: Sequence[asyncpg.Record],
    covered: Sequence[tuple[asyncpg.Record, str]],
    *,
    is_sender: bool,
) -> list[Document]:
    """Return the corrections that concern what is open to the reader; to the sender, what was passed on of them."""
    open_now = {name for each, name in covered if each["opened_at"]}
    found: dict[UUID, Document] = {}
    for each in corrections:
        sections = set(each["sections"]) if is_sender else set(each["sections"]) & open_now
        if sections and (is_sender or in_force(each, db.at)):
            entry = found.setdefault(each["id"], {"id": each["id"], "sections": [], "recorded_at": each["recorded_at"]})
            entry["sections"] = in_order({*entry["sections"], *sections}, SECTIONS)
    return list(found.values())


def _ended(disclosure: asyncpg.Record, at: datetime) -> bool:
    return disclosure["until_at"] is not None and disclosure["until_at"] <= at


def access_of(disclosure: asyncpg.Record, at: datetime) -> str:
    """Return how what rests on a basis is open: `locked`, `closed`, `ended`, `full` or `preview`."""
    if disclosure["locked_at"]:
        return "locked"
    if disclosure["closed_at"]:
        return "closed"
    if _ended(disclosure, at):
        return "ended"
    return "full" if disclosure["opened_at"] else "preview"


def _disclosure(db: Acting, each: asyncpg.Record) -> Document:
    access = access_of(each, db.at)
    return {
        "basis": each["basis"],
        "consent_id": each["consent_id"],
        "legal_basis": each["legal_basis"],
        "article": each["article"],
        "sections": in_order(each["sections"], SECTIONS),
        "until": each["until_at"],
        "onward": each["onward"],
        "access": access,
        "locked_because": _locked_because(each, access),
        "review": {
            "id": each["review_id"],
            "state": each["review_state"],
            "due_at": each["review_due_at"],
            "decided_at": each["review_decided_at"],
        }
        if each["review_id"]
        else None,
    }


def _locked_because(each: asyncpg.Record, access: str) -> str | None:
    """Return why it is closed to its receiver."""
    if access == "ended":
        return "consent_ended" if each["basis"] == DisclosureBasis.CONSENT else "basis_ended"
    return each["lock_reason"] if access == "locked" else None


def said_of(db: Acting, move: asyncpg.Record) -> Document:
    """Return what was said about a move, decrypted."""
    said: Document = orjson.loads(
        db.keyring.open_one(Place("move.detail", move["id"], move["subject_id"]), move["detail"])
    )
    return said


def _acceptance(db: Acting, row: asyncpg.Record, said: Document | None, *, is_receiver: bool) -> Document | None:
    if said is None:
        return None
    point = db.directory.service_points.get(row["service_point_id"])
    hidden = point is None or (point.confidential and not is_receiver)
    return {
        "ready_to_receive_from": said.get("ready_to_receive_from"),
        "service_point": None if hidden or point is None else point.name,
        "meeting_point": said.get("meeting_point"),
        "contact": said.get("contact"),
    }


def _ending(said: dict[str, Document]) -> Document:
    """Return why it ended, as far as the reader learns it."""
    told = said.get("decline") or said.get("recall") or said.get("complete") or said.get("fail") or {}
    return {
        "reason": told.get("reason"),
        "text": told.get("text"),
        "suggested_receivers": told.get("suggested_receivers", []),
        "outcomes": told.get("outcomes", []),
    }


_FIRST = {"referral": "send", "transfer": "offer"}


class Reader:
    """What one party may read of what was said about a referral or transfer."""

    def __init__(
        self,
        db: Acting,
        row: asyncpg.Record,
        disclosures: Sequence[asyncpg.Record],
    ) -> None:
        self._db, self.agency_id = db, db.agency_id
        self._row, self._disclosures = row, disclosures
        self.back = _Back(db, row)
        self.is_sender, self._is_receiver = row["sender_id"] == self.agency_id, row["receiver_id"] == self.agency_id
        covered = list(_covered(db, row, disclosures))
        self._open_words = {each["move_id"] for each, _ in covered if each["move_id"]}
        self._open_sections = {name for each, name in covered if each["opened_at"] and not each["move_id"]}

    def text(self, move: asyncpg.Record, said: Mapping[UUID, Document]) -> str | None:
        """Return what was said with a move: to its author, to the receiver as its section is open to it, to the sender as flows back."""
        told = said.get(move["id"], {})
        text: str | None = told.get("text")
        if text is None or move["agency_id"] == self.agency_id:
            return text
        if "basis" in told:
            return text if move["id"] in self._open_words else None
        if self._is_receiver:
            return text if move["section"] is None or move["section"] in self._open_sections else None
        # of an earlier sender the later one reads nothing
        answers = self.is_sender and move["agency_id"] == self._row["receiver_id"]
        if not answers or (move["event"] == "note" and not self._told_back(section_told(move["section"]))):
            return None
        return self.back.fields(move, told).get("text")

    def _told_back(self, section: str) -> bool:
        """Whether what the receiver writes of a section is for the sender, now."""
        return section in allowed_for(self._db, [self._row["purpose"]]) and open_back(
            section, self._row, self._disclosures, self._db.at
        )

    def words(self, moves: Sequence[asyncpg.Record], said: Mapping[UUID, Document]) -> list[str]:
        """Return the sections of which others' notes and answers are shown, for the log."""
        return in_order(
            {
                section_told(each["section"])
                for each in moves
                if each["event"] in ("note", "provide_info")
                and each["agency_id"] != self.agency_id
                and self.text(each, said) is not None
            },
            SECTIONS,
        )

    def handover(self, said: Document) -> Document | None:
        """Return what the sender says comes with a case: to itself, and to the receiver while what it accepted is open to it."""
        if "salt" not in said or not (self.is_sender or self._open_sections):
            return None
        return {name: said[name] for name in ("left_behind", "protective_measures", "salt", "tasks")}


def move_record(db: Acting, move: asyncpg.Record, text: str | None = None) -> Document:
    """Return one thing that happened, as the parties may know it."""
    by, recorded_by = move["agency_id"], move["recorded_by_id"]
    return {
        "id": move["id"],
        "event": move["event"],
        "from_state": move["from_state"],
        "to_state": move["to_state"],
        "version": move["version"],
        "by": agency_ref(db, by) if by else None,
        "recorded_by": agency_ref(db, recorded_by) if recorded_by and recorded_by != by else None,
        "channel": move["channel"],
        "occurred_at": move["occurred_at"],
        "recorded_at": move["recorded_at"],
        "disputed_at": move["disputed_at"],
        "disputed_ground": move["disputed_ground"],
        "confirmed_at": move["confirmed_at"],
        "section": move["section"],
        "text": text,
    }


def _service(said: Document, move: asyncpg.Record) -> Document:
    return {
        "service": said["service"],
        "need": said.get("need"),
        "on": said["on"],
        "status": said["status"],
        "next_appointment": said.get("next_appointment"),
        "recorded_at": move["recorded_at"],
    }


async def needs_in_record(tx: Connection, db: Acting, version_id: UUID) -> set[str]:
    """Return the codes of the needs in a version the caller holds."""
    version = await read_version(tx, version_id)
    opened = await open_sections(tx, db.keyring, version, ["needs"]) if version else {}
    return {service["need"] for service in opened.get("needs", {}).get("services", [])}

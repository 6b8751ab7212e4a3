"""What a referral or transfer discloses now, section by section, and the rule that withholds each other one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.exchange.attachments.binding import sections_of
from app.exchange.lifecycle import Lifecycle
from app.exchange.passing import queries
from app.exchange.passing.reading import access_of, agency_ref, agreed_back
from app.foundation import json
from app.foundation.problems import NotFound
from app.policy import table
from app.policy.agreements import crosses_border
from app.policy.decide import flows_back, why_not_open
from auth.directory import AgencyEntry
from schemas.codes.agencies import AgencyKind
from schemas.codes.referral import Purpose
from schemas.record.record import SECTIONS

Document = dict[str, Any]
_ACCESS: Final = ("full", "preview", "locked", "ended", "closed")
"""From the most open: where two bases name a section, the one that opens it counts."""
_OPENNESS: Final = (*_ACCESS, "withheld")
_WHY: Final = {"preview": "not_accepted", "ended": "basis_ended", "closed": "ended_unaccepted"}


async def disclosure(db: Acting, lifecycle: Lifecycle, subject_id: UUID) -> Document:
    """Return what is disclosed, as its parties may know it, and log that it was asked; of the record nothing is opened.

    What is withheld is told by the tables and the bases alone, so that it says nothing of what a record holds. The lead who is no party
    learns that the content is not for it. Raises `NotFound`.
    """
    async with db.transaction() as tx:
        row = await queries.find(tx, lifecycle.name, subject_id)
        if row is None:
            raise NotFound
        disclosures = await queries.disclosures_of(tx, subject_id, row["version_id"])
        files = await queries.files_that_come(tx, lifecycle.name, subject_id)
        await tx.fetchval(
            "SELECT log_by($1, $2, 'done', $3, $4, $5, $6)",
            db.parameter(),
            f"{lifecycle.name}:disclosure",
            lifecycle.name,
            subject_id,
            row["case_id"],
            json.text({"purpose": row["purpose"]}),
        )
    sender, receiver = (db.directory.agencies[row[party]] for party in ("sender_id", "receiver_id"))
    role = {sender.id: "sender", receiver.id: "receiver"}.get(db.agency_id, "lead")
    kind, purpose = AgencyKind(receiver.kind), Purpose(row["purpose"])
    # not what an earlier lead, whose place the receiver may have taken, was disclosed
    theirs = [each for each in disclosures if each["receiver_id"] == receiver.id] if role != "lead" else []
    flowing = flows_back(AgencyKind(sender.kind), agreed=agreed_back(db, row, db.at))
    sections = [
        _section(db, name, theirs, why=why_not_open(name, kind=kind, purpose=purpose))
        if role != "lead"
        else _withheld(name, "not_a_party")
        for name in SECTIONS
    ]
    return {
        "id": row["id"],
        "reference": row["reference"],
        "state": row["state"],
        "role": role,
        "sender": agency_ref(db, sender.id),
        "receiver": agency_ref(db, receiver.id),
        "purpose": purpose,
        "crosses_border": crosses_border(sender, receiver, home=db.settings.emergency_country),
        "sections": sections,
        "files": _files({each["section"]: each for each in sections}, files) if role != "lead" else [],
        "words": [
            {
                "move_id": each["move_id"],
                "section": name,
                **_access(db, each, why_not_open(name, kind=holder, purpose=purpose), opened=True),
                "basis": each["basis"],
                "consent_id": each["consent_id"],
                "until": each["until_at"],
            }
            for each, holder in (_words(disclosures, sender, receiver) if role != "lead" else ())
            for name in each["sections"]
        ],
        "back": [each for each in table.Back if each in flowing] if role != "lead" else [table.Back.STATE],
    }


def _files(sections: Mapping[str, Document], files: Iterable[asyncpg.Record]) -> list[Document]:
    """Return each file that comes, as open as the less open of its two sections; none of whose sections nothing opens: nobody is told of it."""
    found = []
    for file in files:
        access = max(
            (sections[name] for name in sections_of(file["section"])), key=lambda each: _OPENNESS.index(each["access"])
        )
        if access["access"] == "withheld":
            continue
        full = access["access"] == "full"
        found.append(
            {
                "id": file["attachment_id"],
                "section": file["section"],
                "media_type": file["media_type"] if full else None,
                "size": file["size"] if full else None,
                "access": access["access"],
                "withheld_by": access["withheld_by"],
            }
        )
    return found


def _words(
    disclosures: Iterable[asyncpg.Record], sender: AgencyEntry, receiver: AgencyEntry
) -> Iterator[tuple[asyncpg.Record, AgencyKind]]:
    """Yield the bases of words between the two parties, each with the kind of whom they were written to."""
    for each in disclosures:
        if each["move_id"] and {each["sender_id"], each["receiver_id"]} == {sender.id, receiver.id}:
            yield each, AgencyKind((receiver if each["receiver_id"] == receiver.id else sender).kind)


def _access(db: Acting, each: asyncpg.Record, why: str | None, *, opened: bool = False) -> Document:
    access = access_of(each, db.at)
    if access == "full" or (access == "preview" and opened):  # words with a basis of their own await no acceptance
        return {"access": "withheld" if why else "full", "withheld_by": why}
    return {"access": access, "withheld_by": each["lock_reason"] if access == "locked" else _WHY[access]}


def _section(db: Acting, name: str, disclosures: Iterable[asyncpg.Record], *, why: str | None) -> Document:
    resting = [each for each in disclosures if each["version_id"] and name in each["sections"]]
    if not resting:
        return _withheld(name, why or "no_basis")
    basis = min(resting, key=lambda each: _ACCESS.index(access_of(each, db.at)))
    return {
        "section": name,
        **_access(db, basis, why),
        "basis": basis["basis"],
        "consent_id": basis["consent_id"],
        "legal_basis": basis["legal_basis"],
        "article": basis["article"],
        "until": basis["until_at"],
        "onward": basis["onward"],
    }


def _withheld(name: str, rule: str) -> Document:
    return {
        "section": name,
        "access": "withheld",
        "withheld_by": rule,
        **dict.fromkeys(("basis", "consent_id", "legal_basis", "article", "until", "onward")),
    }

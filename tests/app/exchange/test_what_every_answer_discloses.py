"""Agencies refer invented people to each other at random. Then every agency asks every endpoint there is, and every byte of every answer is
searched for the words that were written: a word is found where `tests/makers/reading_model.py` allows it, and nowhere else.

A few lives each time. Hundreds: `READINGS=200 pytest tests/app/exchange/test_what_every_answer_discloses.py`; one: `READING_SEED=7`; some
from there on: both; what was refused, and why: `READING_REFUSALS=1` with `-s`.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import iter_route_contexts

from app.exchange.retention.erasing import Eraser
from app.foundation.settings import Settings
from app.main import create_app
from app.sealing import public_part, seal_section
from tests.makers import cases, ndjson, reading_model, record_files, records, sealed, webhooks
from tests.makers.reading_model import EVERYTHING, Binding, Grant, Passed, Reading, Word
from tests.makers.world import AGENCIES, World

SEED = int(os.environ.get("READING_SEED", "0"))
READINGS = int(os.environ.get("READINGS", "1"))
STEPS, MOST = 56, 6
"""How much happens in a life, and to how many referrals and transfers."""
FILES = 6
"""How many files a life has."""
LETTERS = "bcdfghjklmnpqrstvwxz"

FIXED = {
    "referral_id",
    "transfer_id",
    "case_id",
    "consent_id",
    "correction_id",
    "request_id",
    "escalation_id",
    "link_id",
    "reassignment_id",
    "subject_request_id",
    "emergency_id",
    "review_id",
    "incident_id",
    "hold_id",
    "key_id",
    "receipt_id",
    "webhook_id",
    "import_id",
    "attachment_id",
}
ASKED: dict[str, tuple[str, ...]] = {
    "/v1/agencies": ("",),
    "/v1/agencies/{code}": ("",),
    "/v1/agencies/{code}/service-points": ("",),
    "/v1/agencies/{code}/duty-contacts": ("",),
    "/v1/agencies/{code}/encryption-keys": ("",),
    "/v1/me": ("",),
    "/v1/me/encryption-keys": ("",),
    "/v1/me/encryption-keys/{key_id}/sealed": ("",),
    "/v1/me/keys": ("",),
    "/v1/cases": ("",),
    "/v1/cases/{case_id}": ("",),
    "/v1/cases/{case_id}/consents": ("",),
    "/v1/cases/{case_id}/consents/{consent_id}": ("",),
    "/v1/cases/{case_id}/consents/{consent_id}/evidence/{attachment_id}": ("",),
    "/v1/cases/{case_id}/corrections": ("",),
    "/v1/cases/{case_id}/access-report": ("?limit=200",),
    "/v1/cases/{case_id}/access-report/form": ("?lang=id",),
    "/v1/cases/{case_id}/retention": ("",),
    "/v1/cases/{case_id}/export": ("?request={subject_request_id}",),
    "/v1/protection/cases/{case_id}/access-report": ("?limit=200",),
    "/v1/subject-requests": ("", "?role=author", "?role=officer"),
    "/v1/subject-requests/{request_id}": ("",),
    "/v1/reviews": ("?limit=200",),
    "/v1/reviews/{review_id}": ("",),
    "/v1/emergency-access": ("",),
    "/v1/emergency-access/{emergency_id}": ("",),
    "/v1/incidents": ("", "?role=officer"),
    "/v1/incidents/{incident_id}": ("",),
    "/v1/holds": ("", "?role=officer"),
    "/v1/holds/{hold_id}": ("",),
    "/v1/receipts/{receipt_id}": ("",),
    "/v1/referrals/{referral_id}/receipts": ("",),
    "/v1/transfers/{transfer_id}/receipts": ("",),
    "/v1/log/checkpoint": ("",),
    "/v1/log/keys": ("",),
    "/v1/log/proof/consistency": ("?from=1&to=2",),
    "/v1/corrections/{correction_id}": ("",),
    "/v1/corrections/{correction_id}/attachments/{attachment_id}": ("",),
    "/v1/requests": ("?role=to", "?role=from"),
    "/v1/requests/{request_id}": ("",),
    "/v1/case-links": ("",),
    "/v1/case-links/{link_id}": ("",),
    "/v1/reassignments": ("",),
    "/v1/reassignments/{reassignment_id}": ("",),
    "/v1/referrals": ("?role=receiver", "?role=sender", "?role=lead&case_id={case_id}"),
    "/v1/referrals/{referral_id}": ("", "application/fhir+json"),
    "/v1/referrals/{referral_id}/disclosure": ("",),
    "/v1/referrals/{referral_id}/attachments/{attachment_id}": ("",),
    "/v1/referrals/{referral_id}/notes": ("",),
    "/v1/referrals/{referral_id}/form": ("?lang=id",),
    "/v1/transfers": ("?role=receiver", "?role=sender"),
    "/v1/transfers/{transfer_id}": ("",),
    "/v1/transfers/{transfer_id}/disclosure": ("",),
    "/v1/transfers/{transfer_id}/attachments/{attachment_id}": ("",),
    "/v1/transfers/{transfer_id}/notes": ("",),
    "/v1/transfers/{transfer_id}/form": ("?lang=en",),
    "/v1/escalations": ("",),
    "/v1/escalations/{escalation_id}": ("",),
    "/v1/inbox": ("",),
    "/v1/inbox/counts": ("",),
    "/v1/references/{reference}": ("",),
    "/v1/events": ("?limit=200", "?limit=200&types=referral.*,case.*"),
    "/v1/events/position": ("",),
    "/v1/attachments": ("",),
    "/v1/attachments/{attachment_id}": ("",),
    "/v1/attachments/{attachment_id}/content": ("",),
    "/v1/webhooks": ("",),
    "/v1/webhooks/{webhook_id}": ("",),
    "/v1/webhooks/{webhook_id}/deliveries": ("?limit=100",),
    "/v1/imports": ("",),
    "/v1/imports/{import_id}": ("",),
    "/v1/imports/{import_id}/results": ("",),
    "/v1/exports": ("",),
}
"""Every GET that may say something of a case, in each way it is asked: query strings, or another `Accept`."""
SINGLY = re.compile(r"/v1/((cases|referrals|transfers)/[0-9a-f-]{36}|cases/[0-9a-f-]{36}/consents/[0-9a-f-]{36}) ")
"""What an export is made of."""
OF_NOBODY = {
    "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/oauth2/token", "/oauth2/introspect",
    "/oauth2/revoke", "/oauth2/jwks", "/oauth2/register", "/oauth2/register/{client_id}", "/v1/forms/referral", "/v1/code-lists",
    "/v1/code-lists/{name}", "/v1/schemas", "/v1/schemas/{name}", "/openapi.json", "/v1/record-fields", "/docs", "/problems",
    "/problems/{name}", "/admin", "/healthz", "/readyz",
}  # fmt: skip
"""GETs that answer everybody alike, and have no database of an agency."""


def test_every_route_that_reads_is_asked() -> None:
    reads = {
        str(route.path)
        for route in iter_route_contexts(create_app(Settings()).routes)
        if "GET" in (route.methods or ())
    }
    assert reads == set(ASKED) | OF_NOBODY, "say of a new route how it is asked here, or why it tells nobody anything"
    assert {name for path in ASKED for name in re.findall(r"{(\w+)}", path)} | {"subject_request_id"} == (
        FIXED | {"code", "reference"}
    )


@dataclass
class Life:
    """Agencies at work, and the model that follows what they did."""

    world: World
    chance: random.Random
    m: Reading
    ids: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in (*FIXED, "reference")})
    consents: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    """Consent → its case, and the sections it covers."""
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The private keys of those to whom sections can be sealed."""
    of_files: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """File → its section, its uploader, the word in it."""
    notes: dict[str, Passed] = field(default_factory=dict)
    """Word of a note → what it was written about."""
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> datetime:
        return self.world.exchange.clock.now()

    def mark(self, **about: Any) -> str:
        """A new word, and what it stands in."""
        text = "Zq" + "".join(self.chance.choice(LETTERS) for _ in range(10))
        self.m.words[text] = Word(**about)
        return text

    async def post(self, who: str, path: str, body: Any, seen: int | None = None) -> dict[str, Any] | None:
        """What an agency gets for a request, or None if it was refused; a refusal repeats no word."""
        reply = await self.world.who(who).post(path, body, if_match=seen)
        self.counted[f"{path.rsplit('/', 1)[-1] if path.count('/') > 3 else path} {reply.status_code}"] += 1
        if reply.status_code not in (200, 201):
            if os.environ.get("READING_REFUSALS"):
                sys.stdout.write(f"{who} {path} {reply.text[:600]}\n")
            assert reply.status_code < 500, reply.text
            told = {mark for mark in self.m.words if mark.lower() in reply.text.lower()}
            assert not told, (path, reply.status_code)
            return None
        answer: dict[str, Any] = reply.json()
        return answer

    async def upload(self, by: str, section: str) -> str:
        """A file with a word in it, and one in its name; its id."""
        mark, name = self.mark(by=by, what="file"), self.mark(by=by, what="file")
        content = f"%PDF-1.7 {mark} %%EOF".encode()
        file = await record_files.uploaded(self.world, by, section, content=content, name=name)
        self.m.words[mark].file = file
        self.ids["attachment_id"].append(file)
        self.of_files[file] = (section, by, mark)
        return file

    async def proof(self, by: str) -> dict[str, Any]:
        """Of a consent: written, or now and then recorded."""
        if len(self.of_files) >= FILES or self.chance.random() < 0.5:
            return {}
        return {"method": "audio_recording", "evidence": {"attachment": await self.upload(by, "needs")}}

    async def named(self, sections: list[str], by: str, case: str) -> Binding | None:
        """A file that the papers of a record name: a new one, or one of the case that its author may have, or may not."""
        of_case = {each.file for each in self.m.bindings if case and each.case == case}
        if of_case and self.chance.random() < 0.5:
            file = self.chance.choice(sorted(of_case))
        elif len(self.of_files) < FILES and self.chance.random() < 0.8:
            file = await self.upload(by, self.chance.choice(sections))
        else:
            return None
        binding = Binding(file, self.of_files[file][0], by, case=case)
        self.m.bindings.append(binding)
        return binding

    async def record(self, sections: Iterable[str], by: str, case: str) -> tuple[dict[str, Any], list[Word | Binding]]:
        """A record with two words in each section, and now and then a file; they are of a version once it has an id."""
        record: dict[str, Any] = {"schema_version": "1.0"}
        words: list[Word | Binding] = []
        sections = list(sections)
        for section in sections:
            marks = [self.mark(by=by, what="record", case=case, section=section) for _ in range(2)]
            self.m.words[marks[0]].medicine = section == "health"
            words += [self.m.words[each] for each in marks]
            record[section] = reading_model.leaves(section, marks)
        if "attachments" in sections and (binding := await self.named(sections, by, case)) is not None:
            record["attachments"]["papers"][0]["file"] = binding.file
            words.append(binding)
        return record, words

    def bases(self, sections: list[str], consent: str | None, by: str) -> list[dict[str, Any]]:
        """Split the sections over bases of random kinds; each has a reason that is for its author and reviewers."""
        kinds = [*(["consent"] * 3 if consent is not None else []), "legal_obligation", "vital_interest", "court_order"]
        split: dict[str, list[str]] = {}
        covered = self.consents[consent][1] if consent else set(EVERYTHING)
        for section in sections:
            usable = [
                each
                for each in kinds
                if (each != "vital_interest" or section in reading_model.VITAL)
                and (each != "consent" or section in covered)
            ]
            split.setdefault(self.chance.choice(usable), []).append(section)
        made = []
        for kind, names in split.items():
            basis: dict[str, Any] = {"kind": kind, "sections": names, "onward": self.chance.random() < 0.5}
            if kind == "consent":
                basis |= {"consent_id": consent} if consent else {}
            else:
                basis["reason"] = self.mark(by=by, what="reason")
            if kind == "legal_obligation":
                basis |= {"legal_basis": "uu-21-2007", "article": "art. 51"}
            if kind == "court_order":
                basis |= {
                    "authority": self.mark(by=by, what="reason"),
                    "number": "12/2026",
                    "date": "2026-01-05",
                    "scope": names,
                    "addressed_to": by,
                }
            if self.chance.random() < 0.2:
                basis["until"] = (self.now + timedelta(hours=self.chance.choice([3, 40]))).isoformat()
            made.append(basis)
        return made

    async def version_of(self, p: Passed) -> str:
        return str(await self.world.owner.fetchval(f"SELECT version_id FROM {p.kind} WHERE id = $1::text::uuid", p.id))

    async def send(self, kind: str, sender: str, receiver: str, case: str | None) -> None:
        """Send what the rules allow, or now and then more: then it is refused as a whole."""
        m, chance = self.m, self.chance
        purpose = (
            "case_responsibility"
            if kind == "transfer"
            else chance.choice(
                ["shelter", "social_rehabilitation", "social_rehabilitation", "legal_assistance", "medical_care"]
            )
        )
        may = [each for each in EVERYTHING if m.sendable(sender, receiver, purpose, each, "consent")]
        # what may go; and now and then one section more, so that each rule is broken by itself
        right = {"needs", *(may if chance.random() < 0.3 else chance.sample(may, min(5, len(may))))}
        if "attachments" in may and chance.random() < 0.6:
            right.add("attachments")
        holds, needed = reading_model.MAY_HOLD[m.agencies[receiver].kind], reading_model.NEEDED_FOR[purpose]
        broken = sorted(needed - holds) or sorted(holds - needed) or EVERYTHING
        more = {chance.choice(broken)} if chance.random() < 0.35 else set()
        wanted = sorted(right | more, key=EVERYTHING.index)
        known = [each for each, (of, _) in self.consents.items() if of == case] if case else []
        consent = chance.choice([None, "", "", *known]) if m.agencies[receiver].kind != "foreign_mission" else ""
        bases = self.bases(wanted, consent, sender)
        record, words = await self.record(wanted, sender, case or "")
        if "narrative" in record and receiver in self.keys and chance.random() < 0.5:
            to = [public_part(self.keys[each]) for each in (receiver, sender) if each in self.keys]
            record["sealed"] = {"narrative": seal_section("narrative", record.pop("narrative"), to)}
            for word in words:
                if isinstance(word, Word) and word.section == "narrative":
                    word.what = "sealed"
        body: dict[str, Any] = {
            "receiver": receiver, "purpose": purpose, "urgency": "standard", "record": record, "bases": bases,
            **({"case_id": case} if case else {"case": {"entry_channel": "police_report"}}),
        }  # fmt: skip
        covered = set(wanted)
        if any(each["kind"] == "consent" and "consent_id" not in each for each in bases):
            if chance.random() < 0.2:
                covered -= {chance.choice(wanted)}
            told = [self.mark(by=sender, what="consent", case=case or "") for _ in range(3)]
            body["consent"] = records.consent(
                self.now, sections=tuple(covered or {"needs"}), notice={**records.NOTICE, "version": told[0]},
                witness=told[1], communication=told[2], agencies=[receiver], **(await self.proof(sender)),
                purposes=["shelter", "social_rehabilitation", "legal_assistance", "medical_care", "case_responsibility"],
            )  # fmt: skip
        proof = body.get("consent", {}).get("evidence", {}).get("attachment")
        both = self.mark(by=sender, what="both")
        body["prior_agreement"] = {"agreed_at": self.now.isoformat(), "with_role": both}
        comes = [self.mark(by=sender, what="comes_with") for _ in range(2)] if kind == "transfer" else []
        if comes:
            body |= {"tasks": comes[:1], "protective_measures": comes[1:]}
        fine = all(
            m.sendable(sender, receiver, purpose, section, each["kind"])
            for each in bases
            for section in each["sections"]
        )
        inline = {
            section
            for each in bases
            if each["kind"] == "consent" and "consent_id" not in each
            for section in each["sections"]
        }
        answer = await self.post(sender, f"/v1/{kind}s", body)
        if answer is None:
            return
        assert fine, "what the rules forbid was taken"
        assert inline <= (covered or {"needs"}), "a consent was stretched"
        p = Passed(answer["id"], kind, answer["case_id"], sender, receiver, purpose, state=answer["state"])
        m.passed[p.id] = p
        m.lead.setdefault(p.case, sender)
        if proof is not None:
            m.evidence[proof] = p.case
        p.version_id = await self.version_of(p)
        m.author[p.version_id] = sender
        self.ids[f"{kind}_id"].append(p.id)
        self.ids["reference"].append(answer["reference"])
        if p.case not in self.ids["case_id"]:
            self.ids["case_id"].append(p.case)
        for word in words:
            word.version, word.case, word.on = p.version_id, p.case, p
        for mark in (both, *comes):
            m.words[mark].on = p
        for mark in m.words:
            if m.words[mark].what == "consent" and not m.words[mark].case:
                m.words[mark].case = p.case
        made = await self.world.owner.fetch(
            "SELECT id::text, sections FROM consent WHERE case_id = $1::text::uuid", p.case
        )
        for row in made:
            if row["id"] not in self.consents:
                self.consents[row["id"]] = (p.case, set(row["sections"]))
                self.ids["consent_id"].append(row["id"])
        await self.grant(p, bases)

    async def grant(self, p: Passed, bases: list[dict[str, Any]], words: str = "") -> None:
        """Follow what bases open; of which consent an inline one is, the stored row knows."""
        column = "move_id IS NOT NULL" if words else "version_id IS NOT NULL"
        rows = await self.world.owner.fetch(
            f"SELECT consent_id::text, sections FROM disclosure WHERE subject_id = $1::text::uuid AND {column} ORDER BY recorded_at, id",
            p.id,
        )
        consents = {frozenset(row["sections"]): row["consent_id"] for row in rows if row["consent_id"]}
        for each in bases:
            until = datetime.fromisoformat(each["until"]) if "until" in each else None
            lapses = self.now + reading_model.REVIEWED_WITHIN if each["kind"] == "vital_interest" else None
            until = min(filter(None, (until, lapses)), default=None)
            named = consents.get(frozenset(each["sections"]), "") if each["kind"] == "consent" else ""
            self.m.grants.append(
                Grant(
                    p,
                    p.receiver,
                    set(each["sections"]),
                    "" if words else p.version_id,
                    words,
                    named,
                    lapses,
                    until,
                    opened=bool(words) or p.accepted,
                )
            )

    # moving

    async def move(self, p: Passed, event: str) -> None:
        """One move, right or wrong; the model follows what the exchange took."""
        m, world = self.m, self.world
        back = {"case": p.case, "on": p, "what": "to_sender", "by": p.receiver}
        agreed = m.agreed(p.receiver, p.sender, p.purpose)
        said = back | {"back": "notes", "agreed": agreed is None or "needs" in agreed}
        by = (
            p.sender
            if event
            in ("recall", "request_cancel", "amend", "provide_info", "report_error", "enter_in_error", "sender_note")
            else p.receiver
        )
        to_receiver = {"case": p.case, "on": p, "what": "to_receiver", "by": p.sender}
        name = "note" if event.endswith("note") else event
        body: dict[str, Any] = {} if name == "note" else records.move(name, self.now)
        bases: list[dict[str, Any]] = []
        words: list[Word] = []
        mark = ""
        if event == "accept":
            body |= {
                "meeting_point": self.mark(**back, back="acceptance"),
                "contact": self.mark(**back, back="acceptance"),
            }
            if p.kind == "transfer":
                body["manifest_digest"] = await world.owner.fetchval(
                    "SELECT manifest_digest FROM transfer WHERE id = $1::text::uuid", p.id
                )
        elif event == "request_info":
            body["question"] = self.mark(**(said | {"back": "question"}))
        elif event in ("decline", "fail"):
            body |= {"reason": "other", "text": self.mark(**said)}
        elif event in ("hold", "refuse_cancel", "abort"):
            body["reason"] = self.mark(**said)
        elif event in ("recall", "request_cancel", "report_error", "enter_in_error"):
            body["reason"] = self.mark(**to_receiver)
        elif event == "receiver_note":
            section = self.chance.choice(["", *EVERYTHING])
            mark = self.mark(**said, section=section or "needs")
            body |= {"text": mark} | ({"section": section} if section else {})
        elif event == "sender_note":
            of_it = sorted({each for grant in m.grants if grant.on is p and grant.version for each in grant.sections})
            section = self.chance.choice(of_it if self.chance.random() < 0.8 else EVERYTHING)
            mark = self.mark(**(to_receiver | {"what": "words", "section": section}))
            body |= {"text": mark, "section": section}
            if self.chance.random() < 0.6:
                m.words[mark].what = "own_basis"
                bases = [{**each, "onward": False} for each in self.bases([section], None, p.sender)]
                body["basis"] = bases[0]
        elif event in ("amend", "provide_info"):
            may = [each for each in EVERYTHING if m.sendable(p.sender, p.receiver, p.purpose, each, "legal_obligation")]
            wanted = (
                sorted({"needs", *self.chance.sample(may, min(4, len(may)))}, key=EVERYTHING.index)
                if may
                else ["needs"]
            )
            bases = self.bases(wanted, None, p.sender)
            record, words = await self.record(wanted, p.sender, p.case)
            body |= {"record": record, "bases": bases}
        seen = None if name in ("note", "acknowledge", "record_service") else p.version
        answer = await self.post(by, f"/v1/{p.kind}s/{p.id}/{records.path_of(name)}", body, seen)
        if answer is None:
            return
        p.version, p.state = answer["version"], answer["state"]
        if name == "note":
            self.notes[mark] = p
        if event == "accept":
            m.accept(p)
        elif event in ("amend", "provide_info"):
            version = await self.version_of(p)
            m.author[version] = p.sender
            m.replaced(p, version)
            for word in words:
                word.version, word.on = version, p
            await self.grant(p, bases)
        elif event == "sender_note" and bases:
            fine = m.sendable(p.sender, p.receiver, p.purpose, bases[0]["sections"][0], bases[0]["kind"])
            assert fine, "words that the rules forbid were taken"
            await self.grant(p, bases, words=mark)
        if event == "confirm_handover":
            m.handed_over(p)
        elif p.over:
            m.ended(p, p.state)

    async def of_the_case(self) -> None:
        """Withdraw, correct, propose, retract, follow up, say what the status is."""
        m, chance = self.m, self.chance
        case = chance.choice(self.ids["case_id"])
        lead = m.lead[case]
        parties = sorted({who for p in m.passed.values() if p.case == case for who in (p.sender, p.receiver)})
        choice = chance.choice(CASE_CHANGES)
        path = f"/v1/cases/{case}"
        if choice == "withdraw" and (own := [each for each, (of, _) in self.consents.items() if of == case]):
            consent = chance.choice(own)
            left = self.consents[consent][1]
            cut = set(chance.sample(sorted(left), min(len(left), 2))) if chance.random() < 0.5 else set(left)
            body = {
                "requested_by": "person", "requested_at": self.now.isoformat(), "sections": sorted(cut),
                "reason": self.mark(by="", what="consent", case=case),
            }  # fmt: skip
            by = chance.choice(parties)
            m.words[body["reason"]].by = by
            # the consent's own author reads of its withdrawals
            if cut and await self.post(by, f"{path}/consents/{consent}/withdraw", body):
                m.withdraw(consent, cut, self.now)
                left -= cut
                author = await self.world.owner.fetchval(
                    "SELECT a.code FROM consent c JOIN agency a ON a.id = c.author_id WHERE c.id = $1::text::uuid",
                    consent,
                )
                m.words[body["reason"]] = Word(by=by, what="request", case=case, to=author)
        elif choice == "narrow" and (own := [each for each, (of, _) in self.consents.items() if of == case]):
            await self.narrow(case, chance.choice(own), chance.choice(parties), chance.choice(parties))
        elif choice == "emergency":
            await self.emergency(case)
        elif choice == "ask":
            await self.ask_about_data(case, chance.choice(parties), lead)
        elif choice == "review":
            await self.review()
        elif choice in ("incident", "hold"):
            await self.note_of_protection(case, chance.choice(parties), choice)
        elif choice == "correct":
            section = chance.choice(EVERYTHING)
            wanted = ["attachments", "health", "needs"] if section == "attachments" else [section]
            record, words = await self.record(wanted, lead, case)
            reason = self.mark(by=lead, what="lead", case=case)
            if answer := await self.post(lead, f"{path}/corrections", {"record": record, "reason": reason}):
                row = await self.world.owner.fetchval(
                    "SELECT version_id::text FROM correction WHERE id = $1::text::uuid", answer["id"]
                )
                m.author[row], m.corrected[row] = lead, case
                self.ids["correction_id"].append(answer["id"])
                for word in words:
                    word.version = row
        elif choice == "propose":
            by = chance.choice(parties)
            text = self.mark(by=by, what="request", case=case, to=lead)
            await self.post(by, f"{path}/correction-proposals", {"pointers": ["/identity"], "text": text})
        elif choice == "retract":
            own = [version for version, author in m.author.items() if version not in m.corrected]
            version = chance.choice(own)
            of = next(
                p.case
                for p in m.passed.values()
                for word in m.words.values()
                if word.version == version and word.on is p
            )
            by = m.author[version]
            text = self.mark(by=by, what="request", case=of, to=by)
            if await self.post(by, f"/v1/cases/{of}/record-versions/{version}/retract", {"reason": text}):
                m.retracted.add(version)
        elif choice == "status":
            told = [self.mark(by=lead, what="lead", case=case) for _ in range(2)]
            body = {
                "status": "presumed",
                "ground": told[0],
                "own_statement": told[1],
                "decided_on": str(self.now.date()),
            }
            await self.post(lead, f"{path}/victim-status", body)
        elif choice == "follow_up":
            version = await self.world.owner.fetchval("SELECT version FROM case_file WHERE id = $1::text::uuid", case)
            body = {
                "plan": self.mark(by=lead, what="lead", case=case),
                "until": str(self.now.date() + timedelta(days=60)),
            }
            await self.post(lead, f"{path}/follow-up", body, version)

    async def narrow(self, case: str, consent: str, by: str, other: str) -> None:
        """Take a section, or an agency, off a consent."""
        m, left = self.m, self.consents[consent][1]
        author = await self.world.owner.fetchval(
            "SELECT a.code FROM consent c JOIN agency a ON a.id = c.author_id WHERE c.id = $1::text::uuid", consent
        )
        by = self.chance.choice([by, author, m.lead[case]])
        reason = self.mark(by=by, what="request", case=case, to=author)
        body: dict[str, Any] = {"requested_by": "person", "requested_at": self.now.isoformat(), "reason": reason}
        cut = set(self.chance.sample(sorted(left), min(len(left), 1)))
        whom = "" if self.chance.random() < 0.5 else other
        body |= {"agencies": [whom]} if whom else {"sections": sorted(cut)}
        if (whom or cut) and await self.post(by, f"/v1/cases/{case}/consents/{consent}/narrow", body):
            m.withdraw(consent, set(EVERYTHING) if whom else cut, self.now, only=whom)
            left -= set() if whom else cut

    async def emergency(self, case: str) -> None:
        """Open what keeps alive, as a party or by the case's reference; or end it."""
        m, chance = self.m, self.chance
        mine = [each for each in m.emergencies if each.case == case and not each.ended]
        if mine and chance.random() < 0.3:
            over = chance.choice(mine)
            by = chance.choice([over.holder, m.lead[case], m.reviewer])
            id = self.ids["emergency_id"][m.emergencies.index(over)]
            if await self.post(by, f"/v1/emergency-access/{id}/end", {}):
                over.ended = True
            return
        who = chance.choice(sorted(m.agencies))
        sections = chance.sample(sorted(reading_model.VITAL), 2)
        text = self.mark(by=who, what="emergency", case=case)
        reference = await self.world.owner.fetchval("SELECT reference FROM case_file WHERE id = $1::text::uuid", case)
        body = {"sections": sections, "reason": "medical_emergency", "text": text, "hours": 24}
        body |= {"case_id": case} if chance.random() < 0.4 else {"reference": reference}
        if answer := await self.post(who, "/v1/emergency-access", body):
            m.emergencies.append(reading_model.Emergency(case, who, set(sections), self.now + timedelta(hours=24)))
            self.ids["emergency_id"].append(answer["id"])

    async def ask_about_data(self, case: str, by: str, lead: str) -> None:
        """A person asks for a copy, a restriction or an erasure; the lead answers, now and then with less."""
        m, chance = self.m, self.chance
        kind = chance.choice(["access", "copy", "restrict", "erase"])
        sections = chance.sample(EVERYTHING, 3) if chance.random() < 0.8 else []
        body = {
            "case_id": case, "kind": kind, "requester": "person", "identity_check": "known_to_staff",
            "identity_checked_by": "recording_agency", "received_at": self.now.isoformat(),
            "text": self.mark(by=by, what="asked", case=case), **({"sections": sections} if sections else {}),
        }  # fmt: skip
        if (answer := await self.post(by, "/v1/subject-requests", body)) is None:
            return
        self.ids["subject_request_id"].append(answer["id"])
        verdict: dict[str, Any] = {"answer": "granted", "text": self.mark(by=lead, what="asked", case=case, to=by)}
        if chance.random() < 0.2:
            verdict |= {"answer": "refused", "refusal_ground": "not_held"}
        done = await self.post(lead, f"/v1/subject-requests/{answer['id']}/answer", verdict)
        if done and verdict["answer"] == "granted" and kind in ("restrict", "erase"):
            m.lock_case(case, set(sections or EVERYTHING), self.now)

    async def review(self) -> None:
        """The reviewers judge what went without consent, or who read in an emergency."""
        m = self.m
        rows = await self.world.owner.fetch(
            """SELECT v.id::text, v.subject_id::text, v.sections, v.disclosure_id, d.version_id::text, a.code AS sender FROM review v
               LEFT JOIN disclosure d ON d.id = v.disclosure_id LEFT JOIN agency a ON a.id = v.sender_id WHERE v.state = 'waiting' ORDER BY v.id"""
        )
        if not rows:
            return
        row = self.chance.choice(rows)
        verdict = self.chance.choice(["justify", "find-unjustified", "find-unjustified"])
        body = {"text": self.mark(by=m.reviewer, what="ground", to=row["sender"] or "")}
        if await self.post(m.reviewer, f"/v1/reviews/{row['id']}/{verdict}", body) and verdict != "justify":
            if row["disclosure_id"]:
                m.found_unjustified(row["subject_id"], row["version_id"], set(row["sections"]), self.now)
            elif row["subject_id"] in self.ids["emergency_id"]:  # not of an earlier life
                m.emergencies[self.ids["emergency_id"].index(row["subject_id"])].ended = True

    async def note_of_protection(self, case: str, by: str, kind: str) -> None:
        """An incident in a case, written down by a party; or a court's order to keep it."""
        if kind == "incident":
            body: dict[str, Any] = {
                "kind": "wrong_receiver", "noticed_at": self.now.isoformat(), "data_classes": ["specific_health"], "cases": [case],
                "how": self.mark(by=by, what="asked", case=case), "action": self.mark(by=by, what="asked", case=case),
            }  # fmt: skip
            if answer := await self.post(by, "/v1/incidents", body):
                self.ids["incident_id"].append(answer["id"])
                added = {"text": self.mark(by=by, what="asked", case=case)}
                await self.post(by, f"/v1/incidents/{answer['id']}/entries", added)
            return
        reference = await self.world.owner.fetchval("SELECT reference FROM case_file WHERE id = $1::text::uuid", case)
        reviewer = self.m.reviewer
        said = {name: self.mark(by=reviewer, what="order", case=case) for name in ("authority_name", "number", "text")}
        if answer := await self.post(reviewer, "/v1/holds", records.hold(self.now, reference, "needs", **said)):
            self.ids["hold_id"].append(answer["id"])

    async def live(self) -> None:
        chance, m = self.chance, self.m
        codes = list(m.agencies)
        for step in range(STEPS):
            if step == STEPS * 3 // 4:  # so that what was written until then is closed in part
                for _ in range(4):
                    await self.review()
            roll = chance.random()
            if len(m.passed) < 3 or (roll < 0.22 and len(m.passed) < MOST):
                kind = chance.choice(["referral", "referral", "referral", "transfer"])
                case = chance.choice([None, *self.ids["case_id"]])
                sender = m.lead[case] if case else chance.choice([each for each in codes if each != "embassy"])
                onward = [p.receiver for p in m.passed.values() if p.case == case and p.accepted and not p.over]
                if case and kind == "referral" and onward and chance.random() < 0.4:
                    sender = chance.choice(onward)
                await self.send(
                    kind,
                    sender,
                    chance.choice(
                        [each for each in codes if each != sender and (each != "bangkok" or sender == "iom")]
                    ),
                    case,
                )
            elif roll < 0.5 and self.ids["case_id"]:
                await self.of_the_case()
            elif roll < 0.56:
                self.world.exchange.later(hours=chance.choice([1, 5, 30]))
                await self.world.exchange.settle()
                await self.follow_the_clock()
            else:
                at_work = [each for each in m.passed.values() if not each.over] if chance.random() < 0.9 else []
                p = chance.choice(at_work or list(m.passed.values()))
                was_accepted = p.accepted
                await self.move(p, chance.choice(OPEN_TO[p.kind].get(p.state, ["receiver_note"])))
                for each in ("sender_note", "sender_note", "receiver_note") if p.accepted and not was_accepted else ():
                    await self.move(p, each)
        if chance.random() < 0.7:  # past the end of some bases
            self.world.exchange.later(hours=chance.choice([4, 45]))
        elif chance.random() < 0.3:  # past the time in which holders answer
            self.world.exchange.later(seconds=self.world.exchange.settings.erase_unanswered_after.total_seconds() + 60)
        await self.world.exchange.settle()
        await self.follow_the_clock()
        while await self.world.exchange.worker.erase_what_is_due():
            pass
        for row in await self.world.owner.fetch("SELECT row_id::text, sections FROM erasure WHERE kind = 'record'"):
            self.m.erased |= {(row["row_id"], section) for section in row["sections"]}

    async def follow_the_clock(self) -> None:
        """What the worker ended; when, its own model says (tests/makers/model.py)."""
        for p in self.m.passed.values():
            row = await self.world.owner.fetchrow(
                f"SELECT state, version FROM {p.kind} WHERE id = $1::text::uuid", p.id
            )
            was_over, p.state, p.version = p.over, row["state"], row["version"]
            if p.over and not was_over:
                self.m.ended(p, p.state)
        self.m.lapsed(self.now)

    # reading

    async def everything_is_asked(self) -> None:
        await self.world.exchange.worker.seal_log()
        for name, table in (
            ("request_id", "request"), ("escalation_id", "escalation"), ("review_id", "review"), ("key_id", "sealing_key"),
        ):  # fmt: skip
            self.ids[name] = [row["id"] for row in await self.world.owner.fetch(f"SELECT id::text FROM {table}")]
        await self.import_something()
        acts = await self.world.owner.fetch(
            "SELECT id::text FROM log_entry WHERE subject IN ('referral', 'transfer') AND action !~ ':(read|list)$' ORDER BY id"
        )
        self.ids["receipt_id"] = [row["id"] for row in self.chance.sample(acts, min(len(acts), 15))]
        self.ids["code"] = ["police", "shelter"]
        address = f"https://localhost:9443/news?token={self.mark(by='iom', what='webhook')}"
        self.ids["webhook_id"] = [str(await webhooks.subscribed(self.world, "iom", url=address))]
        for name, most in (("review_id", 10), ("incident_id", 4), ("hold_id", 3), ("subject_request_id", 6)):
            self.ids[name] = self.chance.sample(self.ids[name], min(len(self.ids[name]), most))
        rows = await self.world.owner.fetch("SELECT case_id::text FROM erasure WHERE kind = 'words'")
        erased = {row["case_id"] for row in rows}
        for who in self.m.agencies:
            found_here: dict[str, set[str]] = {}
            for path, ways in ASKED.items():
                for way in ways:
                    for address in self.addresses(path + (way if way.startswith("?") else "")):
                        found_here[f"{address} {way}"] = await self.ask(who, address, way)
            for address, found in found_here.items():
                for mark in found:
                    assert self.m.may_read(who, mark, self.now), (
                        who,
                        address,
                        self.m.words[mark],
                        self.m.passed.get(address.split("/")[3].split(" ")[0] if address.count("/") > 2 else ""),
                    )
            exported = found_here["/v1/exports "]
            singly = set().union(
                *(found for address, found in found_here.items() if SINGLY.fullmatch(address) is not None)
            )
            assert exported == singly, (who, "an export shows what the single readings show")
            self.counted["words exported"] += len(exported)
            for mark, p in self.notes.items():
                is_open = who in (p.sender, p.receiver) and self.m.may_read(who, mark, self.now)
                listed = mark in found_here[f"/v1/{p.kind}s/{p.id}/notes "]
                assert listed == is_open or (is_open and p.case in erased), (who, p, self.m.words[mark])
                self.counted[f"note {'open' if is_open else 'closed'}"] += (
                    who in (p.sender, p.receiver) and who != self.m.words[mark].by
                )
            for p in self.m.passed.values():
                shown = found_here[f"/v1/{p.kind}s/{p.id} "]
                for each in self.m.bindings:
                    way = f"/v1/{p.kind}s/{p.id}/attachments/{each.file} "
                    party = who == p.receiver or (who == p.sender and self.m.author[p.version_id] == who)
                    if each.version == p.version_id and party:
                        is_open = self.m.file_open(who, each, self.now, p)
                        assert bool(found_here[way]) == is_open, (who, p, each)
                        self.counted[f"file {'open' if is_open else 'closed'}"] += 1
                assert self.m.must_read(who, p, self.now) <= shown, (
                    who,
                    p,
                    [self.m.words[each] for each in self.m.must_read(who, p, self.now) - shown],
                )
            await self.refusals_repeat_nothing(who)

    async def import_something(self) -> None:
        """An import of which no line is right: what is read of it says why, and repeats no word."""
        mark = self.mark(by="police", what="nobody")
        wrong = [
            json.dumps({"key": "case-1", **records.referral(record=records.record(**{mark: {}}))}),
            json.dumps({"key": "case-2", **records.referral(mark.lower())}),
            mark,
        ]
        reply = await ndjson.send(self.world.police, "\n".join(wrong).encode(), key=f"import-{uuid4()}")
        assert reply.status_code == 201
        await ndjson.handle(self.world)
        self.ids["import_id"] = [reply.json()["id"]]

    def addresses(self, path: str) -> list[str]:
        made = [path]
        for name in re.findall(r"{(\w+)}", path):
            ids = self.ids["subject_request_id" if path.startswith("/v1/subject-requests") else name]
            made = [each.replace(f"{{{name}}}", id) for each in made for id in ids]
        if "/consents/" in path:  # of its own case; of another it is 404
            made = [each for each in made if self.consents[each.split("/")[5]][0] in each]
        if "/evidence/" in path:  # a record's file proves nothing
            made = [each for each in made if each.rsplit("/", 1)[1] in self.m.evidence]
        return made

    async def ask(self, who: str, address: str, way: str = "") -> set[str]:
        options = {"headers": {"Accept": way}} if "/" in way and not way.startswith("?") else {}
        reply = await self.world.who(who).get(address, **options)
        assert reply.status_code in (200, 403, 404), (address, reply.status_code, reply.text)
        self.counted[f"asked {reply.status_code}"] += 1
        found = self.found_in(reply)
        assert not found or reply.status_code == 200, (who, address, "a refusal says something")
        return found

    def found_in(self, reply: Any) -> set[str]:
        everything = (reply.content.decode() + repr(reply.headers.raw)).lower()
        if "zq" not in everything:
            return set()
        return {mark for mark in self.m.words if mark.lower() in everything}

    async def refusals_repeat_nothing(self, who: str) -> None:
        """What is refused, as stale, as not one's own, as forbidden by the policy, or as no request at all, has no word in it."""
        p = self.chance.choice(list(self.m.passed.values()))
        for path, body, seen in (
            (f"/v1/{p.kind}s/{p.id}/recall", {"reason": "x"}, 999),
            (f"/v1/{p.kind}s/{p.id}/accept", {"unknown": 1}, 1),
            (f"/v1/{p.kind}s/{p.id}/acknowledge", {"unknown": 1}, None),
            (
                "/v1/disclosures/preview",
                {"receiver_kind": "sentra", "purpose": "shelter", "sections": ["health"], "case_id": p.case},
                None,
            ),
        ):
            reply = await self.world.who(who).post(path, body, if_match=seen)
            assert reply.status_code in (200, 404, 409, 412, 422), (path, reply.text)
            assert self.found_in(reply) == set(), (who, path)


CASE_CHANGES = [
    "withdraw", "withdraw", "correct", "propose", "retract", "status", "follow_up",
    "narrow", "emergency", "emergency", "ask", "ask", "review", "review", "incident", "hold",
]  # fmt: skip
UNANSWERED = [
    *["accept"] * 7, "acknowledge", "request_info", "request_info", "decline", "recall", "enter_in_error", "amend", "sender_note", "receiver_note",
]  # fmt: skip
WORKED_ON = ["amend", "sender_note", "sender_note", "sender_note", "receiver_note", "request_cancel", "report_error"]
OPEN_TO: dict[str, dict[str, list[str]]] = {
    "referral": {
        "sent": UNANSWERED,
        "received": UNANSWERED,
        "info_requested": ["provide_info", "accept", "decline"],
        "accepted": [*WORKED_ON, *["start"] * 5, "fail", "decline"],
        "in_progress": [*WORKED_ON, "record_service", "hold", "complete", "fail"],
        "on_hold": [*WORKED_ON, "resume"],
        "cancel_requested": ["confirm_cancel", "refuse_cancel", "confirm_error"],
    },
    "transfer": {
        "offered": UNANSWERED,
        "received": UNANSWERED,
        "info_requested": ["provide_info", "accept", "decline"],
        "accepted": [
            "confirm_handover",
            "confirm_handover",
            "confirm_handover",
            "abort",
            "amend",
            "sender_note",
            "receiver_note",
        ],
    },
}


@pytest.fixture
async def ready(world: World) -> World:
    """Besides everybody a mission abroad, which has an agreement with one of them."""
    await world.mission()
    return world


async def test_everybody_reads_what_the_rules_say_and_nothing_else(ready: World, tmp_path: Path) -> None:
    world, counted = ready, Counter[str]()
    keys = await sealed.publish(world, world.shelter, world.sentra, world.iom)
    settings = world.exchange.settings.model_copy(update={"erasure_list": tmp_path})
    settings.__dict__.pop("erasure_folder", None)
    world.exchange.worker._eraser = Eraser(settings, world.exchange.keyring)
    for seed in range(SEED, SEED + READINGS):
        agencies = [reading_model.Agency(code, kind) for code, kind in AGENCIES.items()]
        life = Life(
            world, random.Random(seed), Reading([*agencies, reading_model.Agency("bangkok", "mission_abroad", "TH")])
        )
        agreement = uuid4()
        sections = ["identity", "needs", "safety", "contact", "health"]
        purposes = ["shelter", "social_rehabilitation"]
        await world.owner.execute(
            """INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at, sections, purposes, both_ways, basis)
               VALUES ($1, 'data_sharing', $2, $3, 'PKS 8/2026', $4, $5, $6, true, 'UU 27/2022, Pasal 56')""",
            agreement, world.id_of("iom"), world.id_of("bangkok"), life.now - timedelta(days=1), sections, purposes,
        )  # fmt: skip
        life.keys = dict(zip(("shelter", "sentra", "iom"), keys, strict=True))
        life.m.reviewer = life.chance.choice(["ministry", "lpsk"])  # the desk, or another agency
        life.m.agreements = [
            (one, other, set(sections), set(purposes)) for one, other in (("iom", "bangkok"), ("bangkok", "iom"))
        ]
        try:
            await world.owner.execute(
                "UPDATE agency SET reviewer = (code = $1)", life.m.reviewer.replace("ministry", "")
            )
            await world.exchange.directory.refresh()
            async with cases.desk_at(world, "ministry"):
                await life.live()
                await life.everything_is_asked()
            stored = await world.owner.fetch(
                "SELECT detail::text AS t FROM log_entry UNION ALL SELECT to_jsonb(e)::text FROM event e"
            )
            assert not [mark for row in stored for mark in life.m.words if mark.lower() in row["t"].lower()], (
                "in the log or in an event"
            )
        except AssertionError as error:
            error.add_note(f"READING_SEED={seed}")
            raise
        finally:
            await world.owner.execute("DELETE FROM agreement WHERE id = $1", agreement)
            await world.owner.execute("UPDATE agency SET reviewer = false")
            await world.exchange.directory.refresh()
        counted += life.counted
    sys.stdout.write(f"\n{dict(sorted(counted.items()))}\n")  # shown by pytest -s
    assert counted["asked 200"] > 150 * READINGS, "the lives were empty"
    for each in ("file open", "file closed", "note open", "note closed", "words exported") if SEED == 0 else ():
        assert counted[each] > 0, f"no {each}"
    assert counted["/v1/referrals 201"] + counted["/v1/transfers 201"] >= 3 * READINGS, "nearly all was refused"

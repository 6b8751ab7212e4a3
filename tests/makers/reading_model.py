"""Who may read what, said again in plain Python from the written rules (docs/lifecycle.md, docs/policy.md) and from nothing of the code.

Every free text that anybody writes carries a word that stands nowhere else (`mark`). The model knows of each word who wrote it, into which
section of which version, on which basis, or with which move; and answers whether an agency may read it now. Nothing here reads a database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

HELPERS = ("ministry_social", "sentra", "trauma_centre", "international_organisation", "civil_society")
STATE_ONLY = ("police_regional", "foreign_mission")
"""Senders that learn state, arrival and end."""
WHO, MOST = (
    "identity needs safety ",
    "contact location family identification exploitation health psychosocial legal migration ",
)
EVERYTHING = (WHO + MOST + "narrative attachments extensions").split()

MAY_HOLD: dict[str, set[str]] = {
    **{kind: set(EVERYTHING) for kind in HELPERS},
    "police_regional": set((WHO + "contact location family identification exploitation legal migration narrative attachments").split()),
    "witness_victim_protection": set((WHO + MOST + "narrative attachments").split()),
    "mission_abroad": set((WHO + MOST + "attachments").split()),
    "foreign_mission": {"identity", "contact", "migration", "needs"},
}  # fmt: skip
NEEDED_FOR: dict[str, set[str]] = {
    "shelter": set((WHO + "contact location family identification health psychosocial migration").split()),
    "medical_care": set((WHO + "contact location family exploitation health psychosocial attachments").split()),
    "legal_assistance": set((WHO + "contact location family identification exploitation health legal migration narrative attachments").split()),
    "social_rehabilitation": set(EVERYTHING),
    "case_responsibility": set(EVERYTHING),
}  # fmt: skip
REVIEWED_WITHIN = timedelta(hours=72)
"""A vital interest ends when its review is due."""
VITAL = {"identity", "location", "safety", "health", "needs"}
IN_HAND_FOR = timedelta(days=1)
CLOSING = ("declined", "recalled", "cancelled", "expired", "aborted")
WITH_THE_PERSON = ("in_progress", "on_hold", "cancel_requested")


@dataclass
class Agency:
    """An agency, as the rules look at it."""

    code: str
    kind: str
    country: str = "ID"


@dataclass
class Passed:
    """A referral or transfer."""

    id: str
    kind: str
    case: str
    sender: str
    receiver: str
    purpose: str
    version_id: str = ""
    state: str = "sent"
    version: int = 1
    accepted: bool = False

    @property
    def over(self) -> bool:
        return self.state in (*CLOSING, "completed", "not_completed", "absorbed", "entered_in_error")


@dataclass
class Grant:
    """What one basis opens to one holder: sections of a version, or the words of a move."""

    on: Passed
    holder: str
    sections: set[str]
    version: str = ""
    words: str = ""
    consent: str = ""
    lapses: datetime | None = None
    """Of a vital interest: when it locks by itself."""
    until: datetime | None = None
    opened: bool = False
    closed: bool = False
    locked: bool = False
    withdrawn: dict[str, datetime] = field(default_factory=dict)
    """Sections that were locked, and when, each by itself: the consent was taken back or narrowed, the review found no ground or came to
    nothing, or the person had the sections restricted or asked for their erasure."""

    def in_force(self, section: str, now: datetime) -> bool:
        over = self.until is not None and self.until <= now
        return section in self.sections and not (self.closed or self.locked or over or section in self.withdrawn)


@dataclass
class Emergency:
    """Sections of a case that an agency reads for some hours because life is at stake."""

    case: str
    holder: str
    sections: set[str]
    until: datetime
    ended: bool = False


@dataclass
class Word:
    """A word that stands nowhere else, and what it stands in."""

    by: str
    what: str
    """`record`, `both` (told to both parties), `to_receiver`, `to_sender` (with what it is in the table of what flows back), `words` (of a
    section), `own_basis`, `comes_with`, `lead`, `consent`, `request`, `reason` (of a basis), `ground` (of a review), `emergency`, `asked`
    (of a subject request or an incident), `order` (of a hold), `sealed`, `nobody`."""
    on: Passed | None = None
    case: str = ""
    version: str = ""
    section: str = ""
    medicine: bool = False
    back: str = ""
    agreed: bool = True
    to: str = ""
    file: str = ""
    """Of a file's content: its id. What it goes with is said by its bindings."""


@dataclass
class Binding:
    """A file that goes with a version, as a part of the section it belongs to."""

    file: str
    section: str
    by: str
    """Who wrote the version."""
    version: str = ""
    """None while what would have had it was refused."""
    case: str = ""
    on: Passed | None = None
    what: str = "binding"


class Reading:
    """One small world, as far as it matters for who may read."""

    def __init__(self, agencies: list[Agency]) -> None:
        self.agencies = {each.code: each for each in agencies}
        self.lead: dict[str, str] = {}
        self.passed: dict[str, Passed] = {}
        self.grants: list[Grant] = []
        self.words: dict[str, Word] = {}
        self.bindings: list[Binding] = []
        self.evidence: dict[str, str] = {}
        """File → the case whose consent it proves."""
        self.author: dict[str, str] = {}
        self.corrected: dict[str, str] = {}
        """Version of a correction → its case."""
        self.retracted: set[str] = set()
        self.emergencies: list[Emergency] = []
        self.erased: set[tuple[str, str]] = set()
        """Versions, and the sections that are gone from them."""
        self.reviewer = ""
        self.agreements: list[tuple[str, str, set[str], set[str]]] = []
        """From, to, sections, purposes."""

    # what may go

    def crosses(self, one: str, other: str) -> bool:
        return {self.agencies[one].country, self.agencies[other].country} != {"ID"}

    def agreed(self, sender: str, receiver: str, purpose: str) -> set[str] | None:
        """The sections that agreements let go; None: nothing bounds them."""
        found = [each for each in self.agreements if each[:2] == (sender, receiver)]
        if not found and not self.crosses(sender, receiver):
            return None
        return set().union(*(sections for _, _, sections, purposes in found if purpose in purposes))

    def sendable(self, sender: str, receiver: str, purpose: str, section: str, basis: str) -> bool:
        """Whether a section may go on a basis of this kind that covers it."""
        kind, abroad = self.agencies[receiver].kind, self.agencies[receiver].country != "ID"
        bounds = self.agreed(sender, receiver, purpose)
        vital = basis == "vital_interest"
        return (
            section in MAY_HOLD[kind]
            and section in NEEDED_FOR[purpose]
            and not (kind == "foreign_mission" and basis != "consent")
            and not (vital and (section not in VITAL or abroad))
            and (bounds is None or section in bounds or (vital and not self.crosses(sender, receiver)))
        )

    # what happened

    def ended(self, p: Passed, state: str) -> None:
        """It is in a final state: what was disclosed closes, locks or stays."""
        p.state = state
        for grant in self.grants:
            if grant.on is p:
                grant.closed |= state in CLOSING
                grant.locked |= state == "entered_in_error"

    def accept(self, p: Passed) -> None:
        p.accepted, p.state = True, "accepted"
        for grant in self.grants:
            grant.opened |= grant.on is p and not grant.closed

    def replaced(self, p: Passed, version: str) -> None:
        """A new version takes the earlier one's place."""
        for grant in self.grants:
            grant.closed |= grant.on is p and bool(grant.version)
        p.version_id = version

    def handed_over(self, p: Passed) -> None:
        """The receiver of a transfer leads: it takes the earlier lead's place in what is open, and what was asked of it joins the case."""
        p.state = "completed"
        self.lead[p.case] = p.receiver
        for each in self.passed.values():
            if each.case == p.case and each.kind == "referral" and not each.over:
                if each.receiver == p.receiver:
                    each.state = "absorbed"
                    for grant in self.grants:
                        grant.opened |= grant.on is each and not grant.closed
                elif each.sender == p.sender:
                    each.sender = p.receiver

    def withdraw(self, consent: str, sections: set[str], now: datetime, *, only: str = "") -> None:
        """Sections of a consent are taken back; or all of it from one agency only."""
        for grant in self.grants:
            if grant.consent == consent and only in ("", grant.holder):
                self._lock(grant, sections, now)

    def lock_case(self, case: str, sections: set[str], now: datetime) -> None:
        """The person had sections restricted or asked for their erasure: for every holder."""
        for grant in self.grants:
            if grant.on.case == case:
                self._lock(grant, sections, now)

    def found_unjustified(self, subject: str, version: str, sections: set[str], now: datetime) -> None:
        """The reviewers found no ground for what went on a basis."""
        for grant in self.grants:
            of_it = grant.on.id == subject and (grant.version == version or grant.words)
            if of_it and grant.sections == sections and not grant.consent:
                self._lock(grant, sections, now)

    def lapsed(self, now: datetime) -> None:
        """The clock has looked: what rested on a vital interest and whose review is over locks."""
        for grant in self.grants:
            if grant.lapses is not None and grant.lapses <= now:
                self._lock(grant, grant.sections, now)

    def _lock(self, grant: Grant, sections: set[str], now: datetime) -> None:
        grant.withdrawn |= {each: now for each in sections & grant.sections if each not in grant.withdrawn}

    # who may read

    def allowed(self, who: str, purpose: str, section: str) -> bool:
        return section in MAY_HOLD[self.agencies[who].kind] & NEEDED_FOR[purpose]

    def open_sections(self, who: str, p: Passed, now: datetime) -> set[str]:
        """The sections of what came with it that are open to a holder."""
        return {
            section
            for grant in self.grants
            if (grant.on, grant.holder) == (p, who)
            and grant.version
            and grant.opened
            and grant.version not in self.retracted
            for section in grant.sections
            if grant.in_force(section, now) and self.allowed(who, p.purpose, section)
        }

    def _in_hand(self, who: str, word: Word, now: datetime) -> bool:
        """For a day after a withdrawal `safety`, and the medicines of `health`, to whoever has the person with them."""
        if not (word.section == "safety" or word.medicine) or word.version in self.retracted:
            return False
        holds = any(
            p.case == word.case
            and p.receiver == who
            and (
                (p.kind == "referral" and p.state in WITH_THE_PERSON)
                or (p.kind == "transfer" and p.state == "completed" and self.lead[p.case] == who)
            )
            for p in self.passed.values()
        )
        return holds and any(
            grant.holder == who
            and grant.version == word.version
            and not grant.closed
            and word.section in grant.withdrawn
            and grant.withdrawn[word.section] > now - IN_HAND_FOR
            for grant in self.grants
        )

    def _in_emergency(self, who: str, word: Word, now: datetime) -> bool:
        """Of each section named, what its newest version says, for as long as it lasts."""
        newest = [
            version
            for version in self.author
            if version not in self.retracted
            and (version, word.section) not in self.erased
            and any(
                (each.what, each.version, each.case, each.section) == ("record", version, word.case, word.section)
                for each in self.words.values()
            )
        ][-1:]
        return newest == [word.version] and any(
            (each.case, each.holder) == (word.case, who)
            and word.section in each.sections & VITAL & MAY_HOLD[self.agencies[who].kind]
            and not each.ended
            and each.until > now
            for each in self.emergencies
        )

    def _erased(self, each: Binding) -> bool:
        return not self.erased.isdisjoint({(each.version, each.section), (each.version, "attachments")})

    def _of_file(self, file: str) -> list[Binding]:
        return [each for each in self.bindings if each.file == file and each.version]

    def _uploader(self, file: str) -> str:
        return next(word.by for word in self.words.values() if word.file == file)

    def _gone(self, each: Binding) -> bool:
        """Whether a version's file is taken back, in this version or in all of its uploader's, or erased with one of its two sections."""
        own = [one for one in self._of_file(each.file) if self.author[one.version] == self._uploader(each.file)]
        own = [one for one in own if one.version in self.retracted or not self._erased(one)]
        taken_back = bool(own) and all(one.version in self.retracted for one in own)
        return taken_back or each.version in self.retracted or self._erased(each)

    def file_open(self, who: str, each: Binding, now: datetime, p: Passed | None = None) -> bool:
        """Whether a version's file is open: its own section and that of the papers both are. `p`: by what was disclosed with it alone."""
        if not each.version or self._gone(each):
            return False
        if self.author[each.version] == who:  # another's file only as long as it is open with what was sent to it
            others = [one for one in self._of_file(each.file) if self.author[one.version] != who]
            return self._uploader(each.file) == who or any(self.file_open(who, one, now) for one in others)
        needed = {each.section, "attachments"}
        if each.version in self.corrected:
            passed = [one for one in self.passed.values() if one.case == each.case]
            return needed <= set().union(*(self.open_sections(who, one, now) for one in passed))
        return needed <= {
            section
            for grant in self.grants
            if (grant.holder, grant.version) == (who, each.version) and grant.opened and p in (None, grant.on)
            for section in grant.sections
            if grant.in_force(section, now) and self.allowed(who, grant.on.purpose, section)
        }

    def _may_read_file(self, who: str, word: Word, now: datetime) -> bool:
        if word.file in self.evidence:
            return who in (word.by, self.lead.get(self.evidence[word.file], ""))
        bound = self._of_file(word.file)
        if who == word.by:  # as its uploader, until nothing holds it any more
            return not bound or not all(self._gone(each) for each in bound)
        return any(self.file_open(who, each, now) for each in bound)

    def may_read(self, who: str, mark: str, now: datetime) -> bool:
        """Whether an agency may read a word, by any way."""
        word = self.words[mark]
        p, lead = word.on, self.lead.get(word.case, "")
        if word.what in ("nobody", "sealed"):
            return False
        if word.what == "file":
            return self._may_read_file(who, word, now)
        if word.what == "record":
            if word.version in self.retracted or (word.version, word.section) in self.erased:
                return False
            if self.author[word.version] == who or self._in_hand(who, word, now):
                return True
            if self._in_emergency(who, word, now):
                return True
            if word.version in self.corrected:
                return any(
                    word.section in self.open_sections(who, each, now)
                    for each in self.passed.values()
                    if each.case == word.case
                )
            return any(
                (grant.holder, grant.version) == (who, word.version)
                and grant.opened
                and grant.in_force(word.section, now)
                and self.allowed(who, grant.on.purpose, word.section)
                for grant in self.grants
            )
        if word.by == who:
            return True
        if word.what in ("reason", "order"):
            return who == self.reviewer
        if word.what == "ground":
            return who in (word.to, self.reviewer)
        if word.what == "emergency":
            return who in (lead, self.reviewer)
        if word.what == "asked":
            return who in (lead, word.to, self.reviewer)
        if word.what in ("lead", "consent"):
            return who == lead
        if word.what == "request":
            return who in (lead, word.to)
        if p is None:
            return False
        if word.what == "both":
            return who in (p.sender, p.receiver)
        if word.what == "comes_with":
            return who == p.receiver and bool(self.open_sections(who, p, now))
        if word.what == "to_receiver":
            return who == p.receiver
        if word.what == "words":
            return who == p.receiver and word.section in self.open_sections(who, p, now)
        if word.what == "own_basis":
            return any(
                grant.words == mark
                and grant.holder == who
                and grant.in_force(word.section, now)
                and self.allowed(who, p.purpose, word.section)
                for grant in self.grants
            )
        if word.what == "to_sender":
            less = self.agencies[who].kind in STATE_ONLY or not word.agreed
            if word.section and not self._flows_back(who, p, word.section, now):
                return False
            return who == p.sender and (word.back in ("acceptance", "question") or not less)
        return False

    def _flows_back(self, who: str, p: Passed, section: str, now: datetime) -> bool:
        """A note of a section flows back to a sender that may hold it, while what came of the section to its writer rests on something."""
        came = [
            grant
            for grant in self.grants
            if grant.on is p
            and grant.version == p.version_id
            and section in grant.sections
            and (grant.holder == p.receiver)
            and not grant.closed
        ]
        return self.allowed(who, p.purpose, section) and (
            not came or any(grant.in_force(section, now) for grant in came)
        )

    def must_read(self, who: str, p: Passed, now: datetime) -> set[str]:
        """The words of the record that reading a referral or transfer itself must show."""
        if p.version_id in self.retracted or who not in (p.sender, p.receiver):
            return set()
        own = self.author[p.version_id] == who
        open_now = set(EVERYTHING) if own else self.open_sections(who, p, now) if who == p.receiver else set()
        return {
            mark
            for mark, word in self.words.items()
            if word.what == "record"
            and word.version == p.version_id
            and word.section in open_now
            and (word.version, word.section) not in self.erased
        }


def leaves(section: str, marks: list[str]) -> dict[str, Any]:
    """A section whose free texts are these words: two of them."""
    one, two = marks
    return {
        "identity": {
            "names": [{"full": one}, {"full": two, "kind": "other"}],
            "sex": "male",
            "birth": {"date": "1994-03"},
        },
        "contact": {
            "channels": [{"kind": "mobile_phone", "value": "+6281234567890", "safe": "no", "when": one}],
            "note": two,
        },
        "location": {
            "addresses": [
                {"kind": "current", "place": {"street": one, "region": "81.71", "country": "ID"}},
                {"kind": "home", "place": {"street": two, "country": "ID"}},
            ]
        },
        "family": {"guardian": {"name": one, "standing": "parent", "suspected": "no"}, "note": two},
        "identification": {"grounds": one, "own_statement": two},
        "exploitation": {"got_out": one, "episodes": [{"note": two}]},
        "safety": {"must_know": one, "plan": two},
        "health": {"infectious": "contact", "medicines": [{"name": one}], "note": two},
        "psychosocial": {"wishes": one, "note": two},
        "legal": {"counsel_office": one, "note": two},
        "migration": {"entry_point": one, "note": two},
        "needs": {"services": [{"need": "shelter_men", "note": one}], "note": two},
        "narrative": {
            "entries": [{"text": each, "language": "en", "author_role": "social_worker"} for each in (one, two)]
        },
        "attachments": {"papers": [{"kind": "other", "issuer": one, "note": two}]},
        "extensions": {"police": {"a": one, "b": {"c": [two]}}},
    }[section]

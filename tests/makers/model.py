"""The lives of cases, referrals and transfers said again in plain Python, from the written rules and from nothing of the code.

`Model.do` takes one act and either changes the model and says whom the exchange must tell and what its log must say, or raises
`Refused` with the status the exchange must answer. `Model.the_clock_did` judges what the worker did on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

UNANSWERED = ("sent", "offered", "received", "info_requested")
WORKED_ON = ("accepted", "in_progress", "on_hold", "cancel_requested")
OPEN = {"referral": (*UNANSWERED, *WORKED_ON), "transfer": (*UNANSWERED, "accepted")}
PREVIOUS = "the state before"
HOUR = timedelta(hours=1)
RESPOND_WITHIN = {"immediate": HOUR, "urgent": 24 * HOUR, "standard": 7 * 24 * HOUR}
SLACK = timedelta(minutes=1)
"""The real time that passes while a test runs."""

#        event            from                                  to                  by          tells                  told as
TABLE: dict[str, dict[str, tuple[tuple[str, ...], str | None, str, tuple[str, ...], str]]] = {
    "referral": {
        "acknowledge":    (("sent",),                           "received",         "receiver", ("sender",),           "received"),
        "request_info":   (("sent", "received"),                "info_requested",   "receiver", ("sender",),           "info_requested"),
        "provide_info":   (("info_requested",),                 "received",         "sender",   ("receiver",),         "info_provided"),
        "accept":         (UNANSWERED,                          "accepted",         "receiver", ("sender", "lead"),    "accepted"),
        "decline":        ((*UNANSWERED, "accepted"),           "declined",         "receiver", ("sender", "lead"),    "declined"),
        "recall":         (UNANSWERED,                          "recalled",         "sender",   ("receiver",),         "recalled"),
        "start":          (("accepted",),                       "in_progress",      "receiver", ("sender",),           "in_progress"),
        "record_service": (("in_progress",),                    "in_progress",      "receiver", ("sender",),           "record_service"),
        "hold":           (("in_progress",),                    "on_hold",          "receiver", ("sender",),           "on_hold"),
        "resume":         (("on_hold",),                        "in_progress",      "receiver", ("sender",),           "resumed"),
        "request_cancel": (("accepted", "in_progress", "on_hold"), "cancel_requested", "sender", ("receiver",),        "cancel_requested"),
        "confirm_cancel": (("cancel_requested",),               "cancelled",        "receiver", ("sender",),           "cancelled"),
        "refuse_cancel":  (("cancel_requested",),               PREVIOUS,           "receiver", ("sender",),           "cancel_refused"),
        "complete":       (("in_progress", "on_hold", "cancel_requested"), "completed", "receiver", ("sender", "lead"), "completed"),
        "fail":           (("accepted", "in_progress", "on_hold"), "not_completed", "receiver", ("sender", "lead"),    "not_completed"),
        "enter_in_error": (UNANSWERED,                          "entered_in_error", "sender",   ("receiver",),         "entered_in_error"),
        "report_error":   (WORKED_ON,                           None,               "sender",   ("receiver",),         "error_reported"),
        "confirm_error":  (WORKED_ON,                           "entered_in_error", "receiver", ("sender",),           "entered_in_error"),
        "amend":          ((*UNANSWERED, *WORKED_ON),           None,               "sender",   ("receiver",),         "amend"),
        "note":           ((*UNANSWERED, *WORKED_ON),           None,               "either",   ("other",),            "note"),
    },
    "transfer": {
        "acknowledge":    (("offered",),                        "received",         "receiver", ("sender",),           "received"),
        "request_info":   (("offered", "received"),             "info_requested",   "receiver", ("sender",),           "info_requested"),
        "provide_info":   (("info_requested",),                 "received",         "sender",   ("receiver",),         "info_provided"),
        "accept":         (UNANSWERED,                          "accepted",         "receiver", ("sender", "partners"), "accepted"),
        "decline":        (UNANSWERED,                          "declined",         "receiver", ("sender",),           "declined"),
        "recall":         (UNANSWERED,                          "recalled",         "sender",   ("receiver",),         "recalled"),
        "confirm_handover": (("accepted",),                     "completed",        "receiver", ("sender", "partners"), "completed"),
        "abort":          (("accepted",),                       "aborted",          "either",   ("other", "partners"), "aborted"),
        "handover_paper": (("completed",),                      None,               "receiver", ("sender",),           "handover_paper"),
        "enter_in_error": (UNANSWERED,                          "entered_in_error", "sender",   ("receiver",),         "entered_in_error"),
        "report_error":   (("accepted",),                       None,               "sender",   ("receiver",),         "error_reported"),
        "confirm_error":  (("accepted",),                       "entered_in_error", "receiver", ("sender", "partners"), "entered_in_error"),
        "amend":          ((*UNANSWERED, "accepted"),           None,               "sender",   ("receiver",),         "amend"),
        "note":           ((*UNANSWERED, "accepted"),           None,               "either",   ("other",),            "note"),
    },
}  # fmt: skip
UNVERSIONED = ("acknowledge", "note", "record_service")
PARTNERS_LEARN = {
    "accept": "case.lead_changing",
    "confirm_handover": "case.lead_changed",
    "abort": "case.lead_unchanged",
    "confirm_error": "case.lead_unchanged",
}
CASE_TABLE: dict[str, tuple[tuple[str, ...], str]] = {
    "follow_up": (("open",), "follow_up"),
    "close": (("open", "follow_up"), "closed"),
    "reopen": (("closed",), "open"),
}
LINK_TABLE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "confirm": (("proposed",), "confirmed", "asked"),
    "refuse": (("proposed",), "refused", "asked"),
    "end": (("proposed", "confirmed"), "ended", "either"),
}
REASSIGNMENT_TABLE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "approve": (("proposed",), "approved", "desk"),
    "agree": (("approved",), "agreed", "new lead"),
    "decline": (("approved",), "declined", "new lead"),
    "withdraw": (("proposed", "approved"), "withdrawn", "desk"),
}
REPLACEABLE = {
    "referral": ("declined", "recalled", "cancelled", "expired", "not_completed", "completed"),
    "transfer": ("declined", "recalled", "expired", "aborted"),
}


class Refused(Exception):
    """The exchange must answer with this status and change nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Done:
    """What must come with a success: events, as (agency, type), and the actions in the log."""

    tells: set[tuple[str, str]] = field(default_factory=set)
    log: list[str] = field(default_factory=list)


@dataclass
class Act:
    """One request, as the model needs to know it; `facts`: what else it says."""

    what: str
    who: str
    on: str = ""
    event: str = ""
    seen: int | None = None
    said: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """A case, its leads in order, and whether the person has died."""

    id: str
    leads: list[str]
    state: str = "open"
    version: int = 1
    dead: bool = False

    @property
    def lead(self) -> str:
        return self.leads[-1]


@dataclass
class Passed:
    """A referral or a transfer."""

    id: str
    kind: str
    case: str
    sender: str
    receiver: str
    urgency: str
    state: str
    last: datetime
    """When the last thing happened to it."""
    respond_by: datetime
    need: str = ""
    group: str | None = None
    onward: bool = False
    rests_on: str | None = None
    """The consent that its present version rests on."""
    version_id: str = ""
    version: int = 1
    before: str = ""
    accepted: bool = False
    started: bool = False
    error_reported: bool = False
    paper: str | None = None
    point: str | None = None
    warned: datetime | None = None
    """When the worker first looked after the deadline."""
    cancel_asked: datetime | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN[self.kind]


@dataclass
class Consent:
    """A consent: whose hand recorded it, and which sections it still covers."""

    case: str
    author: str
    sections: set[str]
    had_part: set[str]
    """Everybody who ever sent or got something that rests on it: likely to have something to say."""


CLOSED_BY = ("declined", "recalled", "cancelled", "expired", "aborted")
"""The ends that close what was disclosed: who has refused a person has no say in the person's consent."""


@dataclass
class Version:
    """A version of a record."""

    case: str
    author: str
    need: str
    retracted: bool = False


@dataclass
class Link:
    """A link between two cases."""

    case: str
    other: str
    kind: str
    state: str
    version: int = 1


@dataclass
class Reassignment:
    """A reassignment of a lead that is gone."""

    case: str
    to: str
    by: str
    state: str = "proposed"
    version: int = 1


class Model:
    """All cases of one small world."""

    DESK = "ministry"

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.passed: dict[str, Passed] = {}
        self.consents: dict[str, Consent] = {}
        self.versions: dict[str, Version] = {}
        self.links: dict[str, Link] = {}
        self.reassignments: dict[str, Reassignment] = {}

    def of(self, case: str, kind: str = "") -> list[Passed]:
        """Return the referrals and transfers of a case."""
        return [each for each in self.passed.values() if each.case == case and kind in ("", each.kind)]

    def sees(self, who: str, case: Case) -> bool:
        """Whether an agency may know of the case."""
        return who in case.leads or any(p.open and who in (p.sender, p.receiver) for p in self.of(case.id))

    def parties(self, case: Case) -> set[str]:
        """Return who takes part, or did: whoever was only asked did not."""
        took_part = [p for p in self.of(case.id) if (p.open or p.accepted) and p.state != "entered_in_error"]
        return set(case.leads) | {who for p in took_part for who in (p.sender, p.receiver)}

    def do(self, act: Act, made: dict[str, Any]) -> Done:
        """Apply an act, or raise `Refused`. `made`: of the exchange's answer, its `id`, `case_id`, `at`, and ids of what came with it."""
        done: Done = getattr(self, f"_{act.what}")(act, made)
        done.tells = {(who, type_) for who, type_ in done.tells if who != act.who}
        return done

    # creating

    def _open(self, act: Act, made: dict[str, Any]) -> Done:
        self.cases[made["id"]] = Case(made["id"], [act.who])
        return Done(log=["case:open_case"])

    def _send(self, act: Act, made: dict[str, Any]) -> Done:
        facts, kind, log = act.facts, act.facts["kind"], []
        case_id, need, receiver = act.on, facts["need"], facts["receiver"]
        group, consent_id, reused = facts.get("group"), facts.get("consent"), facts.get("reuse")
        if case_id:
            case = self.cases[case_id]
            if not self.sees(act.who, case):
                raise Refused(404)
            if case.state == "closed":
                raise Refused(409)
            if case.lead != act.who and not (kind == "referral" and self._may_refer_on(act.who, case)):
                raise Refused(403)
            if facts.get("replaces"):
                old = self.passed[facts["replaces"]]
                if (old.case, old.sender) != (case_id, act.who) or old.state not in REPLACEABLE[old.kind]:
                    raise Refused(409)
            if reused:
                version = self.versions[reused]
                need = version.need
                if version.retracted or version.case != case_id or version.author != act.who:
                    raise Refused(409)
            if group:
                # of a group that is none of its own it learns nothing, not even that it is there; such groups never touch
                asked = [
                    p for p in self.passed.values()
                    if p.group == group and p.receiver != act.who and act.who in (p.sender, self.cases[p.case].lead)
                ]  # fmt: skip
                if any((p.case, p.sender) != (case_id, act.who) for p in asked):
                    raise Refused(409)
                if sum(p.open for p in asked) >= 5 or any(p.accepted for p in asked):
                    raise Refused(409)
            if kind == "referral" and any(
                p.open and (p.receiver, p.need) == (receiver, need) for p in self.of(case_id, "referral")
            ):
                raise Refused(409)
            if kind == "transfer" and any(p.open for p in self.of(case_id, "transfer")):
                raise Refused(409)
            if consent_id:
                consent = self.consents[consent_id]
                if consent.case != case_id or not {"identity", "safety", "needs"} <= consent.sections:
                    raise Refused(403)
        else:
            case_id = made["case_id"]
            self.cases[case_id] = Case(case_id, [act.who])
            log.append("case:open_case")
        if facts.get("new_consent"):
            consent_id = made["consent"]
            self.consents[consent_id] = Consent(case_id, act.who, {"identity", "safety", "needs"}, set())
            log.append("consent:give")
        if consent_id:
            self.consents[consent_id].had_part |= {act.who, receiver}
        self.versions.setdefault(made["version_id"], Version(case_id, act.who, need))
        self.passed[made["id"]] = Passed(
            made["id"], kind, case_id, act.who, receiver, facts["urgency"], "sent" if kind == "referral" else "offered",
            last=act.said or made["at"], respond_by=made["at"] + RESPOND_WITHIN[facts["urgency"]], need=need, group=group,
            onward=facts.get("onward", False), rests_on=consent_id, version_id=made["version_id"],
        )  # fmt: skip
        told = "referral.sent" if kind == "referral" else "transfer.offered"
        return Done({(receiver, told)}, [*log, "referral:send" if kind == "referral" else "transfer:offer"])

    def _may_refer_on(self, who: str, case: Case) -> bool:
        return any(
            p.receiver == who and p.onward and p.state in WORKED_ON and not self.versions[p.version_id].retracted
            for p in self.of(case.id, "referral")
        )

    # moving

    def _move(self, act: Act, made: dict[str, Any]) -> Done:
        p = self.passed[act.on]
        case = self.cases[p.case]
        from_, to, by, tells, told_as = TABLE[p.kind][act.event]
        versioned = act.event not in UNVERSIONED
        if versioned and act.seen is None:
            raise Refused(428)
        if act.who not in (p.sender, p.receiver):
            raise Refused(409 if p.kind == "referral" and act.who == case.lead else 404)
        party = "sender" if act.who == p.sender else "receiver"
        if p.state not in from_ or by not in (party, "either"):
            raise Refused(409)
        if (act.event == "confirm_error" and not p.error_reported) or (
            act.event == "handover_paper" and p.paper != "pending"
        ):
            raise Refused(409)
        if versioned and act.seen != p.version:
            raise Refused(412)
        if act.facts.get("wrong_digest"):
            raise Refused(409)
        if to is not None and act.said is not None and act.said < p.last:
            raise Refused(409)
        if act.event == "accept" and self._barred(p, act.facts.get("point")):
            raise Refused(409)

        done = Done(log=[f"{p.kind}:{act.event}"])
        if to == PREVIOUS:
            p.state, p.before = p.before, ""
        elif to is not None:
            p.before = p.state if act.event == "request_cancel" else ""
            p.state = to
        p.version += versioned
        if to is not None:
            p.last = max(p.last, act.said or made["at"])
            if act.event not in ("acknowledge", "request_info", "provide_info"):
                p.warned = None
        p.started |= act.event == "start"
        p.error_reported |= act.event == "report_error"
        p.cancel_asked = made["at"] if act.event == "request_cancel" else p.cancel_asked
        if act.event in ("amend", "provide_info"):
            p.version_id, p.onward, p.rests_on = made["version_id"], False, None
            self.versions[p.version_id] = Version(p.case, act.who, p.need)
        if act.event == "handover_paper":
            p.paper = "issued"

        other = p.receiver if party == "sender" else p.sender
        named = {"sender": p.sender, "receiver": p.receiver, "lead": case.lead, "other": other}
        done.tells |= {(named[each], f"{p.kind}.{told_as}") for each in tells if each in named}
        if act.event == "record_service" and p.sender == "police":  # learns state, arrival and end, no more
            done.tells.clear()
        if act.event == "accept":
            p.accepted, p.point = True, act.facts.get("point")
            for sibling in self._siblings(p):
                sibling.state, sibling.version = "recalled", sibling.version + 1
                done.tells.add((sibling.receiver, "referral.recalled"))
        if act.event == "confirm_handover":
            p.paper = act.facts["paper"]
            done.tells |= self._lead_moves(case, p.sender, p.receiver)
        if "partners" in tells:
            done.tells |= {
                (r.receiver, PARTNERS_LEARN[act.event])
                for r in self.of(p.case, "referral")
                if r.open and r.receiver not in (p.sender, p.receiver)
            }
        if (
            p.kind == "referral"
            and p.urgency == "immediate"
            and p.state in ("declined", "recalled", "entered_in_error")
        ):
            unanswered = act.event in ("decline", "recall", "enter_in_error")
            more = any(r.open and r.urgency == "immediate" for r in self.of(p.case, "referral"))
            if unanswered and not more and case.state != "closed":
                done.tells |= {(case.lead, "case.unattended"), (self.DESK, "case.unattended")}
        return done

    def _siblings(self, p: Passed) -> list[Passed]:
        return [
            s for s in self.passed.values()
            if p.group and (s.group, s.case, s.sender) == (p.group, p.case, p.sender) and s is not p and s.state in UNANSWERED
        ]  # fmt: skip

    def _barred(self, p: Passed, point: str | None) -> bool:
        """Whether somebody suspected of harm, or harmed, is where this person would come to, or may be."""
        harm = [k for k in self.links.values() if k.kind == "suspected_harm" and k.state in ("proposed", "confirmed")]
        others = {
            case for k in harm for case, here in ((k.case, k.other), (k.other, k.case)) if here == p.case
        }  # fmt: skip
        for o in self.passed.values():
            holds = (o.state in WORKED_ON) or (o.state == "completed" and self.cases[o.case].lead == o.receiver)
            if o.kind == "referral":
                holds = o.state in WORKED_ON
            if o.case in others and o.receiver == p.receiver and holds and (point is None or o.point in (None, point)):
                return True
        return False

    def _lead_moves(self, case: Case, old: str, new: str) -> set[tuple[str, str]]:
        tells: set[tuple[str, str]] = set()
        case.leads.append(new)
        case.version += 1
        for r in self.of(case.id, "referral"):
            if r.open and r.receiver == new:
                tells.add((r.sender, "referral.absorbed"))
                r.state, r.version = "absorbed", r.version + 1
            elif r.open and r.sender == old:
                r.sender = new
                if r.rests_on:
                    self.consents[r.rests_on].had_part.add(new)
        for g in self.reassignments.values():
            if g.case == case.id and g.state in ("proposed", "approved"):
                g.state, g.version = "withdrawn", g.version + 1
                tells.add((self.DESK, "case.reassignment_withdrawn"))
        return tells

    # the case

    def _case(self, act: Act, made: dict[str, Any]) -> Done:
        case = self.cases[act.on]
        from_, to = CASE_TABLE[act.event]
        if act.seen is None:
            raise Refused(428)
        if not self.sees(act.who, case):
            raise Refused(404)
        if case.lead != act.who or case.state not in from_:
            raise Refused(409)
        if act.seen != case.version:
            raise Refused(412)
        if act.event == "close" and any(
            p.open and (p.kind == "transfer" or p.urgency == "immediate") for p in self.of(case.id)
        ):
            raise Refused(409)
        case.state, case.version = to, case.version + 1
        done = Done(log=[f"case:{act.event}"])
        if act.event != "follow_up":
            name = {"close": "case.closed", "reopen": "case.reopened"}[act.event]
            done.tells = {(party, name) for party in self.parties(case)}
        if act.facts.get("dead"):
            case.dead = True
            done.tells |= {(party, "case.deceased") for party in self.parties(case)}
        elif act.event == "reopen":
            case.dead = False
        return done

    def _link(self, act: Act, made: dict[str, Any]) -> Done:
        case, other, kind = self.cases[act.on], self.cases[act.facts["other"]], act.facts["kind"]
        if not self.sees(act.who, case):
            raise Refused(404)
        if case.lead != act.who:
            raise Refused(403)
        pair = {case.id, other.id}
        if case.state == "closed" or case is other:
            raise Refused(409)
        if any(
            {k.case, k.other} == pair and k.kind == kind and k.state in ("proposed", "confirmed")
            for k in self.links.values()
        ):
            raise Refused(409)
        state = "confirmed" if other.lead == act.who else "proposed"
        self.links[made["id"]] = Link(case.id, other.id, kind, state)
        return Done({(other.lead, "case.link_proposed")}, ["case:link"])

    def _link_move(self, act: Act, made: dict[str, Any]) -> Done:
        link = self.links[act.on]
        from_, to, by = LINK_TABLE[act.event]
        asks, asked = self.cases[link.case].lead, self.cases[link.other].lead
        if act.seen is None:
            raise Refused(428)
        if act.who not in (asks, asked):
            raise Refused(404)
        if link.state not in from_ or (by == "asked" and act.who != asked):
            raise Refused(409)
        if act.seen != link.version:
            raise Refused(412)
        link.state, link.version = to, link.version + 1
        return Done({(asked if act.who == asks else asks, f"case.link_{to}")}, [f"link:{act.event}"])

    # a lead that is gone

    def _reassign(self, act: Act, made: dict[str, Any]) -> Done:
        case = self.cases[act.on]
        if act.who != self.DESK:
            raise Refused(403)
        if case.state == "closed" or case.lead == act.facts["to"]:
            raise Refused(409)
        if any(g.case == case.id and g.state in ("proposed", "approved") for g in self.reassignments.values()):
            raise Refused(409)
        self.reassignments[made["id"]] = Reassignment(case.id, act.facts["to"], act.facts["person"])
        return Done({(case.lead, "case.reassignment_proposed")}, ["reassignment:propose"])

    def _reassign_move(self, act: Act, made: dict[str, Any]) -> Done:
        g = self.reassignments[act.on]
        case = self.cases[g.case]
        from_, to, by = REASSIGNMENT_TABLE[act.event]
        approved = g.state not in ("proposed",) and (g.state != "withdrawn" or g.version > 2)
        if act.seen is None:
            raise Refused(428)
        if by == "desk" and act.who != self.DESK:
            raise Refused(403)
        may_see = act.who in (self.DESK, case.lead) or (act.who == g.to and approved)
        if not may_see:
            raise Refused(404)
        if g.state not in from_ or (by == "new lead" and act.who != g.to):
            raise Refused(409)
        if act.seen != g.version:
            raise Refused(412)
        if act.event == "approve" and act.facts["person"] == g.by:
            raise Refused(403)
        if case.state == "closed" and act.event in ("approve", "agree"):
            raise Refused(409)
        g.state, g.version = to, g.version + 1
        done = Done(log=[f"reassignment:{act.event}"])
        if act.event == "agree":
            old = case.lead
            for t in self.of(case.id, "transfer"):
                if t.open:
                    t.state, t.version = "aborted" if t.state == "accepted" else "recalled", t.version + 1
                    done.tells.add((t.receiver, f"transfer.{t.state}"))
            done.tells |= self._lead_moves(case, old, g.to)
            done.tells |= {(party, "case.lead_changed") for party in self.parties(case)}
            if made.get("transfer"):
                self.passed[made["transfer"]] = Passed(
                    made["transfer"], "transfer", case.id, old, g.to, "standard", "completed", last=made["at"],
                    respond_by=made["at"], version_id=made["transfer_version"], accepted=True, paper="issued",
                )  # fmt: skip
        told = {"approve": g.to, "agree": self.DESK, "decline": self.DESK, "withdraw": case.lead}[act.event]
        done.tells.add((told, f"case.reassignment_{to}"))
        return done

    # data

    def _withdraw(self, act: Act, made: dict[str, Any]) -> Done:
        consent = self.consents[act.on]
        case = self.cases[consent.case]
        standing = [p for p in self.passed.values() if p.rests_on == act.on and p.state not in CLOSED_BY]
        if act.who not in {consent.author, *case.leads, *(each for p in standing for each in (p.sender, p.receiver))}:
            raise Refused(404)
        cut = consent.sections & (act.facts.get("sections") or consent.sections)
        if not cut:
            raise Refused(409)
        consent.sections -= cut
        return Done({(case.lead, "consent.withdrawn")}, ["consent:withdraw"])

    def _retract(self, act: Act, made: dict[str, Any]) -> Done:
        version = self.versions[act.on]
        if act.who not in (version.author, self.DESK):
            raise Refused(404)
        if version.retracted:
            raise Refused(409)
        version.retracted = True
        return Done({(self.cases[version.case].lead, "record.retracted")}, ["record:retract"])

    # the clock

    def the_clock_did(self, states: dict[str, str], now: datetime) -> None:
        """Follow what the worker ended, if it was allowed to; fail if it ended something else, or left what it had to end."""
        for p in self.passed.values():
            found, dead = states[p.id], self.cases[p.case].dead
            grace = timedelta(hours=24)
            if found != p.state:
                assert not dead, f"a deadline ran after a death: {p}"
                if p.state in UNANSWERED:
                    assert found == "expired", (p, found)
                    assert p.urgency != "immediate", f"an immediate one expired: {p}"
                    assert now + SLACK >= p.respond_by + grace, f"expired before its time: {p}"
                else:
                    assert (p.state, found, p.started) == ("cancel_requested", "cancelled", False), (p, found)
                    assert p.cancel_asked is not None, p
                    assert now + SLACK >= p.cancel_asked + 3 * grace, p
                p.state, p.version = found, p.version + 1
                continue
            if not p.open or dead:
                continue
            if p.state in UNANSWERED and p.urgency != "immediate" and now >= p.respond_by + grace:
                # escalated at the first look, ended at one a day later; a question then takes another day at most
                assert p.warned is None or now < p.warned + 3 * grace, f"silence after the deadline: {p}"
                p.warned = p.warned or now
            if p.state == "cancel_requested" and not p.started and p.cancel_asked and now >= p.cancel_asked + 3 * grace:
                assert p.warned is None or now < p.warned + 2 * grace, f"nobody answered, nothing was cancelled: {p}"
                p.warned = p.warned or now

"""All acts of all cases on one line of time, with the answers between them; and how things must stand at its end.

The line is cut at `SPAN`, which is now: what would come later has not happened yet, so that something is left to do by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any, Final

from app.demo.samples import Sample

SPAN: Final = timedelta(days=63)
"""How far back the demonstration begins."""
_CUT: Final = SPAN - timedelta(hours=3)
"""Before the present day has begun anywhere, so that the end is the same at every hour of the day."""

STARTS: Final[dict[str, int]] = {
    "case-01-fisher-ambon": 0,
    "case-07-myanmar-fisher-benjina": 2,
    "case-04-domestic-worker": 6,
    "case-05-boy-lift-net": 9,
    "case-09-withdrawal": 12,
    "case-06-plantation-family": 16,
    "case-06-plantation-family-others": 16,
    "case-08-miner-disability": 37,
    "case-02-scam-myawaddy": 41,
    "case-03a-scam-group-woman": 51,
    "case-03b-scam-group-apart": 51,
    "case-03c-scam-group-man": 51,
    "case-03c-scam-group-man-others": 51,
    "case-10-breach-and-rectify": 46,
}
"""The day on which each case begins."""

_ANSWERED: Final = {
    "immediate": timedelta(minutes=25),
    "urgent": timedelta(hours=4),
    "standard": timedelta(hours=22),
}
_STARTED: Final = {"immediate": timedelta(hours=1), "urgent": timedelta(hours=20), "standard": timedelta(hours=26)}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_STATE: Final[dict[str, str]] = {
    "receive": "received",
    "accept": "accepted",
    "decline": "declined",
    "recall": "recalled",
    "expire": "expired",
    "start": "in_progress",
    "request_info": "info_requested",
    "provide_info": "received",
    "hold": "on_hold",
    "resume": "in_progress",
    "request_cancel": "cancel_requested",
    "refuse_cancel": "in_progress",
    "confirm_cancel": "cancelled",
    "abort": "aborted",
    "confirm_error": "entered_in_error",
    "reroute": "sent",
    "complete": "completed",
    "fail": "not_completed",
    "confirm_handover": "completed",
}
OPEN: Final = frozenset(
    {"sent", "offered", "received", "info_requested", "accepted", "in_progress", "on_hold", "cancel_requested"}
)
_OVERTAKEN: Final = frozenset({"absorbed", "recalled", "aborted", "cancelled", "entered_in_error"})
"""States in which an act's own steps no longer happen."""
_PLAIN: Final = frozenset({"receive", "accept", "decline", "start", "complete", "fail"})
"""Steps every act has, which an event of a sample puts at another time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody does, at a distance from the demonstration's first midnight (UTC)."""

    at: timedelta
    case: str
    act: int
    """Which of the case's acts it belongs to; of a trial, which of `TRIALS`."""
    event: str
    """What happens: `open`, `send`, `accept`, …, or the kind of an event of the sample."""
    item: int = 0
    """Which of the act's services."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A request the policy must refuse, made before the right one: it shows what no basis can open."""

    case: str
    day: int
    act: Mapping[str, Any]


TRIALS: Final = (
    Trial(
        "case-01-fisher-ambon",
        13,
        {
            "act": "referral",
            "from": "kemensos",
            "to": "polri-polda-maluku",
            "purpose": "identification",
            "urgency": "standard",
            "sections": ["identity", "psychosocial", "needs"],
            "needs": ["legal_aid"],
            "bases": [
                {
                    "kind": "legal_obligation",
                    "sections": ["identity", "psychosocial", "needs"],
                    "legal_basis": {"code": "uu-21-2007", "article": "Pasal 51–53"},
                    "reason": "Penyidik meminta catatan konseling.",
                }
            ],
        },
    ),
    Trial(
        "case-07-myanmar-fisher-benjina",
        28,
        {
            "act": "referral",
            "from": "iom-indonesia",
            "to": "kedubes-myanmar",
            "purpose": "documents",
            "urgency": "standard",
            "sections": ["identity", "migration", "needs"],
            "needs": ["documents"],
            "bases": [
                {
                    "kind": "public_task",
                    "sections": ["identity", "migration", "needs"],
                    "legal_basis": {"code": "uu-21-2007", "article": "Pasal 54"},
                    "reason": "Travel papers, before anybody asked the person.",
                }
            ],
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order; the state in which every act's referral or transfer must end, and who leads every case."""

    steps: tuple[Step, ...]
    states: Mapping[tuple[str, int], str]
    leads: Mapping[str, str]


def plan(samples: Sequence[Sample], zones: Mapping[str, tzinfo]) -> Plan:
    """Put the acts of all samples on one line of time."""
    acts = {sample.id: sample.acts for sample in samples}
    planned = [step for sample in samples for step in _Line(sample, zones).steps()]
    planned += [
        Step(_hour(STARTS[trial.case] + trial.day, 8, zones[trial.act["from"]]), trial.case, index, "trial")
        for index, trial in enumerate(TRIALS)
        if trial.case in acts
    ]
    planned.sort(key=lambda step: step.at)
    return _played(planned, acts)


def opens_inline(acts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the case begins as one request: opened, consented to and referred by one agency on one day."""
    first = acts[:3]
    return (
        [act["act"] for act in first] == ["open", "consent", "referral"]
        and len({(act["day"], act["from"]) for act in first}) == 1
        and all(basis.get("consent") == first[1]["id"] for basis in first[2]["bases"])
    )


def _played(planned: Iterable[Step], acts: Mapping[str, Sequence[Mapping[str, Any]]]) -> Plan:
    """Cut the line, leave out what an absorbed referral would still have done, and follow states and leads to the end."""
    steps: list[Step] = []
    states: dict[tuple[str, int], str] = {}
    leads: dict[str, str] = {}
    for step in planned:
        act = None if step.event == "trial" else acts[step.case][step.act]
        here = (step.case, _subject(acts[step.case], step, act))
        if step.at >= _CUT or (act is not None and act["act"] != "event" and states.get(here) in _OVERTAKEN):
            continue
        steps.append(step)
        if act is None:
            continue
        leads.setdefault(step.case, act["from"])
        if step.event == "send":
            states[here] = "sent" if act["act"] == "referral" else "offered"
        elif step.event in _STATE:
            states[here] = _STATE[step.event]
        if step.event == "accept" and "group" in act:
            for index, other in enumerate(acts[step.case]):
                if index != step.act and other.get("group") == act["group"] and states.get((step.case, index)) in OPEN:
                    states[step.case, index] = "recalled"
        if step.event == "confirm_handover":
            leads[step.case] = act["to"]
            for (case, index), state in list(states.items()):
                other = acts[case][index]
                if case == step.case and other["act"] != "transfer" and other["to"] == act["to"] and state in OPEN:
                    states[case, index] = "absorbed"
    return Plan(tuple(steps), states, leads)


def _subject(acts: Sequence[Mapping[str, Any]], step: Step, act: Mapping[str, Any] | None) -> int:
    """Return which act's referral or transfer a step is about: its own, or the one an event names."""
    if act is None or "about" not in act or step.event == "reroute" or step.event in _PLAIN:
        return step.act
    return next(index for index, other in enumerate(acts) if other.get("name") == act["about"])


def _hour(day: float, hour: float, zone: tzinfo) -> timedelta:
    """Return when it is `hour` o'clock on that day in `zone`."""
    offset = zone.utcoffset(None)
    assert offset is not None
    return timedelta(days=day, hours=hour) - offset


class _Line:
    """Places one case's acts: each at nine in the morning where it is done, or later if something must come first."""

    def __init__(self, sample: Sample, zones: Mapping[str, tzinfo]) -> None:
        self._sample = sample
        self._zones = zones
        self._day = STARTS[sample.id]
        self._leads_from: dict[str, timedelta] = {}

    def steps(self) -> list[Step]:
        """Return the steps, act by act."""
        found: list[Step] = []
        free = timedelta(days=-1)
        inline = opens_inline(self._sample.acts)
        for index, act in enumerate(self._sample.acts):
            at = max(_hour(self._day + act["day"], act.get("hour", 9), self._zones[act["from"]]), free)
            if act["act"] != "event" and act["from"] in self._leads_from:
                at = max(at, self._leads_from[act["from"]] + 30 * _MINUTE)
            free = at + (5 if act["act"] == "event" or act.get("group") else 40) * _MINUTE
            match act["act"]:
                case "open":
                    self._leads_from[act["from"]] = at - 30 * _MINUTE
                    found += [] if inline else [self._step(at, index, "open")]
                case "consent":
                    found += [] if inline and index == 1 else [self._step(at, index, "consent")]
                case "event":
                    plain = act["kind"] in _PLAIN
                    found.append(self._step(at, self._sample.place_of(act["about"]) if plain else index, act["kind"]))
                case _:
                    found.append(self._step(at, index, "send"))
                    found += self._answered(at, index, act)
        return found

    def _step(self, at: timedelta, index: int, event: str, item: int = 0) -> Step:
        return Step(at, self._sample.id, index, event, item)

    def _answered(self, at: timedelta, index: int, act: Mapping[str, Any]) -> list[Step]:
        if act["answer"] == "none":
            if act["then"] == "events":
                return []
            if act["then"] == "recall":
                return [self._step(at + 23 * _HOUR, index, "recall")]
            return [self._step(at + 8 * _DAY + 7 * _HOUR, index, "expire")]
        answer = _ANSWERED[act["urgency"]]
        if "answered_after_hours" in act:
            answer = timedelta(hours=act["answered_after_hours"]) - 5 * _MINUTE
        receive, answered = at + answer / 2, at + answer
        steps = [] if act.get("silent") else [self._step(receive, index, "receive")]
        if act["answer"] == "declined":
            return [*steps, self._step(answered, index, "decline")]
        steps.append(self._step(answered, index, "accept"))
        if act["act"] == "transfer" and "handover" not in act:
            return steps
        return steps + (
            self._handed_over(at, answered, index, act)
            if act["act"] == "transfer"
            else self._worked_on(at, answered, index, act)
        )

    def _handed_over(self, at: timedelta, accepted: timedelta, index: int, act: Mapping[str, Any]) -> list[Step]:
        arrives = _hour(self._day + act["day"] + act["handover"]["after_days"], 8, self._zones[act["to"]])
        confirmed = max(arrives, accepted + (30 * _MINUTE if act["handover"]["after_days"] else _HOUR))
        self._leads_from[act["to"]] = confirmed
        return [self._step(confirmed, index, "confirm_handover")]

    def _worked_on(self, at: timedelta, accepted: timedelta, index: int, act: Mapping[str, Any]) -> list[Step]:
        given = [at + timedelta(days=service["after_days"], hours=2) for service in act.get("services", ())]
        started = max(
            accepted + 15 * _MINUTE, min([accepted + _STARTED[act["urgency"]], *(each - _HOUR for each in given)])
        )
        steps = [self._step(started, index, "start")]
        for item, when in enumerate(given):
            steps.append(self._step(max(when, steps[-1].at + 20 * _MINUTE), index, "service", item))
        ends: str | None = None
        if "completed_after_days" in act:
            ends, after = "complete", act["completed_after_days"]
        elif "not_completed" in act:
            ends, after = "fail", act["not_completed"]["after_days"]
        if ends is not None:
            steps.append(self._step(max(at + timedelta(days=after, hours=3), steps[-1].at + _HOUR), index, ends))
        return steps

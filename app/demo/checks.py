"""Whether everything stands as it must at the end, asked of the exchange itself."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

from app.demo.plan import Plan
from app.demo.play import Player
from app.demo.runs import Passed, Run
from app.demo.settling import DESK
from app.demo.systems import PAGE, System

Document = dict[str, Any]

_WAITS: Final = {
    ("referral", "sent"): "answer",
    ("referral", "received"): "answer",
    ("referral", "info_requested"): "give_information",
    ("referral", "accepted"): "start",
    ("referral", "cancel_requested"): "answer_cancellation",
    ("transfer", "offered"): "answer",
    ("transfer", "received"): "answer",
    ("transfer", "accepted"): "confirm_handover",
}
"""What waits for somebody in each state; at the end nobody owes a paper, an answer about data, or anything that is late."""


class Checks:
    """Asks and compares; `wrong` holds a sentence for each difference."""

    def __init__(self, player: Player, plan: Plan, systems: Mapping[str, System]) -> None:
        self._player = player
        self._plan = plan
        self._systems = systems
        self.wrong: list[str] = []
        self.read: dict[str, Document] = {}
        """What each receiver reads at the end, by the id of the referral or transfer."""
        self.events: Counter[str] = Counter()
        """The events of this run's cases, by type."""
        self.waiting: dict[str, str] = {}
        """What waits for each agency for which something waits."""

    async def run(self) -> None:
        """Check everything."""
        for run in self._player.all_runs():
            await self._lead(run)
            for act, each in run.passed.items():
                await self._ended(run, act, each)
        await self._feeds()
        await self._inboxes()
        await self._strangers()

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)

    async def _lead(self, run: Run) -> None:
        expected = self._plan.leads[run.sample.id]
        found = await self._systems[expected].get(f"/v1/cases/{run.case_id}")
        lead = found["lead"]["code"]
        self._check(lead == expected, f"{run.reference}: {lead} leads it, not {expected}")
        self._check(found["state"] == run.state, f"{run.reference}: it is {found['state']}, not {run.state}")
        now = [each["agency"]["code"] for each in found["leads"] if each["until"] is None]
        self._check(now == [expected], f"{run.reference}: its leads at this time are {now}")

    async def _ended(self, run: Run, act: int, each: Passed) -> None:
        expected = self._plan.states[run.sample.id, act]
        found = self.read[each.id] = await self._systems[each.receiver].get(each.path)
        state = found["state"]
        self._check(state == expected, f"{each.reference}: it is {state}, not {expected}")
        self._check(each.state == state, f"{each.reference}: whoever played it takes it for {each.state}")
        sender = found["sender"]["code"]
        self._check(sender == each.sender, f"{each.reference}: its sender is {sender}, not {each.sender}")
        # a vital interest opens for three days, and the story is weeks long
        lapsed = all(each["access"] in ("ended", "locked") for each in found["disclosures"])
        unseen = (
            lapsed or found["accepted_at"] is None or state in ("declined", "cancelled", "aborted", "entered_in_error")
        )
        self._check(
            (found["record"] is None) == unseen,
            f"{each.reference}: {each.receiver} reads a record it should not, or none",
        )

    async def _feeds(self) -> None:
        """Every feed is dense from its beginning, and told every receiver of what was sent to it."""
        ours = {each.id: each for run in self._player.all_runs() for each in run.passed.values()}
        cases = {run.case_id for run in self._player.all_runs()}
        first: defaultdict[str, set[str]] = defaultdict(set)
        for code, system in self._systems.items():
            whole: list[Document] = []
            while True:
                page = await system.get(f"/v1/events?after={len(whole)}&limit={PAGE}")
                whole += page["items"]
                if len(page["items"]) < PAGE:
                    break
            positions = [event["position"] for event in whole]
            self._check(positions == list(range(1, len(whole) + 1)), f"{code}: its feed has a gap or a repetition")
            self._check(
                len({event["id"] for event in whole}) == len(whole), f"{code}: an event stands twice in its feed"
            )
            followed = {event["id"] for event in system.events}
            self._check(followed <= {event["id"] for event in whole}, f"{code}: its feed has changed behind it")
            for event in whole:
                if event["case_id"] in cases:
                    self.events[event["type"]] += 1
                if event["type"] in ("referral.sent", "transfer.offered") and event["subject_id"] in ours:
                    first[code].add(event["subject_id"])
        for subject, each in ours.items():
            self._check(subject in first[each.receiver], f"{each.reference}: no event told {each.receiver} of it")

    async def _inboxes(self) -> None:
        """Each agency's work list holds exactly what waits for it, and nothing late is without somebody who sees to it."""
        runs = {run.case_id: run for run in self._player.all_runs()}
        expected: Counter[tuple[str, str, str]] = Counter()
        for run in runs.values():
            for act, each in run.passed.items():
                state = self._plan.states[run.sample.id, act]
                kind = _WAITS.get((each.kind, state))
                if kind is not None:
                    expected[each.sender if kind == "give_information" else each.receiver, kind, each.id] += 1
        found: Counter[tuple[str, str, str]] = Counter()
        for code, system in self._systems.items():
            for item in await self._all(system, "/v1/inbox?limit=200"):
                early = item["kind"] == "continue" and item["clock"] == "due"  # a reminder, and no fault yet
                if item["kind"] == "read_notes":
                    await self._read_notes(system, f"/v1/{item['subject']}s/{item['id']}/notes")
                elif item["case_id"] in runs and not early:
                    found[code, item["kind"], item["id"]] += 1
            counts = (await system.get("/v1/inbox/counts"))["counts"]
            said = [
                f"{kind} {each['waiting']}" + (f" ({each['overdue']} overdue)" if each["overdue"] else "")
                for kind, each in counts.items()
                if each["waiting"]
            ]
            if said:
                self.waiting[code] = ", ".join(said)
            unseen = [
                each
                for each in (await self._all(system, "/v1/escalations?state=open&limit=200"))
                if each["case_id"] in runs
            ]
            self._check(not unseen, f"{code}: nobody sees to {[each['reference'] for each in unseen]}")
        for code, kind, id in (found - expected) + (expected - found):
            where = "stands" if found[code, kind, id] else "does not stand"
            self._check(False, f"{code}: {kind} of {id} {where} in its inbox")

    async def _read_notes(self, system: System, path: str) -> None:
        """Read the notes that wait, as somebody at the agency does at the end, and see that they wait no more."""
        notes = await system.get(path)
        while notes["next"]:
            notes = await system.get(notes["next"])
        self._check(notes["unread"] > 0, f"{system.code}: no note is unread of those that wait")
        marked = await system.attempt("PUT", f"{path}/read", {"through": notes["items"][-1]["id"]})
        self._check(marked.status_code == 204, f"{system.code}: notes cannot be marked as read ({marked.status_code})")
        self._check((await system.get(path))["unread"] == 0, f"{system.code}: a note is unread after all were read")

    async def _all(self, system: System, path: str) -> list[Document]:
        whole: list[Document] = []
        following: str | None = path
        while following:
            page = await system.get(following)
            whole += page["items"]
            following = page["next"]
        return whole

    async def _strangers(self) -> None:
        """Who is no party to a case finds nothing there."""
        for run in random.sample(self._player.all_runs(), 3):
            involved = {act[end] for act in run.sample.acts for end in ("from", "to", "via") if end in act} | {DESK}
            code = random.choice(sorted(set(self._systems) - involved))  # noqa: S311 -- no secret
            each = random.choice(list(run.passed.values()))  # noqa: S311
            for path in (each.path, f"/v1/cases/{run.case_id}"):
                reply = await self._systems[code].attempt("GET", path)
                self._check(
                    reply.status_code == 404, f"{path}: {code} is no party and was answered {reply.status_code}"
                )

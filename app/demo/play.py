"""Plays the plan: moves the clock, lets the deadlines pass, does each step, and follows the news of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from app.demo.acts import Acts
from app.demo.plan import Plan, Step
from app.demo.runs import Run, Told
from app.demo.samples import Sample
from app.demo.screen import Screen
from app.demo.settling import DESK
from app.demo.systems import System
from app.foundation.clock import Clock
from app.worker import Job, Worker

_SHORT_HOP: Final = timedelta(minutes=15)
_HOP: Final = timedelta(hours=3)
"""No jump is longer, so that every deadline is looked at about when it comes."""
_BY_THE_CLOCK: Final = ("reminder", "overdue", "expired", "escalation.opened")
_SHOWN_PREVIEW: Final = ("case-01-fisher-ambon", 1)
_SHOWN_WARNINGS: Final = ("case-04-domestic-worker", 1)


class HandWorker(Worker):
    """Does its jobs when it is told to, so that they fall where the plan has them."""

    def jobs(self) -> list[Job]:
        """Return nothing to repeat."""
        return []

    async def catch_up(self) -> bool:
        """Watch the deadlines and what they escalated until none is due, and put every event in its feed; say whether any was due."""
        due = False
        while await self.watch_deadlines() or await self.climb_escalations():
            due = True
        while await self.sequence_events():
            pass
        return due


class Player:
    """Plays all cases, on one clock."""

    def __init__(
        self,
        samples: Sequence[Sample],
        systems: Mapping[str, System],
        clock: Clock,
        worker: HandWorker,
        screen: Screen,
        first_day: datetime,
    ) -> None:
        self.samples = {sample.id: sample for sample in samples}
        self.runs = {
            sample.id: [Run(sample, person, place) for place, person in enumerate(sample.people, start=1)]
            for sample in samples
        }
        self.acts = Acts(systems, clock, self.runs)
        self._systems = systems
        self._clock = clock
        self._worker = worker
        self._screen = screen
        self._first_day = first_day
        self._headed: set[str] = set()

    def all_runs(self) -> list[Run]:
        """Return every person's case."""
        return [run for runs in self.runs.values() for run in runs]

    async def play(self, plan: Plan) -> None:
        """Do every step of the plan, in order."""
        for step in plan.steps:
            await self.advance(self._first_day + step.at)
            await self._perform(step)

    async def advance(self, to: datetime) -> None:
        """Move the clock on in hops, and tell what the deadlines did meanwhile. Never back."""
        while (left := to - self._clock.now()) > timedelta():
            haste = any(each.waits_at_once for run in self.all_runs() for each in run.passed.values())
            self._clock.shift(min(left, _SHORT_HOP if haste else _HOP))
            await self._let_deadlines_pass()

    async def _let_deadlines_pass(self) -> None:
        if await self._worker.catch_up():
            self._tell_of_the_clock(await self.follow(_parties(self.all_runs()) | {DESK}))

    async def follow(self, codes: Iterable[str]) -> list[tuple[System, dict[str, Any]]]:
        """Let agencies read their feeds, and return what is new to each."""
        found = []
        for code in sorted(codes):
            system = self._systems[code]
            found += [(system, event) for event in await system.news()]
        return found

    async def _perform(self, step: Step) -> None:
        runs = self.runs[step.case]
        if step.case not in self._headed:
            self._headed.add(step.case)
            sample = self.samples[step.case]
            self._screen.heading(f"Case {sample.number}: {sample.title}")
        await self._let_deadlines_pass()
        for run in runs:
            told = await self.acts.do(run, step)
        due = await self._worker.catch_up()
        concerned = told.concerns | (_parties(self.all_runs()) | {DESK} if due else _parties(runs))
        news = await self.follow(concerned if due else concerned - {told.by})
        reached = {system.name for system, event in news if not event["type"].endswith(_BY_THE_CLOCK)}
        first_preview = (step.case, step.act) == _SHOWN_PREVIEW and told.preview is not None
        if step.event != "receive" or first_preview:
            self._show(told, runs, sorted(reached))
        self._tell_of_the_clock(news)
        if first_preview and told.preview:
            self._screen.preview(self._systems[told.by].name, told.preview)
        if told.refused:
            self._screen.refused(told.refused)
        if (step.case, step.act) == _SHOWN_WARNINGS and told.warnings:
            self._screen.warnings(self._systems[told.by].name, told.warnings)

    def _show(self, told: Told, runs: Sequence[Run], reached: Sequence[str]) -> None:
        several = f" (for each of the {len(runs)})" if len(runs) > 1 else ""
        self._screen.line(
            self._clock.now(),
            self._systems[told.by].zone,
            runs[0].sample.number,
            told.reference if len(runs) == 1 else f"{len(runs)} cases",
            told.text + several,
            style=told.style,
            news=reached,
        )

    def _tell_of_the_clock(self, news: Iterable[tuple[System, dict[str, Any]]]) -> None:
        """Write a line for each reminder, each deadline passed and each agency asked to see to it; an expiry has its own step."""
        cases = {run.case_id: run for run in self.all_runs()}
        told: set[tuple[str, str, str]] = set()
        for system, event in news:
            said = _SAID.get(event["type"]) or _SAID.get(event["type"].rsplit(".", 1)[-1])
            run = cases.get(event["case_id"])
            if said is None or run is None or event["type"] == "escalation.reminder":
                continue
            key = (system.code, run.sample.id, event["type"])
            if key in told:
                continue  # the same for each of a group
            told.add(key)
            each = next((one for one in run.passed.values() if one.id == event["subject_id"]), run)
            self._screen.line(
                datetime.fromisoformat(event["time"]),
                system.zone,
                run.sample.number,
                each.reference,
                f"the clock: {system.name} {said} ({event['subject']} {event['state']})",
                style="italic magenta" if event["subject"] == "escalation" else "dim italic",
            )


_SAID: Final = {
    "reminder": "is reminded",
    "overdue": "hears that a deadline has passed",
    "escalation.opened": "is asked to see to what is late",
}


def _parties(runs: Iterable[Run]) -> set[str]:
    return {code for run in runs for code in run.parties()}

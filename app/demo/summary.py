"""What came of it all, in three tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from app.demo.checks import Checks
from app.demo.plan import OPEN
from app.demo.play import Player
from app.demo.runs import Run
from app.demo.screen import Screen
from app.demo.systems import System
from app.demo.words import codes, law, named, short


def summarise(screen: Screen, player: Player, checks: Checks, systems: Mapping[str, System]) -> None:
    """Show the cases, what was disclosed to whom, and the news there was."""
    screen.heading("What came of it")
    rows = [_case(runs, systems) for runs in player.runs.values()]
    screen.table("Cases", ("Case", "Reference", "About", "Lead now", "Referrals and transfers", "Open"), rows)
    screen.table(
        "What was disclosed to whom", ("Agency", "For", "Sections", "On the basis of", "Times"), _disclosed(checks)
    )
    screen.table(
        f"Events: {sum(checks.events.values())}",
        ("Type", "How many"),
        [(kind, str(count)) for kind, count in sorted(checks.events.items())],
    )
    screen.table(
        "What waits for whom",
        ("Agency", "Waiting"),
        [(systems[code].name, said) for code, said in sorted(checks.waiting.items())],
    )
    screen.say(_NOT_PLAYED, "dim")


_NOT_PLAYED: Final = "Served, and not played here: sealed sections, files, webhooks, what persons ask about their data."


def _case(runs: list[Run], systems: Mapping[str, System]) -> tuple[str, ...]:
    run = runs[0]
    states = []
    for kind in ("referral", "transfer"):
        counted = Counter(each.state for each in run.passed.values() if each.kind == kind)
        if counted:
            states.append(f"{kind}s: " + ", ".join(f"{count} {state}" for state, count in counted.items()))
    waiting = [
        f"{each.reference} ({each.state}) at {systems[each.receiver].name}"
        for each in run.passed.values()
        if each.state in OPEN
    ]
    return (
        run.sample.number,
        run.reference if len(runs) == 1 else f"{len(runs)} cases",
        run.sample.title,
        systems[run.lead].name,
        "; ".join(states),
        "; ".join(waiting) or "–",
    )


def _disclosed(checks: Checks) -> list[tuple[str, ...]]:
    """Return the bases that opened something, counted where several people's cases have the same."""
    found: Counter[tuple[str, ...]] = Counter()
    for document in checks.read.values():
        for basis in document["disclosures"]:
            if basis["access"] != "full":
                continue
            said = codes("disclosure_basis", [basis["basis"]])
            if basis["legal_basis"]:
                said = f"{said}: {law(basis['legal_basis'], basis['article'])}"
            found[
                short(document["receiver"]["name"]),
                codes("purpose", [document["purpose"]]),
                named(basis["sections"]),
                said,
            ] += 1
    return [(*row, str(count)) for row, count in sorted(found.items())]

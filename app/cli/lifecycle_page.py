"""`docs/lifecycle.md`, made from the three tables of moves."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import Final

from fastapi.routing import iter_route_contexts

from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import PREVIOUS, REMIND_AT, Deadline, Lifecycle, Move, Party, Tell
from app.exchange.links.lifecycle import LINK
from app.exchange.reassignments.lifecycle import REASSIGNMENT
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.settings import Settings
from app.main import create_app
from schemas.codes.referral import Urgency

LIFECYCLES: Final = (CASE, REFERRAL, TRANSFER, LINK, REASSIGNMENT)
_ROOTS: Final = {"link": "/v1/case-links"}
"""Addresses, where they are not the plural of the name."""
_ELSEWHERE: Final = {("case", "reassign_lead"): "/v1/reassignments", ("link", "propose"): "/v1/cases/{id}/links"}
"""Moves that begin something with an address of its own."""

INTRODUCTION: Final = """\
# How a case, a referral and a transfer live

Each is a state machine, written as one table in the code: [cases](../app/exchange/cases/lifecycle.py),
[referrals](../app/exchange/referrals/lifecycle.py), [transfers](../app/exchange/transfers/lifecycle.py), and what cases may need besides:
[links](../app/exchange/links/lifecycle.py), [reassignments](../app/exchange/reassignments/lifecycle.py) of a lead that is gone. What is in no
row is refused: 409, with the state, the version and the moves open to the caller now (`moves`, also given with every read).

*If-Match*: the move says on which version it was decided; without it the answer is 428, with a stale one 412, and nothing is done. Every move may
say when it happened (`occurred_at`) and by which channel.

This page is made from the code: `rujukan lifecycle --markdown > docs/lifecycle.md`.
"""

RECEIVER: Final = """\
## What a receiver sees, when

| access | from | what |
|---|---|---|
| preview | sending | coded fields only, enough to say yes or no: needs, age band, sex, languages, region to the regency, care tonight, flags that bind a shelter; no name, no free text |
| full | {opens} | every section sent that its basis, the purpose and the kind of agency allow |
| locked | {locks}; a basis withdrawn | that a section is locked, not what it holds |
| closed | {closes} | the envelope and the receiver's own entries |

A basis that runs out ends what rested on it, whatever the state. A new version of the record (`amend`) takes the earlier one's place. Back to the sender flows what
[the policy](../app/policy/table.py) allows its kind of agency: police, prosecutors, immigration and foreign missions learn the state, the
arrival and the end.
"""  # noqa: E501 -- a row of a table cannot be broken

QUESTION: Final = """\
A question pauses the deadline to answer, for `RUJUKAN_INFO_PAUSE_AT_MOST` in all, and never that of an immediate one.
"""

PARTIES: Final[dict[Party, str]] = {
    Party.SENDER: "sender",
    Party.RECEIVER: "receiver",
    Party.EITHER: "sender or receiver",
    Party.LEAD: "lead",
    Party.EARLIER_LEAD: "last lead",
    Party.DESK: "the ministry's desk",
    Party.CLOCK: "the clock",
    Party.SYSTEM: "the exchange",
    Party.ANYONE: "any agency",
}
TOLD: Final[dict[Tell, str]] = {
    Tell.SENDER: "sender",
    Tell.RECEIVER: "receiver",
    Tell.LEAD: "lead",
    Tell.EARLIER_LEAD: "earlier lead",
    Tell.PARTNERS: "receivers of the case's open referrals",
    Tell.SIBLINGS: "others asked in the same offer",
    Tell.OTHER: "the other party",
    Tell.OTHER_LEAD: "the other case's lead",
    Tell.DUTY_CONTACTS: "duty contacts",
    Tell.PARTIES: "all parties",
    Tell.READERS: "all who read it",
}
AT_DEADLINE: Final[dict[str, tuple[str, str]]] = {
    "answer": (
        "escalates",
        "immediate: stays overdue, a late answer still counts; urgent: extended once, then expires; standard: expires after"
        " `RUJUKAN_EXPIRE_AFTER_ESCALATION`",
    ),
    "escalate": ("escalates", "repeats after as long again; never ends by itself"),
    "cancel": ("is cancelled if nothing was started, else escalates", "repeats after as long again"),
}
"""By what a deadline does: what happens at it, and what after."""


def lifecycle_page() -> str:
    """Return `docs/lifecycle.md`."""
    paths = _paths()
    parts = [INTRODUCTION, *(_chapter(lifecycle, paths) for lifecycle in LIFECYCLES), _access()]
    return "\n".join(parts)


def _chapter(lifecycle: Lifecycle, paths: dict[tuple[str, str], str]) -> str:
    parts = [
        f"## {lifecycle.name.capitalize()}\n",
        f"{_rules(lifecycle)}\n",
        f"```mermaid\n{diagram(lifecycle)}```\n",
        *_unchanging(lifecycle),
        moves_table(lifecycle, paths),
        *_clock(lifecycle),
    ]
    return "\n".join(parts)


def _rules(lifecycle: Lifecycle) -> str:
    """The rules in words: the docstring of the table's module."""
    module = importlib.import_module(f"app.exchange.{lifecycle.name}s.lifecycle")
    return inspect.cleandoc(module.__doc__ or "")


def arrows(lifecycle: Lifecycle) -> dict[tuple[str, str], list[str]]:
    """Return the events that lead from one state to another, by both; `[*]` is where all begins."""
    found: dict[tuple[str, str], list[str]] = {}
    for move in lifecycle.moves:
        for start in move.from_states or ("[*]",):
            for end in _ends(lifecycle, move):
                if start != end:
                    found.setdefault((start, end), []).append(move.event)
    return found


def _ends(lifecycle: Lifecycle, move: Move) -> Iterable[str]:
    if move.to is None:
        return ()
    if move.to != PREVIOUS:
        return (move.to,)
    return dict.fromkeys(
        state for other in lifecycle.moves if other.to in move.from_states for state in other.from_states
    )


def diagram(lifecycle: Lifecycle) -> str:
    """Return the states and what leads from one to another, as a Mermaid diagram."""
    lines = [f"    {start} --> {end}: {', '.join(events)}\n" for (start, end), events in arrows(lifecycle).items()]
    ends = [f"    {state} --> [*]\n" for state in lifecycle.final_states]
    return "".join(("stateDiagram-v2\n", *lines, *ends))


def _unchanging(lifecycle: Lifecycle) -> Iterator[str]:
    still = [move for move in lifecycle.moves if move.to is None or move.from_states == (move.to,)]
    if still:
        named = ", ".join(f"`{move.event}` ({_states(lifecycle, move.from_states)})" for move in still)
        yield f"Without a change of state: {named}.\n"


def _states(lifecycle: Lifecycle, states: tuple[str, ...]) -> str:
    if set(states) == set(lifecycle.open_states):
        return "any open state"
    return ", ".join(f"`{state}`" for state in states) or "–"


def moves_table(lifecycle: Lifecycle, paths: dict[tuple[str, str], str]) -> str:
    """Return the table of moves, with the path of each one's endpoint."""
    lines = ["| event | from | to | who | needs | tells | If-Match | access | endpoint |\n", f"|{'---|' * 9}\n"]
    for move in lifecycle.moves:
        cells = (
            f"`{move.event}`",
            _states(lifecycle, move.from_states),
            {None: "no change", PREVIOUS: "the state before"}.get(move.to, f"`{move.to}`"),
            PARTIES[move.by],
            ", ".join(move.needs) or "–",
            ", ".join(TOLD[tell] for tell in move.tells) or "–",
            "yes" if move.versioned and move.from_states and (lifecycle.name, move.event) in paths else "–",
            move.access or "–",
            _endpoint(lifecycle, move, paths),
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def _endpoint(lifecycle: Lifecycle, move: Move, paths: dict[tuple[str, str], str]) -> str:
    found = paths.get((lifecycle.name, move.event))
    return "–" if found is None else f"`POST {found}`"


@cache
def _paths() -> dict[tuple[str, str], str]:
    """Return the path of each move's endpoint, as the API has it."""
    routes = iter_route_contexts(create_app(Settings.model_construct()).routes)
    served = {re.sub(r"{\w+}", "{id}", str(route.path)) for route in routes if "POST" in (route.methods or ())}
    found: dict[tuple[str, str], str] = {}
    for lifecycle in LIFECYCLES:
        root = _ROOTS.get(lifecycle.name, f"/v1/{lifecycle.name}s")
        for move in lifecycle.moves:
            below = [f"{root}/{{id}}/{name}" for name in _names(move.event)] if move.from_states else [root]
            for path in (_ELSEWHERE.get((lifecycle.name, move.event)), *below):
                if path in served:
                    found[lifecycle.name, move.event] = path
                    break
    return found


def _names(event: str) -> tuple[str, ...]:
    """What the last part of its path may be: the event, or what it adds to (`notes`, `services`)."""
    hyphened = event.replace("_", "-")
    return hyphened, f"{hyphened}s", f"{hyphened.rsplit('-', 1)[-1]}s"


def _clock(lifecycle: Lifecycle) -> Iterator[str]:
    rows = [row for row in lifecycle.deadlines if row.at_deadline != "none"]
    if lifecycle.deadlines and not rows:
        yield "No clock: it lasts as long as help does; the clock watches its referrals and transfers.\n"
    if not rows:
        return
    lines = ["| state | deadline | before | at the deadline | after |\n", f"|{'---|' * 5}\n"]
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        before = f"reminds when {REMIND_AT:.0%} of it has passed" if row.remind else "–"
        cells = ("; ".join(_lengths(row)), before, *AT_DEADLINE[row.at_deadline])
        pending = " while its paper is pending" if row.state in lifecycle.final_states else ""
        alike.setdefault(cells, []).append(f"`{row.state}`{pending}")
    lines += [f"| {' | '.join((', '.join(states), *cells))} |\n" for cells, states in alike.items()]
    yield "".join(lines)
    if lifecycle.deadline("info_requested") is not None:
        yield QUESTION


def _lengths(row: Deadline) -> Iterator[str]:
    for urgency in (each.value for each in Urgency) if row.by_urgency else ("",):
        name = row.setting + urgency
        length: timedelta = Settings.model_fields[name].default
        said = f"{urgency} {in_words(length)}" if urgency else in_words(length)
        yield f"{said} (`RUJUKAN_{name.upper()}`)"


def in_words(length: timedelta) -> str:
    """Return a length of time as people write it: `4 h`, `7 d`."""
    minutes = int(length.total_seconds() // 60)
    if minutes % 1440 == 0 and minutes > 2880:
        return f"{minutes // 1440} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _access() -> str:
    by_access: dict[str, list[str]] = {}
    for lifecycle in (REFERRAL, TRANSFER):
        for move in lifecycle.moves:
            if move.access is not None and move.event not in by_access.setdefault(move.access, []):
                by_access[move.access].append(move.event)
    return RECEIVER.format(
        **{access: ", ".join(f"`{event}`" for event in events) for access, events in by_access.items()}
    )

"""The engine under every state machine: a table of moves, and what can be read from it.

A domain's `lifecycle.py` holds one `Lifecycle`, written as a table. The checks of the service, the parameters of the SQL function
`apply_move`, the `moves` in every answer, the clock and the tests are all made from its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final, Literal

PREVIOUS: Final = "(previous)"
"""As a target: the state before this one."""


class Party(StrEnum):
    """Who may make a move."""

    SENDER = "sender"
    RECEIVER = "receiver"
    EITHER = "either"
    LEAD = "lead"
    EARLIER_LEAD = "earlier_lead"
    DESK = "desk"
    CLOCK = "clock"
    SYSTEM = "system"
    ANYONE = "anyone"


class Tell(StrEnum):
    """Who learns of a move, by an event."""

    SENDER = "sender"
    RECEIVER = "receiver"
    LEAD = "lead"
    EARLIER_LEAD = "earlier_lead"
    PARTNERS = "partners"
    SIBLINGS = "siblings"
    OTHER = "other"
    OTHER_LEAD = "other_lead"
    DUTY_CONTACTS = "duty_contacts"
    PARTIES = "parties"
    READERS = "readers"


class Need(StrEnum):
    """What a move must bring."""

    BASES = "bases"
    RECORD = "record"
    QUESTION = "question"
    ANSWER = "answer"
    WHERE_AND_WHEN = "where and when"
    MANIFEST = "manifest"
    MANIFEST_DIGEST = "manifest digest"
    CODED_REASON = "coded reason"
    REASON = "reason"
    SERVICE = "service"
    REVIEW_DATE = "review date"
    OUTCOME_PER_NEED = "outcome of each need"
    PAPER = "paper"
    TEXT = "text"
    PLAN = "plan and end date"
    OTHER_CASE = "other case"
    ERROR_REPORTED = "an error reported by the sender"
    PAPER_PENDING = "a pending paper"
    DEATH_RECORDED = "a recorded death"
    TWO_PEOPLE = "two people"


CONDITIONS: Final = frozenset({Need.ERROR_REPORTED, Need.PAPER_PENDING, Need.DEATH_RECORDED})
"""Needs that the row itself must meet, not the request."""

Access = Literal["opens", "closes", "locks"]


@dataclass(frozen=True, slots=True)
class Move:
    """One row: an event, where it leads from and to, who may make it, what it needs, whom it tells."""

    event: str
    from_states: tuple[str, ...]
    to: str | None
    by: Party
    needs: tuple[Need, ...] = ()
    tells: tuple[Tell, ...] = ()
    versioned: bool = True
    """Whether it needs `If-Match` and counts as a new version."""
    access: Access | None = None
    """What it does to the receiver's sight of the record."""
    told_as: str | None = None
    """The event's name where it is neither the new state nor the move's own name."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """One row of the clock: how long a state may last, and what happens then."""

    state: str
    setting: str
    """Name of the setting, or its prefix where it depends on the urgency (`respond_within_` + urgency)."""
    by_urgency: bool
    at_deadline: Literal["answer", "escalate", "cancel", "none"]
    """`answer`: escalates; then standard expires after a grace, urgent is extended once and then expires, immediate stays overdue.

    `escalate`: escalates and repeats. `cancel`: cancelled if nothing was started, else as `escalate`. `none`: lasts as long as it lasts.
    """
    remind: bool = True


@dataclass(frozen=True)
class Lifecycle:
    """A state machine, as a table."""

    name: str
    initial: str
    final_states: tuple[str, ...]
    moves: tuple[Move, ...]
    deadlines: tuple[Deadline, ...] = ()

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Every state, open ones first, in the order of the table."""
        seen = dict.fromkeys([self.initial])
        for move in self.moves:
            seen.update(dict.fromkeys(move.from_states))
            if move.to not in (None, PREVIOUS):
                seen.setdefault(str(move.to))
        return tuple(state for state in seen if state not in self.final_states) + self.final_states

    @cached_property
    def open_states(self) -> tuple[str, ...]:
        """The states in which somebody still has something to do."""
        return tuple(state for state in self.states if state not in self.final_states)

    @cached_property
    def _by_event(self) -> dict[str, Move]:
        return {move.event: move for move in self.moves}

    @cached_property
    def _open(self) -> dict[tuple[str, tuple[Party, ...], tuple[Need, ...]], tuple[str, ...]]:
        return {}

    def __getitem__(self, event: str) -> Move:
        return self._by_event[event]

    def deadline(self, state: str) -> Deadline | None:
        """Return the clock's row for `state`."""
        return next((row for row in self.deadlines if row.state == state), None)

    def moves_open(self, state: str, parties: Iterable[Party], met: Iterable[Need] = ()) -> list[str]:
        """Return the events that `parties` may cause in `state`; `met`: which conditions the row meets."""
        asked = (state, tuple(parties), tuple(met))
        found = self._open.get(asked)
        if found is None:  # a page asks this of every row
            wanted = set(asked[1])
            if wanted & {Party.SENDER, Party.RECEIVER}:
                wanted.add(Party.EITHER)
            unmet = CONDITIONS - set(asked[2])
            found = self._open[asked] = tuple(
                move.event
                for move in self.moves
                if state in move.from_states and move.by in wanted and unmet.isdisjoint(move.needs)
            )
        return list(found)

    def told(self, move: Move) -> str:
        """Return the type of the event that tells of a move: the new state, or the move's name where the state stays."""
        name = move.told_as or (move.event if move.to is None or move.to in move.from_states else move.to)
        return f"{self.name}.{name}"


REMIND_AT: Final = 0.5
"""The part of a deadline after which its first reminder goes out."""


def first_reminder(within: timedelta) -> timedelta:
    """Return when, after entering a state, the clock first looks at it."""
    return within * REMIND_AT

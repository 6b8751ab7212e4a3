"""How commands say what waits for another person's yes, and who must do what next."""

from __future__ import annotations

from dataclasses import dataclass

from app.cli.common import say
from auth.admin.approvals import Approval
from auth.people.person import Person


@dataclass(frozen=True)
class Waiting:
    """Something that waits for people's yes."""

    approval: Approval
    counted: int
    """How many yes count so far: of people who have proved who they are."""


def waiting(asked: Approval | None, person: Person) -> Waiting | None:
    """Return what waits after `person` has asked for it; None if it is done."""
    if asked is None or asked.done:
        return None
    return Waiting(asked, int(person.admin_id is not None and person.reference in asked.yes))


def show_waiting(waits: Waiting | None, *, then: str | None = None) -> None:
    """Say what waits, who must do what, and the command after it; nothing if nothing does."""
    if waits is None:
        return
    asked, missing = waits.approval, waits.approval.needed - waits.counted
    who = "another person, signed in, runs" if waits.counted else f"{missing} different people, signed in, each run"
    say(f"It waits for approval {asked.id} ({asked.act}), until {asked.expires_at:%Y-%m-%d %H:%M}Z.")
    say(f"  {who}: rujukan approvals approve {asked.id}")
    if then is not None:
        say(f"  then, on the agreed day: {then}")

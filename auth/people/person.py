"""Who administers: a person who has proved who they are, or somebody at the command line or behind a client who has not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

CONFIRMED_FOR: Final = timedelta(minutes=10)
"""How long after they last proved who they are a person may change keys and roles without proving it again."""


class Role(StrEnum):
    """What somebody may do. Nobody has all three: who opens access is not who checks that it was right to."""

    operator = "operator"
    """Runs the exchange: agencies, clients, keys."""
    protection_officer = "protection_officer"
    """Answers for what is disclosed: agreements; and may stop a client."""
    auditor = "auditor"
    """Reads everything that is written down, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who administers.

    Without `admin_id` nobody has proved who they are: their yes opens nothing where two people are needed.
    """

    reference: str
    """The opaque staff reference the log names them by (`actor`)."""
    roles: frozenset[Role] = frozenset()
    admin_id: UUID | None = None
    session_id: UUID | None = None
    confirmed_at: datetime | None = None
    """When they last proved who they are."""
    client_id: str | None = None
    """The client that speaks for them, if it is no session."""
    request_id: str | None = None

    def confirmed(self, now: datetime) -> bool:
        """Whether they have proved who they are a short while ago."""
        return self.confirmed_at is not None and now - self.confirmed_at <= CONFIRMED_FOR


MACHINE: Final = "machine:"
"""What stands in the log before the reference of an administrator that somebody gave who was not signed in."""


def at_the_machine(reference: str) -> Person:
    """Return whoever runs a command on the machine itself: may ask and stop, but has proved nothing."""
    return Person(reference, frozenset({Role.operator, Role.protection_officer}))

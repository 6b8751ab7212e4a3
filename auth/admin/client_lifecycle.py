"""The life of a client, as a table: sandbox → requested → approved → active → suspended → retired.

- `sandbox`: it may speak for practice agencies only, which know nobody but each other. So an integrator can try everything before
  anybody has approved anything. A client that is refused, or has registered itself, is harmless here.
- `requested`: it waits for the yes of two different people. Practice goes on.
- `approved`: two people have said yes; nothing real works yet, until an operator activates it on the agreed day.
- `active`: it speaks for its agencies.
- `suspended`: it gets no token and the tokens it has count no more. One person may stop a client; two let it in again.
- `retired`: over for good; its id is never given again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRACTISING: Final = frozenset({"sandbox", "requested", "approved", "active"})
"""States in which a client may speak for practice agencies."""


@dataclass(frozen=True, slots=True)
class ClientMove:
    """A move of a client's life."""

    from_states: tuple[str, ...]
    to_state: str | None
    """None: what it was before it was suspended."""
    people: int
    """How many different people it takes in production."""
    tells: str | None
    """The event its agencies get."""
    refusal: str
    """Why it is not possible from any other state."""


CLIENT: Final[dict[str, ClientMove]] = {
    #                       from                                                  to           people  tells               else
    "request":  ClientMove(("sandbox",),                                         "requested", 1, None,               "only a client in the sandbox asks for approval"),
    "approve":  ClientMove(("requested",),                                       "approved",  2, "client.approved",  "only what was requested can be approved"),
    "refuse":   ClientMove(("requested",),                                       "sandbox",   1, None,               "only what was requested can be refused"),
    "activate": ClientMove(("approved",),                                        "active",    1, "client.activated", "only an approved client can be activated"),
    "suspend":  ClientMove(("sandbox", "requested", "approved", "active"),       "suspended", 1, "client.suspended", "it is shut out already"),
    "resume":   ClientMove(("suspended",),                                       None,        2, "client.resumed",   "it is not suspended"),
    "retire":   ClientMove(("sandbox", "requested", "approved", "active", "suspended"), "retired", 1, "client.retired", "it is retired already"),
}  # fmt: skip

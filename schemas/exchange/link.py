"""Links between cases, as one side of them may know it."""

from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.referral import CaseLink
from schemas.exchange.common import AgencyRef, MoveRequest
from schemas.text import Number, Text


class NewLink(MoveRequest):
    """Another case that this one belongs together with."""

    kind: CaseLink
    """`suspected_harm` bars a service point that both would share, from now until it is refused or ended."""
    other: Number
    """The other case's reference, as it was told: small letters, spaces and O for 0 are understood."""
    text: Text | None = None
    """For your own side; the other never reads it."""


class ConfirmLink(MoveRequest):
    """The cases belong together."""


class RefuseLink(MoveRequest):
    """They do not."""

    reason: Text
    """For your own side; the other never reads it."""


class EndLink(MoveRequest):
    """They do not any more, or it was proposed by mistake."""

    reason: Text
    """For your own side; the other never reads it."""


class Link(Wire):
    """A link as one of its two sides may know it: nothing of the other case but who leads it."""

    id: UUID
    case_id: UUID
    """The caller's own case."""
    case_reference: str
    kind: CaseLink
    state: str
    version: int
    proposed_here: bool
    """Whether it was proposed from the caller's own case."""
    other_lead: AgencyRef | None
    """Who leads the other case: while it is proposed for who is asked, while it is confirmed for both."""
    text: str | None
    """What the caller's own side said with the proposal."""
    reason: str | None
    """Why the caller's own side refused or ended it."""
    proposed_at: Moment
    updated_at: Moment
    moves: list[str]


class LinkPage(Wire):
    """A page of links."""

    items: list[Link]
    next: str | None
    """The next page's address, or None at the end."""

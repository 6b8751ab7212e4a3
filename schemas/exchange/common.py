"""What several of the exchange's documents share."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.checks.warning import RecordWarning
from schemas.codes.agencies import AgencyKind
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section
from schemas.codes.referral import MoveChannel
from schemas.text import AgencyCode, Name


class MoveRequest(RequestBody):
    """What every move says: when and how it really happened."""

    occurred_at: Moment | None = None
    """When it happened, if earlier than it is recorded; at most 30 days back, never in the future."""
    channel: MoveChannel = MoveChannel.SYSTEM
    """How it was done: by the system, by phone, on paper or in person."""


class AgencyRef(Wire):
    """An agency, as others may know it."""

    code: AgencyCode
    name: Name
    kind: AgencyKind


class Moved(Wire):
    """The answer to every POST: what changed. It holds no content, so that a repeated request gets the same answer."""

    id: UUID
    """What was made or moved: a case, consent, referral, transfer, request, correction or record version."""
    case_id: UUID
    reference: str
    """To be read out on the telephone; its last character is a check."""
    state: str
    version: int
    """For `If-Match` of the next move."""
    recorded_at: Moment
    log_entry: UUID
    """The entry of the exchange's log that describes this act."""
    receipt: str
    """Where the signed receipt for it is, at once and for as long as there is a log; a repeated request gets the same."""
    moves: list[str]
    """What the caller may do next."""
    warnings: list[RecordWarning]
    """What in the record that was sent somebody should look at again: it was taken as it is. Empty of every act without one."""


class MoveRecord(Wire):
    """One thing that happened, as both parties may know it."""

    id: UUID
    event: str
    from_state: str | None
    to_state: str
    version: int
    by: AgencyRef | None
    """None: the exchange itself (the clock, or a consequence of another move)."""
    recorded_by: AgencyRef | None
    """Another agency, where it recorded the move for `by`."""
    channel: MoveChannel
    occurred_at: Moment
    recorded_at: Moment
    disputed_at: Moment | None
    """When it was disputed. It stands all the same."""
    disputed_ground: Literal["party", "breach"] | None
    """`party`: the party disputes what another agency recorded for it. `breach`: it was made through a system that was found compromised."""
    confirmed_at: Moment | None
    """Of a breach: when the party said, through another system, that the move was its own."""
    section: Section | None
    """The section the text belongs to."""
    text: str | None
    """What was said, as far as the reader may know it: a question, an answer, a note, a reason."""


Limit = Annotated[int, Field(ge=1, le=200)]

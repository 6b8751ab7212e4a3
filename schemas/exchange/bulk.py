"""Imports and exports: many at once."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.checks.warning import RecordWarning
from schemas.exchange.common import AgencyRef
from schemas.exchange.referral import NewReferral

MOST_LINES: Final = 100_000
MOST_RESULTS: Final = 1_000
EXPORT_VERSION: Final = "1.0"
"""Of the form of an export; `1.x` only adds members and kinds."""

ImportState = Literal["receiving", "running", "finished", "cancelled", "stopped"]
LineOutcome = Literal["created", "existed", "refused", "parked", "cancelled"]
ExportKind = Literal["case", "referral", "transfer", "consent"]
LINE_KEY: Final = r"^[\x21-\x7e]{1,255}$"


class ImportLine(NewReferral):
    """A line of an import: a body of `POST /v1/referrals` with a key of its own."""

    key: Annotated[str, Field(pattern=LINE_KEY)]
    """Its `Idempotency-Key`, by which your system knows it: a line whose referral was sent before is not sent again."""


class ImportCounts(Wire):
    """How many lines came to what."""

    created: int
    """The referral was sent."""
    existed: int
    """It had been sent before, with the same key and the same content."""
    refused: int
    """The problem says why, as it would have been answered to `POST /v1/referrals`."""
    parked: int
    """It could not be handled, again and again, through a fault of the exchange. Tell the operators; send it again later."""
    cancelled: int
    """It was not looked at: the import was cancelled or stopped before."""
    waiting: int


class Import(Wire):
    """An import and how far it is."""

    id: UUID
    key: str
    """The `Idempotency-Key` it came with."""
    client: str
    """The client that sent it, and by whose rights its lines are handled."""
    state: ImportState
    """`receiving`: lines may be added. `running`: the lines are handled, in no certain order. `stopped`: its client may not go on; `reason` says
    what it lacks."""
    reason: Literal["client", "agency", "scope", "acts_for", "not_gone_on_with"] | None
    lines: int
    """What the exchange holds: an upload that was broken off goes on after as many lines."""
    bytes: int
    counts: ImportCounts
    lines_per_second: float | None
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    kept_until: Moment | None
    """Of one that has ended: until when its results can be read."""


class ImportPage(Wire):
    """Imports, newest first."""

    items: list[Import]
    next: str | None


class LineResult(Wire):
    """What became of a line."""

    line: int
    """Its number in the file; the first is 1."""
    key: str | None
    outcome: LineOutcome
    referral_id: UUID | None
    case_id: UUID | None
    reference: str | None
    problem: dict[str, Any] | None
    """Of a line that was refused: `type`, `status`, and the members that say what is wrong, with pointers into the line; never a value."""
    warnings: list[RecordWarning]
    """What in the record somebody should look at again: it was taken as it is."""
    handled_at: Moment


class LineResultPage(Wire):
    """What became of lines, in their order."""

    items: list[LineResult]
    next: str | None


class ExportHead(Wire):
    """The first line of an export."""

    kind: Literal["export"]
    export_version: str
    schema_version: str
    """Of the records in it."""
    agency: AgencyRef
    """Whose right to read counted."""
    at: Moment
    kinds: list[ExportKind]
    since: Moment | None
    resumed: bool
    """Whether it goes on where an earlier one ended."""


class ExportLine(Wire):
    """A line of an export that is neither the first nor the last."""

    kind: ExportKind
    id: UUID
    data: dict[str, Any] | None
    """What `GET /v1/cases/{id}`, `/v1/referrals/{id}`, `/v1/transfers/{id}` or `/v1/cases/{id}/consents/{id}` answers. None: it cannot be read,
    through a fault of the exchange; tell the operators."""
    after: str
    """To go on from here."""


class ExportEnd(Wire):
    """The last line of an export. A file without one was cut off."""

    kind: Literal["end"]
    complete: bool
    reason: Literal["token", "scope", "agency", "another_export", "unavailable"] | None
    """Why it ends before it is complete. Go on after the last line."""
    counts: dict[str, int]
    """Lines of each kind, since it began or was gone on with."""
    at: Moment

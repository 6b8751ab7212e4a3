"""Emergency access: sections that nobody sent are read for a few hours, because life is at stake."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Count, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import EmergencyReason, Section
from schemas.exchange.common import AgencyRef
from schemas.record.health import HealthSection
from schemas.record.identity import IdentitySection
from schemas.record.location import LocationSection
from schemas.record.needs import NeedsSection
from schemas.record.safety import SafetySection
from schemas.text import Text

Reference = Annotated[str, StringConstraints(min_length=10, max_length=24, pattern=r"^[0-9A-Za-z*~$= -]+$")]
"""As it was read out or printed; small letters and O for 0 are understood."""


class OpenEmergency(RequestBody):
    """Life is at stake, and what is in the record may save it. Lead and reviewers are told at once, and it is reviewed."""

    case_id: UUID | None = None
    """A case your agency takes part in, or did."""
    reference: Reference | None = None
    """Else: the reference of the case, or of a referral or transfer of it, with its check character, from the person's paper or by telephone."""
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=5)]
    """Of `identity`, `location`, `safety`, `health` and `needs`: those you need."""
    reason: EmergencyReason
    text: Text
    """What has happened; read by the lead and the reviewers."""
    hours: Annotated[Count, Field(ge=1, le=24)] | None = None
    """How long; left out: 4 hours."""

    @model_validator(mode="after")
    def _one_case(self) -> Self:
        if (self.case_id is None) == (self.reference is None):
            raise PydanticCustomError("case_once", "Give case_id or reference, one of them")
        if len(set(self.sections)) < len(self.sections):
            raise PydanticCustomError("section_once", "Name each section once")
        return self


class EndEmergency(RequestBody):
    """It is over."""


class EmergencyEnvelope(Wire):
    """Who reads what of which case, why and until when."""

    id: UUID
    case_id: UUID
    agency: AgencyRef
    sections: list[Section]
    reason: EmergencyReason
    by_reference: bool
    """The agency took no part in the case: it had the reference, and the person before it."""
    state: Literal["open", "ended"]
    started_at: Moment
    until_at: Moment
    ended_at: Moment | None
    end_reason: str | None
    """`time`, `holder`, `lead`, `reviewer`, `not_justified`."""


class EmergencyRecord(Wire):
    """The sections, each as the newest version has it; absent where none has it."""

    identity: IdentitySection | None = None
    location: LocationSection | None = None
    safety: SafetySection | None = None
    health: HealthSection | None = None
    needs: NeedsSection | None = None


class Emergency(EmergencyEnvelope):
    """An emergency access as who has it, the lead and the reviewers may read it."""

    text: str
    actor: str | None
    """The agency's own reference of the person; for the agency itself and the reviewers."""
    record: EmergencyRecord | None
    """For who has it, while it lasts."""


class EmergencyPage(Wire):
    """A page of emergency accesses."""

    items: list[EmergencyEnvelope]
    next: str | None

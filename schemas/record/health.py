"""The person's health, as far as care and travel depend on it."""

from typing import Annotated

from pydantic import Field, Strict

from schemas.base import WHOLE, Day, Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.health import FitToTravel, Functioning, InfectionPrecaution, UrgentCare
from schemas.codes.services import StaffRole
from schemas.record.common import SectionBase
from schemas.text import Line, PartialDate, Text


class Medicine(Wire):
    """A medicine that must not be interrupted unknowingly."""

    name: Line
    dose: Line | None = None
    times: Line | None = None
    """When it is taken."""
    supply_until: PartialDate | None = None
    """How long what the person carries will last."""
    kept_cold: Answer | None = None
    prescription_only: Answer | None = None


class Condition(Wire):
    """An illness, an injury, or what is left of one."""

    name: Line
    icd_10: Annotated[str, Field(pattern=r"^[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?$")] | None = None
    """Only where a clinician gave it."""
    treated: Answer | None = None
    since: PartialDate | None = None
    note: Line | None = None


class Pregnancy(Wire):
    """Whether the person is pregnant, if they were asked."""

    status: Answer
    weeks: Annotated[int, Strict(), Field(ge=0, le=45), WHOLE] | None = None
    antenatal_care: Answer | None = None


class WashingtonGroup(Wire):
    """The short set on functioning: six questions, each with how hard it is."""

    seeing: Functioning | None = None
    hearing: Functioning | None = None
    walking: Functioning | None = None
    remembering: Functioning | None = None
    self_care: Functioning | None = None
    communicating: Functioning | None = None


class HealthSection(SectionBase):
    """Urgent care, medicines, infection, functioning, travel."""

    urgent: Annotated[tuple[UrgentCare, ...], Field(max_length=len(UrgentCare))] = ()
    """What needs care tonight."""
    urgent_note: Text | None = None
    infectious: InfectionPrecaution | None = None
    takes_medicines: Answer | None = None
    medicines: Annotated[tuple[Medicine, ...], Field(max_length=30)] = ()
    allergies: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    allergies_missing: Missing | None = None
    """Why no allergy is given."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=30)] = ()
    conditions_missing: Missing | None = None
    """Why no condition is given."""
    pregnancy: Pregnancy | None = None
    functioning: WashingtonGroup | None = None
    assistive_devices: Annotated[tuple[Line, ...], Field(max_length=10)] = ()
    fit_to_travel: FitToTravel | None = None
    insured: Answer | None = None
    """Whether health insurance (JKN) covers the person now."""
    examined_on: Day | None = None
    examined_by: StaffRole | None = None
    note: Text | None = None

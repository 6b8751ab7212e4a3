"""What is asked for, and how it should be given."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Moment, Wire
from schemas.codes.answers import Answer
from schemas.codes.services import (
    AccessibilityNeed,
    Diet,
    Escort,
    Need,
    NeedPriority,
    RehabilitationFocus,
    RoomPreference,
    StaffGender,
)
from schemas.record.common import SectionBase
from schemas.text import LanguageTag, Line, PartialDate, Text


class Preferences(Wire):
    """How the person wants it."""

    staff_gender: StaffGender | None = None
    room: RoomPreference | None = None
    accessible: Annotated[tuple[AccessibilityNeed, ...], Field(max_length=len(AccessibilityNeed))] = ()
    with_dependants: Answer | None = None
    """Whether dependants come along."""
    diet: Annotated[tuple[Diet, ...], Field(max_length=len(Diet))] = ()
    near: Line | None = None
    """Where it should be near to, or far from."""
    faith_practice: Line | None = None
    """What the person needs for practising a faith, if they want it known."""
    note: Line | None = None


class NeededService(Wire):
    """One thing that is needed. HTCDS `spl_Type`."""

    need: Need
    priority: NeedPriority | None = None
    preferences: Preferences | None = None
    """Where they differ from those for everything."""
    focus: RehabilitationFocus | None = None
    """Of `social_rehabilitation`; not in the preview."""
    aim: Text | None = None
    """HTCDS `spl_Objectives`."""
    plan: Text | None = None
    """HTCDS `spl_ActionPlan`."""
    until: PartialDate | None = None
    """HTCDS `spl_PlannedEndDate`."""
    ended: PartialDate | None = None
    """Of what has been given before. HTCDS `spl_ActualEndDate`."""
    already_given: Text | None = None
    """What has been given before, and by whom."""
    note: Text | None = None


class Interpreter(Wire):
    """Who has to interpret. A sign language is named by its own tag."""

    needed: Answer
    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=5)] = ()
    """Any one of them will do."""
    gender: StaffGender | None = None
    not_from_own_community: Answer | None = None


class NeedsSection(SectionBase):
    """The services asked for, with preferences and the arrival."""

    services: Annotated[tuple[NeededService, ...], Field(min_length=1, max_length=len(Need))]
    preferences: Preferences | None = None
    interpreter: Interpreter | None = None
    arrives_from: Moment | None = None
    arrives_until: Moment | None = None
    escort: Escort | None = None
    travel: Text | None = None
    """How the person travels, and who brings them."""
    social_registry: Answer | None = None
    """Whether the person is listed in the social registry (DTSEN); nothing waits for it."""
    note: Text | None = None

    @model_validator(mode="after")
    def _each_need_once(self) -> Self:
        if len({service.need for service in self.services}) < len(self.services):
            raise PydanticCustomError("need_repeated", "Each need is named once")
        return self

    @model_validator(mode="after")
    def _arrival_is_a_window(self) -> Self:
        if self.arrives_from and self.arrives_until and self.arrives_until < self.arrives_from:
            raise PydanticCustomError("arrival_reversed", "arrives_until is before arrives_from")
        return self

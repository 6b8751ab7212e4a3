"""How the person is doing, in results and wishes; never what was said in a session."""

from typing import Annotated

from pydantic import Field, Strict

from schemas.base import Day, Wire
from schemas.codes.answers import Answer
from schemas.codes.health import DistressSign, ScreeningOutcome, ScreeningTool, SelfHarmWatch
from schemas.codes.services import StaffRole
from schemas.record.common import SectionBase
from schemas.text import AgencyCode, LanguageTag, Line, Text

Score = Annotated[float, Strict(), Field(ge=0, le=1000)]
"""A score as the questionnaire counts it."""


class ScreeningResult(Wire):
    """The result of a questionnaire. It informs a person's judgement and decides nothing."""

    tool: ScreeningTool
    tool_name: Line | None = None
    """Of a tool that has no code."""
    version: Line | None = None
    on: Day | None = None
    score: Score | None = None
    cut_off: Score | None = None
    """The score from which on the tool says to look closer, as it was applied."""
    outcome: ScreeningOutcome | None = None
    language: LanguageTag | None = None
    by_role: StaffRole | None = None
    by: AgencyCode | None = None
    """The agency that asked."""


class SelfHarm(Wire):
    """What was found about a risk of self-harm."""

    watch: SelfHarmWatch
    asked_on: Day | None = None
    by_role: StaffRole | None = None
    plan: Text | None = None
    """What helps, and whom to call."""


class PsychosocialSection(SectionBase):
    """Screening results, signs, watch, and what helps."""

    screenings: Annotated[tuple[ScreeningResult, ...], Field(max_length=20)] = ()
    signs: Annotated[tuple[DistressSign, ...], Field(max_length=len(DistressSign))] = ()
    self_harm: SelfHarm | None = None
    in_counselling: Answer | None = None
    what_helps: Text | None = None
    what_upsets: Text | None = None
    """What should be avoided with the person."""
    wishes: Text | None = None
    """What the person wants for themselves."""
    note: Text | None = None

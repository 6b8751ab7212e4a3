"""What happened, in words."""

from typing import Annotated

from pydantic import Field

from schemas.base import Day, Wire
from schemas.codes.answers import Answer
from schemas.codes.services import StaffRole
from schemas.record.common import SectionBase
from schemas.text import LanguageTag, Narrative


class NarrativeEntry(Wire):
    """An account, with the role of whoever wrote it down. HTCDS `cco_CaseComment`."""

    text: Narrative
    language: LanguageTag
    author_role: StaffRole
    written_on: Day | None = None
    translated: Answer | None = None
    """Whether it is a translation."""
    read_back: Answer | None = None
    """Whether it was read back to the person, who agreed with it."""


class NarrativeSection(SectionBase):
    """Accounts, the oldest first."""

    entries: Annotated[tuple[NarrativeEntry, ...], Field(min_length=1, max_length=20)]

"""Who belongs to the person: dependants, those left behind, a guardian, and a child's own will."""

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Day, Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.person import ChildSituation, GuardianStanding, MaritalStatus, Relationship, Sex
from schemas.codes.services import Need, StaffRole
from schemas.record.common import Place, SectionBase
from schemas.record.contact import Channel
from schemas.record.identity import Birth
from schemas.text import AgencyCode, CountryCode, Line, Name, Number, Text


class Relative(Wire):
    """Somebody of the person's family or household."""

    relationship: Relationship
    """What they are to the person."""
    name: Name | None = None
    birth: Birth | None = None
    sex: Sex | None = None
    nationalities: Annotated[tuple[CountryCode, ...], Field(max_length=5)] = ()
    stays_together: Answer | None = None
    """Whether they and the person must not be separated."""
    own_case: Number | None = None
    """The reference of their own case: members of a family have cases of their own, linked."""
    needs: Annotated[tuple[Need, ...], Field(max_length=len(Need))] = ()
    at_risk: Answer | None = None
    """Whether they are in danger themselves."""
    place: Place | None = None
    """Where they are, if not with the person."""
    note: Line | None = None


class Guardian(Wire):
    """Who decides for a child, or for a person under guardianship."""

    standing: GuardianStanding
    relationship: Relationship | None = None
    name: Name | None = None
    suspected: Answer
    """Whether they may have had a part in it. If yes they can neither consent nor withdraw, and are told nothing."""
    informed: Answer | None = None
    """Whether they know of the referral."""
    reason_not_informed: Line | None = None
    channels: Annotated[tuple[Channel, ...], Field(max_length=5)] = ()


class Assent(Wire):
    """What the child says to it, kept beside the guardian's consent."""

    given: Answer
    on: Day | None = None
    own_words: Text | None = None


class BestInterests(Wire):
    """What was found to be in a child's best interests."""

    finding: Text
    on: Day | None = None
    by: AgencyCode | None = None
    """The agency that found so."""
    by_role: StaffRole | None = None
    child_heard: Answer | None = None
    """Whether the child was heard."""


class FamilySection(SectionBase):
    """Family, dependants and guardian."""

    marital_status: MaritalStatus | None = None
    """HTCDS `prs_MaritalStatus`."""
    number_of_children: Count | None = None
    """How many children the person has; who comes along is said in `accompanying`. HTCDS `prs_NumberOfChildren`."""
    number_of_children_missing: Missing | None = None
    """Why the number is not given."""
    household_size: Count | None = None
    household_size_missing: Missing | None = None
    """Why the size is not given."""
    accompanying: Annotated[tuple[Relative, ...], Field(max_length=20)] = ()
    """Who is with the person now."""
    accompanying_missing: Missing | None = None
    """Why nobody is named; that nobody is there has no code, and needs none."""
    left_behind: Annotated[tuple[Relative, ...], Field(max_length=20)] = ()
    """Who depends on the person elsewhere, or is looked for."""
    left_behind_missing: Missing | None = None
    """Why nobody is named."""
    may_be_told: Answer | None = None
    """Whether the person agrees that the family learns of it."""
    child_situation: ChildSituation | None = None
    guardian: Guardian | None = None
    assent: Assent | None = None
    best_interests: BestInterests | None = None
    note: Text | None = None

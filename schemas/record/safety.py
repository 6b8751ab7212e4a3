"""What threatens the person, and what whoever takes them in has to know."""

from typing import Annotated

from pydantic import Field

from schemas.base import Day, Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.person import Relationship
from schemas.codes.safety import ConcernRole, RiskFactor, RiskFactorLevel, RiskLevel, SafetyFlag, ThreatKind
from schemas.codes.services import StaffRole
from schemas.record.common import SectionBase
from schemas.text import Line, Name, PartialDate, Text


class Risk(Wire):
    """A judgement of the risk now, on the way and where the person returns to."""

    now: RiskLevel | None = None
    on_the_way: RiskLevel | None = None
    at_return: RiskLevel | None = None
    assessed_on: Day | None = None
    assessed_by: StaffRole | None = None


class Threat(Wire):
    """A threat, and from which side it comes."""

    kind: ThreatKind
    by_role: ConcernRole | None = None
    since: PartialDate | None = None
    note: Line | None = None


class PersonOfConcern(Wire):
    """Somebody to keep away. Allegations about a named person go to the police, under a basis of their own."""

    roles: Annotated[tuple[ConcernRole, ...], Field(min_length=1, max_length=len(ConcernRole))]
    """HTCDS `per_RoleInProcess`."""
    relationship: Relationship | None = None
    known_as: Name | None = None
    """As they may present themselves at a door or on the phone."""
    organisation: Line | None = None
    """HTCDS `per_Organisation`."""
    keep_away: Answer | None = None
    note: Text | None = None
    """HTCDS `per_RoleDetails`."""


class RiskFactorEntry(Wire):
    """Something that makes the person easier to exploit. HTCDS's assessment sections ask for it on three levels."""

    kind: RiskFactor
    level: RiskFactorLevel | None = None
    note: Text | None = None
    """HTCDS `vic_DetailsOfVulnerabilities`."""


class SafetySection(SectionBase):
    """Risk, threats, flags."""

    risk: Risk | None = None
    flags: Annotated[tuple[SafetyFlag, ...], Field(max_length=len(SafetyFlag))] = ()
    threats: Annotated[tuple[Threat, ...], Field(max_length=20)] = ()
    threats_missing: Missing | None = None
    """Why no threat is given."""
    persons_of_concern: Annotated[tuple[PersonOfConcern, ...], Field(max_length=20)] = ()
    risk_factors: Annotated[tuple[RiskFactorEntry, ...], Field(max_length=40)] = ()
    """HTCDS `vic_Vulnerabilities`, deprecated there."""
    must_know: Text | None = None
    """What whoever takes the person in must know."""
    plan: Text | None = None
    """What was agreed with the person for an emergency."""

"""How need, service and purpose belong together. Written to be read by a protection officer.

A *need* is what the person lacks and an agency is asked for. A *service* is what an agency gives, in the terms of the
laws (UU 21/2007 art 44, 47, 48 and 51 to 54; PP 9/2008; Permensos 8/2023 art 6). A *purpose* is why data may be disclosed: the policy
table is keyed by it. The table says which services answer a need, and under which purposes it can be asked for; the
first of each is the usual one. It advises who fills in a form and who compares statistics; it decides nothing: a
referral has one purpose, and may carry a need that the purpose would not be chosen for.
"""

from typing import Final, NamedTuple

from schemas.codes.referral import Purpose
from schemas.codes.services import Need, Service


class Answered(NamedTuple):
    """What answers a need."""

    by: tuple[Service, ...]
    """The services, the usual one first."""
    under: tuple[Purpose, ...]
    """The purposes under which it is asked for, the usual one first."""


def _by(services: str, *, under: str) -> Answered:
    return Answered(tuple(Service(each) for each in services.split()), tuple(Purpose(each) for each in under.split()))


_SHELTER: Final = _by("shelter", under="shelter emergency_protection")

RELATIONS: Final[dict[Need, Answered]] = {
    Need.SHELTER:               _SHELTER,
    Need.SHELTER_MEN:           _SHELTER,
    Need.SHELTER_WOMEN:         _SHELTER,
    Need.SHELTER_FAMILY:        _SHELTER,
    Need.SHELTER_CHILD:         _by("shelter childcare", under="shelter emergency_protection"),
    Need.HOUSING:               _by("social_assistance social_reintegration", under="reintegration"),
    Need.FOOD:                  _by("shelter social_assistance", under="shelter emergency_protection reintegration"),
    Need.BASIC_NEEDS:           _by("shelter social_assistance", under="shelter emergency_protection reintegration"),
    Need.MEDICAL:               _by("health_rehabilitation", under="medical_care emergency_protection"),
    Need.PSYCHIATRIC:           _by("health_rehabilitation", under="medical_care psychosocial_care"),
    # Rehabilitation of health is of body and mind (UU 21/2007 art 51), counselling also a part of social rehabilitation.
    Need.PSYCHOSOCIAL:          _by("social_rehabilitation health_rehabilitation", under="psychosocial_care social_rehabilitation"),
    Need.SPIRITUAL:             _by("social_rehabilitation", under="social_rehabilitation psychosocial_care"),
    Need.IDENTIFICATION:        _by("identification", under="identification"),
    Need.LEGAL_AID:             _by("legal_aid", under="legal_assistance investigation"),
    Need.RESTITUTION:           _by("restitution legal_aid", under="legal_assistance witness_protection investigation"),
    # Police protect who is threatened before, during and after proceedings (UU 21/2007 art 47), LPSK by its own law.
    Need.POLICE_PROTECTION:     _by("protection law_enforcement", under="witness_protection emergency_protection investigation"),
    Need.RIGHTS_TRAINING:       _by("legal_aid economic_empowerment", under="legal_assistance livelihood"),
    # Asked for with what it makes possible.
    Need.INTERPRETATION:        _by("interpretation", under="identification medical_care psychosocial_care legal_assistance investigation shelter"),
    Need.DOCUMENTS:             _by("documents", under="documents return"),
    Need.REPATRIATION:          _by("return", under="return"),
    Need.RETURN_ESCORT:         _by("return", under="return"),
    Need.FAMILY_TRACING:        _by("social_reintegration return", under="family_tracing return"),
    Need.FAMILY_MEDIATION:      _by("social_reintegration", under="reintegration return"),
    Need.SUBSTITUTE_FAMILY:     _by("childcare social_reintegration", under="reintegration shelter"),
    Need.CHILDCARE:             _by("childcare", under="social_rehabilitation shelter reintegration"),
    Need.SCHOOLING:             _by("education", under="reintegration social_rehabilitation"),
    Need.SOCIAL_REHABILITATION: _by("social_rehabilitation", under="social_rehabilitation"),
    Need.SOCIAL_WELFARE:        _by("social_reintegration social_assistance", under="reintegration"),
    Need.VOCATIONAL_TRAINING:   _by("economic_empowerment", under="livelihood reintegration"),
    Need.ENTREPRENEURSHIP:      _by("economic_empowerment", under="livelihood reintegration"),
    Need.JOB_PLACEMENT:         _by("economic_empowerment", under="livelihood reintegration"),
    Need.LIVELIHOOD:            _by("economic_empowerment", under="livelihood reintegration"),
    Need.FINANCIAL_HELP:        _by("social_assistance", under="reintegration emergency_protection"),
    Need.DEBT_ADVICE:           _by("legal_aid economic_empowerment", under="legal_assistance livelihood"),
    Need.HEALTH_INSURANCE:      _by("social_assistance", under="medical_care reintegration"),
    Need.ACCESSIBILITY:         _by("social_rehabilitation health_rehabilitation", under="social_rehabilitation medical_care shelter"),
    # Said in words: whoever reads them decides.
    Need.OTHER:                 Answered(tuple(Service), tuple(each for each in Purpose if each is not Purpose.CASE_RESPONSIBILITY)),
}  # fmt: skip
"""Which services answer a need, and under which purposes it is asked for."""


def services_for(need: Need) -> tuple[Service, ...]:
    """The services that answer a need, the usual one first."""
    return RELATIONS[need].by


def purposes_for(need: Need) -> tuple[Purpose, ...]:
    """The purposes under which a need is asked for, the usual one first."""
    return RELATIONS[need].under

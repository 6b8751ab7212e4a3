"""The preview: as much of a record as a receiver needs to say yes or no, in codes only.

It is made from the record when it is sent, and shown before anyone has accepted. So it holds no name, no word of
free text, no exact date of birth and no place finer than a regency; a part is absent where its section is.
"""

from datetime import date
from typing import Annotated, Final

from pydantic import Field

from schemas.base import Moment, Wire
from schemas.codes.answers import Answer
from schemas.codes.health import InfectionPrecaution, SelfHarmWatch
from schemas.codes.law import Custody, LegalRole
from schemas.codes.person import AgeBand, Sex, Statelessness
from schemas.codes.places import AddressKind
from schemas.codes.safety import SafetyFlag
from schemas.codes.services import AccessibilityNeed, Diet, Escort, Need, NeedPriority, RoomPreference, StaffGender
from schemas.record.age import age_band
from schemas.record.family import FamilySection
from schemas.record.identity import IdentitySection
from schemas.record.legal import LegalSection
from schemas.record.location import LocationSection
from schemas.record.needs import NeedsSection, Preferences
from schemas.record.record import Record, included
from schemas.record.sealed import PreviewDependants, PrimaryLanguage, Regency, SealedPreview
from schemas.text import CountryCode

SHELTER_FLAGS: Final = frozenset(
    {
        SafetyFlag.MUST_NOT_TELL_FAMILY,
        SafetyFlag.MUST_NOT_TELL_EMPLOYER,
        SafetyFlag.MUST_NOT_TELL_MISSION,
        SafetyFlag.RISK_OF_BEING_FOLLOWED,
        SafetyFlag.DEVICE_TRACKED,
        SafetyFlag.CONFIDENTIAL_PLACE,
        SafetyFlag.NO_PICTURES,
        SafetyFlag.NO_VISITORS,
        SafetyFlag.KEEP_APART_FROM_GROUP,
        SafetyFlag.KEEP_APART_FROM_COMMUNITY,
        SafetyFlag.GUARDIAN_SUSPECTED,
    }
)
"""The flags that bind whoever takes the person in."""

_HELD: Final = frozenset({Custody.POLICE, Custody.PROSECUTION, Custody.PRISON, Custody.IMMIGRATION, Custody.ABROAD})
_PURSUED: Final = frozenset({LegalRole.SUSPECT, LegalRole.ACCUSED, LegalRole.CONVICTED})
_UNSAID: Final = frozenset({LegalRole.UNKNOWN, LegalRole.NOT_ASKED, LegalRole.DECLINED})
_INDONESIA: Final = "ID"


class PreviewPreferences(Wire):
    """Preferences, as far as they are codes."""

    staff_gender: StaffGender | None = None
    room: RoomPreference | None = None
    accessible: Annotated[tuple[AccessibilityNeed, ...], Field(max_length=len(AccessibilityNeed))] = ()
    with_dependants: Answer | None = None
    diet: Annotated[tuple[Diet, ...], Field(max_length=len(Diet))] = ()


class PreviewNeed(Wire):
    """A need and how soon it has to be met."""

    need: Need
    priority: NeedPriority | None = None
    preferences: PreviewPreferences | None = None


class PreviewInterpreter(Wire):
    """Whether an interpreter is needed, and for which language."""

    needed: Answer
    languages: Annotated[tuple[PrimaryLanguage, ...], Field(max_length=5)] = ()
    gender: StaffGender | None = None
    not_from_own_community: Answer | None = None


class PreviewCare(Wire):
    """Care needed tonight."""

    infectious: InfectionPrecaution | None = None
    medicines: Answer | None = None
    self_harm_watch: SelfHarmWatch | None = None


class Preview(Wire):
    """What a receiver sees before accepting. The exchange adds reference, sender's kind, urgency and respond-by."""

    needs: Annotated[tuple[PreviewNeed, ...], Field(max_length=len(Need))] = ()
    preferences: PreviewPreferences | None = None
    age_band: AgeBand | None = None
    age_disputed: Answer | None = None
    """If yes, the person is treated as a child meanwhile."""
    sex: Sex | None = None
    languages: Annotated[tuple[PrimaryLanguage, ...], Field(max_length=20)] = ()
    interpreter: PreviewInterpreter | None = None
    dependants: PreviewDependants | None = None
    country: CountryCode | None = None
    """Where the person is now."""
    region: Regency | None = None
    """Where the person is now, to the regency or city."""
    arrives_from: Moment | None = None
    arrives_until: Moment | None = None
    escort: Escort | None = None
    foreign_national: Answer | None = None
    custody_or_investigation: Answer | None = None
    """Whether the person is held, or an authority proceeds against them."""
    care_tonight: PreviewCare | None = None
    safety_flags: Annotated[tuple[SafetyFlag, ...], Field(max_length=11)] = ()
    """Those that bind a shelter."""


def preview_of(record: Record, *, on: date) -> Preview:
    """The preview of a record, with ages as they are on that day."""
    identity, needs, sealed = record.identity, record.needs, record.sealed_preview or SealedPreview()
    country, region = _whereabouts(record.location)
    return Preview(
        needs=_needs(needs),
        preferences=_preferences(needs.preferences) if needs else None,
        age_band=age_band(identity.birth, on=on) if identity else sealed.age_band,
        age_disputed=identity.birth.disputed if identity and identity.birth else sealed.age_disputed,
        sex=identity.sex if identity else sealed.sex,
        languages=_primary(identity.languages) if identity else sealed.languages,
        interpreter=_interpreter(needs),
        dependants=_dependants(record.family, on=on) or sealed.dependants,
        country=country or sealed.country,
        region=region or sealed.region,
        arrives_from=needs.arrives_from if needs else None,
        arrives_until=needs.arrives_until if needs else None,
        escort=needs.escort if needs else None,
        foreign_national=_foreign_national(identity) if identity else sealed.foreign_national,
        custody_or_investigation=_custody_or_investigation(record.legal)
        if record.legal
        else sealed.custody_or_investigation,
        care_tonight=_care(record),
        safety_flags=_shelter_flags(record),
    )


def _needs(needs: NeedsSection | None) -> tuple[PreviewNeed, ...]:
    if needs is None:
        return ()
    return tuple(
        PreviewNeed(need=service.need, priority=service.priority, preferences=_preferences(service.preferences))
        for service in needs.services
    )


def _preferences(preferences: Preferences | None) -> PreviewPreferences | None:
    if preferences is None:
        return None
    return PreviewPreferences(
        staff_gender=preferences.staff_gender,
        room=preferences.room,
        accessible=preferences.accessible,
        with_dependants=preferences.with_dependants,
        diet=preferences.diet,
    )


def _primary(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag.split("-", 1)[0] for tag in tags))


def _interpreter(needs: NeedsSection | None) -> PreviewInterpreter | None:
    if needs is None or needs.interpreter is None:
        return None
    asked = needs.interpreter
    return PreviewInterpreter(
        needed=asked.needed,
        languages=_primary(asked.languages),
        gender=asked.gender,
        not_from_own_community=asked.not_from_own_community,
    )


def _dependants(family: FamilySection | None, *, on: date) -> PreviewDependants | None:
    if family is None:
        return None
    together = [relative for relative in family.accompanying if relative.stays_together is Answer.YES]
    return PreviewDependants(
        count=len(together), age_bands=tuple(age_band(relative.birth, on=on) for relative in together)
    )


def _whereabouts(location: LocationSection | None) -> tuple[str | None, str | None]:
    """Country and regency of where the person is now; home and origin stay closed until acceptance."""
    for address in location.addresses if location else ():
        if address.kind is AddressKind.CURRENT:
            region = address.place.region
            # PP.KK are the first five characters of a Kemendagri code.
            return address.place.country, region[:5] if region else None
    return None, None


def _foreign_national(identity: IdentitySection) -> Answer:
    if _INDONESIA in identity.nationalities:
        return Answer.NO
    if identity.nationalities or identity.statelessness is Statelessness.STATELESS:
        return Answer.YES
    return Answer(identity.nationalities_missing.value) if identity.nationalities_missing else Answer.UNKNOWN


def _custody_or_investigation(legal: LegalSection) -> Answer:
    if legal.custody in _HELD or legal.under_suspicion is Answer.YES or _PURSUED & set(legal.roles):
        return Answer.YES
    cleared = legal.under_suspicion is Answer.NO or (legal.roles and not _UNSAID & set(legal.roles))
    return Answer.NO if cleared and legal.custody in (Custody.FREE, Custody.PROTECTIVE) else Answer.UNKNOWN


def _care(record: Record) -> PreviewCare | None:
    health, psychosocial, sealed = record.health, record.psychosocial, record.sealed_preview or SealedPreview()
    if not {"health", "psychosocial"} & set(included(record)):
        return None
    watch = psychosocial.self_harm.watch if psychosocial and psychosocial.self_harm else None
    return PreviewCare(
        infectious=health.infectious if health else sealed.infectious,
        medicines=(Answer.YES if health.medicines else health.takes_medicines) if health else sealed.medicines,
        self_harm_watch=watch if psychosocial else sealed.self_harm_watch,
    )


def _shelter_flags(record: Record) -> tuple[SafetyFlag, ...]:
    flags = list(record.safety.flags) if record.safety else []
    if guardian_suspected(record):
        flags.append(SafetyFlag.GUARDIAN_SUSPECTED)
    return tuple(flag for flag in dict.fromkeys(flags) if flag in SHELTER_FLAGS)


def guardian_suspected(record: Record) -> bool:
    """Whether a record says, openly or of a sealed section, that the guardian is suspected."""
    guardian = record.family.guardian if record.family else None
    said = record.sealed_preview.guardian_suspected if record.sealed_preview else None
    return said is Answer.YES or (guardian is not None and guardian.suspected is Answer.YES)

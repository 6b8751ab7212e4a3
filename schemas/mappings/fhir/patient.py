"""The person as a Patient, and those who are with them as RelatedPersons."""

from collections.abc import Collection, Iterable, Sequence

from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.relatedperson import RelatedPerson

from schemas.codes.answers import Answer
from schemas.codes.person import DocumentKind
from schemas.codes.places import AddressKind, ChannelKind
from schemas.codes.safety import SafetyFlag
from schemas.mappings.fhir.address import address, whereabouts
from schemas.mappings.fhir.parts import Json, Source, absent, coded, compact, fhir_date, hl7, listed, period, text
from schemas.mappings.fhir.systems import (
    COUNTRIES,
    EXTENSION,
    GENDER,
    GENDER_IDENTITY,
    IDENTIFIER_SYSTEM,
    IDENTIFIER_TYPE,
    LANGUAGES,
    MARITAL_STATUS,
    MISSING,
    NAME_USE,
    RELATIONSHIP,
    SATUSEHAT_PROFILES,
)
from schemas.record import Preview, Record
from schemas.record.contact import Channel, ContactSection, as_kept
from schemas.record.family import FamilySection, Guardian, Relative
from schemas.record.identity import Birth, Document, ExternalId, IdentitySection, PersonName
from schemas.record.location import LocationSection

_SYSTEM = {
    ChannelKind.MOBILE_PHONE: ("phone", "mobile"),
    ChannelKind.HOME_PHONE: ("phone", "home"),
    ChannelKind.WHATSAPP: ("phone", "mobile"),
    ChannelKind.EMAIL: ("email", None),
}
_MAIN_USE = {DocumentKind.NIK: "official", DocumentKind.PASSPORT: "official"}


def patient(
    source: Source, record: Record | None, preview: Preview | None, *, withheld: Collection[str] = ()
) -> Patient:
    """Return the person: from the record where it is open, else from the preview, else by the case's id alone."""
    if record is not None:
        found = _from_record(source, record, withheld)
    elif preview is not None:
        found = _from_preview(source, preview)
    else:
        found = {"meta": source.meta()}
    own = {"type": {"text": "case_id"}, "system": f"{source.url}/v1/cases", "value": str(source.case_id)}
    return Patient.model_validate(
        found | {"id": source.id("patient", source.case_id), "identifier": [own, *found.get("identifier", [])]}
    )


def _from_record(source: Source, record: Record, withheld: Collection[str]) -> Json:
    identity, family = record.identity, record.family
    used = [name for name in ("identity", "contact", "location", "family", "needs") if getattr(record, name)]
    found = compact(
        meta=source.meta(*used),
        telecom=_telecom(record.contact) if record.contact else None,
        address=_addresses(record.location, hidden=_hides_place(record, withheld)) if record.location else None,
        maritalStatus=source.concept(
            "marital_status",
            family.marital_status,
            also=hl7("v3-MaritalStatus", MARITAL_STATUS.get(family.marital_status)),
        )
        if family and family.marital_status
        else None,
    )
    extensions: list[Json] = []
    if identity:
        found |= _identity(source, identity)
        extensions = _identity_extensions(source, identity)
    if record.needs and record.needs.interpreter:
        extensions += _interpreter(record.needs.interpreter.needed)
    return found | compact(extension=extensions)


def _from_preview(source: Source, preview: Preview) -> Json:
    foreign = {Answer.YES: "WNA", Answer.NO: "WNI"}.get(preview.foreign_national or Answer.UNKNOWN)
    place = whereabouts(preview.country, preview.region)
    return {
        "meta": source.meta(),
        **(_gender(preview.sex) if preview.sex else {}),
        **compact(
            address=[place] if place else None,
            communication=[_spoken(tag) for tag in preview.languages],
            extension=[
                *([_citizenship(foreign)] if foreign else []),
                *(_interpreter(preview.interpreter.needed) if preview.interpreter else []),
            ],
        ),
    }


def _identity(source: Source, identity: IdentitySection) -> Json:
    found = compact(
        identifier=listed(
            [
                *(_paper(source, paper) for paper in identity.documents),
                *(_number_elsewhere(each) for each in identity.external_ids),
            ]
        ),
        name=[_name(each) for each in identity.names]
        or ([{"extension": [absent(identity.names_missing)]}] if identity.names_missing else None),
        communication=[_spoken(tag) for tag in identity.languages],
    )
    if identity.sex:
        found |= _gender(identity.sex)
    if identity.birth:
        found |= _birth(identity.birth)
    match identity.deceased:
        case None:
            pass
        case Answer.YES | Answer.NO:
            found["deceasedBoolean"] = identity.deceased is Answer.YES
        case unsaid:
            found["_deceasedBoolean"] = {"extension": [absent(unsaid)]}
    return found


def _identity_extensions(source: Source, identity: IdentitySection) -> list[Json]:
    found: list[Json] = []
    if identity.gender:
        also = coded("http://hl7.org/fhir/gender-identity", GENDER_IDENTITY.get(identity.gender))
        concept = source.concept("gender", identity.gender, also=also)
        found.append({"url": f"{EXTENSION}/patient-genderIdentity", "valueCodeableConcept": concept})
    nationalities: list[Json] = [{"coding": [{"system": COUNTRIES, "code": code}]} for code in identity.nationalities]
    if not nationalities and identity.nationalities_missing:
        nationalities = [{"extension": [absent(identity.nationalities_missing)]}]
    found += [
        {
            "url": f"{EXTENSION}/patient-nationality",
            "extension": [{"url": "code", "valueCodeableConcept": concept}],
        }
        for concept in nationalities
    ]
    if identity.nationalities:
        found.append(_citizenship("WNI" if "ID" in identity.nationalities else "WNA"))
    if identity.birth and identity.birth.place:
        place = {"text": text(identity.birth.place)}
        found.append({"url": f"{EXTENSION}/patient-birthPlace", "valueAddress": place})
    return found


def _citizenship(code: str) -> Json:
    return {"url": f"{SATUSEHAT_PROFILES}/citizenshipStatus", "valueCode": code}


def _interpreter(needed: Answer) -> list[Json]:
    """An extension has no place for a missing answer, which is an Observation instead."""
    if needed in MISSING:
        return []
    return [{"url": f"{EXTENSION}/patient-interpreterRequired", "valueBoolean": needed is Answer.YES}]


def _gender(sex: str) -> Json:
    if sex in GENDER:
        return {"gender": GENDER[sex]}
    return {"_gender": {"extension": [absent(sex)]}}


def _birth(birth: Birth) -> Json:
    """A date only as exact as it is known. An estimated age is an Observation; no date is made of it."""
    born = fhir_date(birth.date)
    if born:
        return {"birthDate": born}
    return {"_birthDate": {"extension": [absent(birth.missing or "unknown")]}}


def _name(name: PersonName) -> Json:
    return compact(
        use=NAME_USE.get(name.kind) if name.kind else None,
        text=text(name.full),
        prefix=[text(name.prefix)] if name.prefix else None,
        given=[text(part) for part in (name.given, name.middle) if part],
        family=text(name.family) if name.family else None,
    )


def _spoken(tag: str) -> Json:
    return {"language": {"coding": [{"system": LANGUAGES, "code": tag}]}}


def _paper(source: Source, paper: Document) -> Json | None:
    """A paper's number; not of one in another's name, under which a register would find somebody else."""
    if paper.number is None or paper.in_own_name is Answer.NO:
        return None
    return compact(
        use=_MAIN_USE.get(paper.kind),
        type=source.concept("document_kind", paper.kind, also=hl7("v2-0203", IDENTIFIER_TYPE.get(paper.kind))),
        system=IDENTIFIER_SYSTEM.get(paper.kind),
        value=text(paper.number),
        period=period(paper.issued_on, paper.expires_on),
        assigner={"display": text(paper.issuer)} if paper.issuer else None,
    )


def _number_elsewhere(external: ExternalId) -> Json:
    """The number in another system; its URI where the system is named by one, such as that of the SATUSEHAT (IHS) number."""
    if external.system.startswith(("https://", "http://", "urn:")) and not any(map(str.isspace, external.system)):
        return {"system": external.system, "value": text(external.number)}
    return {"type": {"text": text(external.system)}, "value": text(external.number)}


def _telecom(contact: ContactSection) -> list[Json]:
    """The channels anybody may use at any time without a word of care: a FHIR system calls and writes by itself."""
    return listed(
        contact_point(channel)
        for channel in contact.channels
        if channel.belongs_to is None and as_kept(channel.value) not in contact.barred
    )


def contact_point(channel: Channel) -> Json | None:
    """Return a channel that is safe without any condition; else nothing."""
    if not channel.is_free_to_use or channel.kind not in _SYSTEM:
        return None
    system, use = _SYSTEM[channel.kind]
    return compact(system=system, use=use, value=text(channel.value))


def _hides_place(record: Record, withheld: Collection[str]) -> bool:
    """Whether the place is to stay secret; with `safety` closed to the reader nobody knows, which is no permission."""
    if record.safety is None:
        return "safety" in withheld
    return SafetyFlag.CONFIDENTIAL_PLACE in record.safety.flags


def _addresses(location: LocationSection, *, hidden: bool) -> list[Json]:
    """The home, and where to write to; of where the person is now the regency. If that place is confidential, the home alone."""
    found: list[Json | None] = []
    for each in location.addresses:
        when = period(each.since, each.until)
        if each.kind is AddressKind.HOME:
            found.append(address(each.place, use="home", kind="physical", when=when))
        elif each.kind is AddressKind.POSTAL and not hidden:
            found.append(address(each.place, use=None, kind="postal", when=when))
        elif each.kind is AddressKind.CURRENT and not hidden:
            found.append(whereabouts(each.place.country, each.place.region, each.place))
    if not location.addresses and location.addresses_missing:
        found.append({"extension": [absent(location.addresses_missing)]})
    return listed(found)


def related_persons(source: Source, family: FamilySection) -> Iterable[RelatedPerson]:
    """Yield who is with the person; and the guardian, unless they may have had a part in it."""
    for place, relative in enumerate(family.accompanying):
        yield _relative(source, relative, place)
    guardian = family.guardian
    if guardian and guardian.suspected is Answer.NO:
        yield _guardian(source, guardian)


def _relative(source: Source, relative: Relative, place: int) -> RelatedPerson:
    return RelatedPerson.model_validate(
        {
            "id": source.fact_id("accompanying", place),
            "meta": source.meta("family"),
            "patient": source.patient,
            **compact(
                relationship=_relationship(source, [relative.relationship]),
                name=[{"text": text(relative.name)}] if relative.name else None,
            ),
            **(_gender(relative.sex) if relative.sex else {}),
            **(_birth(relative.birth) if relative.birth else {}),
        }
    )


def _guardian(source: Source, guardian: Guardian) -> RelatedPerson:
    standing = source.concept("guardian_standing", guardian.standing)
    return RelatedPerson.model_validate(
        {
            "id": source.fact_id("guardian"),
            "meta": source.meta("family"),
            "patient": source.patient,
            **compact(
                relationship=[
                    *_relationship(source, [guardian.relationship] if guardian.relationship else []),
                    standing,
                ],
                name=[{"text": text(guardian.name)}] if guardian.name else None,
                telecom=listed(contact_point(channel) for channel in guardian.channels if channel.belongs_to is None),
            ),
        }
    )


def _relationship(source: Source, codes: Sequence[str]) -> list[Json]:
    return [source.concept("relationship", code, also=hl7("v3-RoleCode", RELATIONSHIP.get(code))) for code in codes]

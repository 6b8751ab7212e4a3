"""What has no element of its own in FHIR and yet matters for care and safety: Observations, and Flags.

Each is about a field of the record, which is its code: `{exchange}/v1/record-fields`, a dotted path. An answer that is missing is
an Observation with a reason instead of a value.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from fhir.resources.R4B.flag import Flag
from fhir.resources.R4B.observation import Observation

from schemas.mappings.fhir.parts import Json, Source, coded, compact, listed, notes, quantity, text
from schemas.mappings.fhir.systems import HL7, LANGUAGES, LOINC, MISSING, PREGNANCY, SCREENING_SCORE
from schemas.record import Preview, Record
from schemas.record.common import SectionBase
from schemas.record.health import HealthSection
from schemas.record.identity import Birth, IdentitySection
from schemas.record.needs import Interpreter, NeedsSection
from schemas.record.preview import PreviewInterpreter
from schemas.record.psychosocial import PsychosocialSection, ScreeningResult


class _Section:
    """Makes the Observations of one section."""

    def __init__(self, source: Source, name: str, told_on: date | None, *, labelled: bool = True) -> None:
        self._source, self._name, self._on = source, name, told_on
        self._meta = source.meta(*((name,) if labelled else ()))

    def say(
        self, field: str, value: Json, *, on: date | None = None, also: Json | None = None, place: int = 0, **more: Any
    ) -> Observation:
        """Return an Observation of a field."""
        source, path = self._source, f"{self._name}.{field}"
        when = on or self._on
        category = "survey" if field.startswith(("screenings", "functioning")) else "social-history"
        return Observation.model_validate(
            {
                "id": source.fact_id(path, place),
                "meta": self._meta,
                "status": "final",
                "category": [{"coding": [{"system": f"{HL7}/observation-category", "code": category}]}],
                "code": source.field(path, also=also),
                "subject": source.patient,
                **compact(effectiveDateTime=when.isoformat() if when else None),
                **value,
                **compact(**more),
            }
        )

    def codes(self, field: str, name: str, codes: Sequence[str | None], **more: Any) -> Iterable[Observation]:
        """Yield an Observation for each code that is there."""
        for place, code in enumerate(codes):
            if code is not None:
                yield self.say(field, self.value(name, code), place=place, **more)

    def value(self, name: str, code: str, *, also: Json | None = None) -> Json:
        """Return a code as a value, or why there is none."""
        if code in MISSING:
            return {"dataAbsentReason": {"coding": [{"system": f"{HL7}/data-absent-reason", "code": MISSING[code]}]}}
        return {"valueCodeableConcept": self._source.concept(name, code, also=also)}

    def words(self, **fields: str | None) -> Iterable[Observation]:
        """Yield an Observation for each text that is there."""
        for field, value in fields.items():
            if value is not None:
                yield self.say(field, {"valueString": text(value)})


def _section(source: Source, name: str, section: SectionBase) -> _Section:
    return _Section(source, name, section.told_on)


def from_record(source: Source, record: Record) -> Iterable[Observation]:
    """Yield what the open sections of a record say."""
    if record.identity:
        yield from _identity(source, record.identity)
    if record.health:
        yield from _health(source, record.health)
    if record.psychosocial:
        yield from _psychosocial(source, record.psychosocial)
    if record.needs:
        yield from _needs(source, record.needs)


def from_preview(source: Source, preview: Preview) -> Iterable[Observation]:
    """Yield what a preview says: codes and counts, never a word."""
    said = _Section(source, "preview", None, labelled=False)
    for field, name, code in (
        ("age_band", "age_band", preview.age_band),
        ("age_disputed", "answer", preview.age_disputed),
        ("custody_or_investigation", "answer", preview.custody_or_investigation),
    ):
        yield from said.codes(field, name, [code])
    if preview.dependants:
        yield said.say("dependants.count", {"valueInteger": preview.dependants.count})
        yield from said.codes("dependants.age_bands", "age_band", preview.dependants.age_bands)
    if care := preview.care_tonight:
        yield from said.codes("care_tonight.infectious", "infection_precaution", [care.infectious])
        yield from said.codes("care_tonight.medicines", "answer", [care.medicines])
        yield from said.codes("care_tonight.self_harm_watch", "self_harm_watch", [care.self_harm_watch])
    if preview.preferences:
        yield from said.codes("preferences.with_dependants", "answer", [preview.preferences.with_dependants])
    if asked := preview.interpreter:
        yield from _interpreter(said, asked)


def _interpreter(said: _Section, asked: Interpreter | PreviewInterpreter) -> Iterable[Observation]:
    """Who has to interpret. Whether anybody has to is said of the Patient, where it was answered."""
    if asked.needed in MISSING:
        yield from said.codes("interpreter.needed", "answer", [asked.needed])
    yield from said.codes("interpreter.gender", "staff_gender", [asked.gender])
    yield from said.codes("interpreter.not_from_own_community", "answer", [asked.not_from_own_community])
    for place, tag in enumerate(asked.languages):
        spoken = {"valueCodeableConcept": {"coding": [{"system": LANGUAGES, "code": tag}]}}
        yield said.say("interpreter.languages", spoken, place=place)


def _identity(source: Source, identity: IdentitySection) -> Iterable[Observation]:
    said = _section(source, "identity", identity)
    if identity.birth:
        yield from _age(said, identity.birth)
    yield from said.codes("statelessness", "statelessness", [identity.statelessness])


def _age(said: _Section, birth: Birth) -> Iterable[Observation]:
    if birth.estimated_age is not None:
        yield said.say(
            "birth.estimated_age",
            {"valueQuantity": quantity(birth.estimated_age, "a")},
            on=birth.as_of,
            also={"system": LOINC, "code": "21611-9"},
        )
    yield from said.codes("birth.age_band", "age_band", [birth.age_band])
    yield from said.codes("birth.disputed", "answer", [birth.disputed])


def _health(source: Source, health: HealthSection) -> Iterable[Observation]:
    said = _section(source, "health", health)
    on = health.examined_on
    yield from said.codes("urgent", "urgent_care", health.urgent, on=on)
    yield from said.codes("infectious", "infection_precaution", [health.infectious], on=on)
    yield from said.codes("takes_medicines", "answer", [health.takes_medicines])
    yield from said.codes("fit_to_travel", "fit_to_travel", [health.fit_to_travel], on=on)
    yield from said.codes("insured", "answer", [health.insured])
    if health.pregnancy:
        status, weeks = health.pregnancy.status, health.pregnancy.weeks
        answered = said.value("answer", status, also=coded(LOINC, PREGNANCY.get(status)))
        yield said.say("pregnancy.status", answered, also={"system": LOINC, "code": "82810-3"})
        if weeks is not None:
            along = {"valueQuantity": quantity(weeks, "wk")}
            yield said.say("pregnancy.weeks", along, also={"system": LOINC, "code": "18185-9"})
        yield from said.codes("pregnancy.antenatal_care", "answer", [health.pregnancy.antenatal_care])
    if health.functioning:
        parts = [
            {"code": source.field(f"health.functioning.{name}"), **said.value("functioning", code)}
            for name, code in health.functioning
            if code is not None
        ]
        if parts:
            yield said.say("functioning", {"component": parts})
    for place, device in enumerate(health.assistive_devices):
        yield said.say("assistive_devices", {"valueString": text(device)}, place=place)
    yield from said.words(urgent_note=health.urgent_note, note=health.note)


def _psychosocial(source: Source, psychosocial: PsychosocialSection) -> Iterable[Observation]:
    said = _section(source, "psychosocial", psychosocial)
    for place, result in enumerate(psychosocial.screenings):
        yield _screening(source, said, result, place)
    yield from said.codes("signs", "distress_sign", psychosocial.signs)
    if harm := psychosocial.self_harm:
        watch = said.value("self_harm_watch", harm.watch)
        yield said.say("self_harm.watch", watch, on=harm.asked_on, note=notes(harm.plan))
    yield from said.codes("in_counselling", "answer", [psychosocial.in_counselling])
    yield from said.words(
        what_helps=psychosocial.what_helps, what_upsets=psychosocial.what_upsets, wishes=psychosocial.wishes
    )


def _screening(source: Source, said: _Section, result: ScreeningResult, place: int) -> Observation:
    """The result of a questionnaire; its answers are not in the record."""
    tool = source.concept("screening_tool", result.tool)
    cut_off = result.cut_off
    parts = [
        {"code": source.field("psychosocial.screenings.tool"), "valueCodeableConcept": tool},
        {"code": source.field("psychosocial.screenings.cut_off"), "valueQuantity": quantity(cut_off, "{score}")}
        if cut_off is not None
        else None,
    ]
    how = " ".join(text(each) for each in (result.tool_name, result.version) if each)
    return said.say(
        "screenings.score",
        {"valueQuantity": quantity(result.score, "{score}")} if result.score is not None else {},
        on=result.on,
        also=coded(LOINC, SCREENING_SCORE.get(result.tool)),
        place=place,
        interpretation=[source.concept("screening_outcome", result.outcome)] if result.outcome else None,
        method={"text": how} if how else None,
        component=listed(parts),
        performer=[{"identifier": {"system": f"{source.url}/v1/agencies", "value": result.by}}] if result.by else None,
    )


def _needs(source: Source, needs: NeedsSection) -> Iterable[Observation]:
    said = _section(source, "needs", needs)
    if needs.preferences:
        yield from said.codes("preferences.with_dependants", "answer", [needs.preferences.with_dependants])
    if asked := needs.interpreter:
        yield from _interpreter(said, asked)


def flags(source: Source, record: Record | None, preview: Preview | None) -> Iterable[Flag]:
    """Yield what everyone who deals with the person has to know. Whom not to contact is not named, only that there is somebody."""
    if record is None:
        for code in dict.fromkeys(preview.safety_flags) if preview else ():
            yield _flag(source, "safety", (), code, source.concept("safety_flag", code))
        return
    if record.safety:
        for code in dict.fromkeys(record.safety.flags):
            yield _flag(source, "safety", ("safety",), code, source.concept("safety_flag", code))
        if record.safety.must_know:
            told = source.field("safety.must_know") | {"text": text(record.safety.must_know)}
            yield _flag(source, "safety", ("safety",), "must_know", told)
    if record.contact and record.contact.do_not_contact:
        barred = source.field("contact.do_not_contact") | {
            "text": "Ada orang yang tidak boleh dihubungi. Baca rekaman sebelum menghubungi siapa pun."
        }
        yield _flag(source, "contact", ("contact",), "do_not_contact", barred)


def _flag(source: Source, category: str, sections: Sequence[str], key: str, code: Json) -> Flag:
    return Flag.model_validate(
        {
            "id": source.fact_id("flag", key),
            "meta": source.meta(*sections),
            "status": "active",
            "category": [{"coding": [{"system": f"{HL7}/flag-category", "code": category}]}],
            "code": code,
            "subject": source.patient,
        }
    )

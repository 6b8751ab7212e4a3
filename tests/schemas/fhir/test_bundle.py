"""A referral as a FHIR Bundle: complete, resolvable, no more exact than the record, and careful with what a system would act on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings

from schemas.codes import label
from schemas.mappings.fhir import bundle
from schemas.mappings.fhir.parts import fhir_date, period
from schemas.mappings.fhir.systems import NEED_PRIORITY, PRIORITY, REQUEST_STATUS, TASK_STATUS
from schemas.record import Record, included, preview_of
from tests.schemas.fhir.making import AT, URL, Json, consent, law, observed, only, referral, rendered, resources
from tests.schemas.record_strategies import MARK, previewed_records, records

HERE = Path(__file__).parents[3] / "app" / "demo" / "cases"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("case-[0-9]*.json"))}
RECORDS = {name: case["record"] for name, case in CASES.items() if "record" in case}
REQUIRED = {
    "ServiceRequest": {"status", "intent", "subject"},
    "Task": {"status", "intent"},
    "Consent": {"status", "scope", "category", "policyRule", "patient"},
    "Observation": {"status", "code"},
    "Flag": {"status", "code", "subject"},
    "Condition": {"subject"},
    "MedicationStatement": {"status", "medicationCodeableConcept", "subject"},
    "AllergyIntolerance": {"clinicalStatus", "patient"},
    "RelatedPerson": {"patient"},
    "Organization": {"identifier", "name"},
    "OperationOutcome": {"issue"},
    "Patient": {"identifier"},
}
"""What R4 requires, and what its invariants do (ppc-1, prr-1, ait-1, org-1)."""


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("reference"), str):
            yield part["reference"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def holds_together(found: Json) -> None:
    assert Bundle.model_validate_json(json.dumps(found)).type == "collection"
    addresses = [each["fullUrl"] for each in found["entry"]]
    assert len(set(addresses)) == len(addresses)
    assert set(references(found)) <= set(addresses)
    for each in found["entry"]:
        assert each["fullUrl"] == f"urn:uuid:{each['resource']['id']}"
        assert REQUIRED[each["resource"]["resourceType"]] <= set(each["resource"])
    assert {each["resource"]["resourceType"] for each in found["entry"]} >= {"Patient", "Task", "ServiceRequest"}


@pytest.mark.parametrize("name", RECORDS)
class TestEveryCaseOfTheDemonstration:
    def test_is_a_bundle(self, name):
        sections = list(included(Record.model_validate(RECORDS[name])))
        found = rendered(record=RECORDS[name], disclosures=[consent(sections=sections[:2]), law()])
        holds_together(found)
        names = [each["full"] for each in RECORDS[name]["identity"]["names"]]
        assert [each["text"] for each in only(found, "Patient")["name"]] == names
        asked = [each["code"]["coding"][0]["code"] for each in resources(found, "ServiceRequest")[1:]]
        assert asked == [each["need"] for each in RECORDS[name]["needs"]["services"]]

    def test_is_a_bundle_before_acceptance(self, name):
        shown = preview_of(Record.model_validate(RECORDS[name]), on=date(2026, 11, 2))
        found = rendered(state="sent", accepted_at=None, preview=shown.model_dump(mode="json"))
        holds_together(found)
        assert "name" not in only(found, "Patient")
        assert "birthDate" not in only(found, "Patient")


class TestAnyRecord:
    @given(record=records)
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    def test_is_a_bundle(self, record):
        holds_together(rendered(record=record, withheld=["narrative"], disclosures=[consent(), law()]))

    @given(record=previewed_records)
    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    def test_shows_no_word_of_it_before_acceptance(self, record):
        shown = preview_of(Record.model_validate(record), on=date(2026, 11, 2))
        found = rendered(state="sent", preview=shown.model_dump(mode="json"))
        holds_together(found)
        assert MARK not in json.dumps(found, ensure_ascii=False)


class TestWhoMayRead:
    def test_the_preview_is_restricted_and_the_record_very(self):
        for more, code in (({}, "R"), ({"record": {"identity": {"sex": "male"}}}, "V")):
            labels = only(rendered(**more), "Patient")["meta"]["security"]
            assert labels[0] == {
                "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                "code": code,
            }

    def test_a_resource_is_labelled_with_its_sections(self):
        found = rendered(record={"health": {"allergies": ["Penisilin"]}})
        labels = only(found, "AllergyIntolerance")["meta"]["security"]
        assert labels[1]["code"] == "health"

    def test_what_is_withheld_is_said_to_be(self):
        found = rendered(record={"identity": {"sex": "male"}}, withheld=["health", "narrative"])
        issues = only(found, "OperationOutcome")["issue"]
        assert [(each["code"], each["details"]["coding"][0]["code"]) for each in issues] == [
            ("suppressed", "health"),
            ("suppressed", "narrative"),
        ]
        assert only(found, "Patient")["meta"]["tag"][0]["code"] == "SUBSETTED"

    def test_with_neither_record_nor_preview_the_person_is_a_case(self):
        found = rendered(state="declined", withheld=["identity"])
        assert set(only(found, "Patient")) == {"resourceType", "id", "meta", "identifier"}

    def test_ids_stay_and_those_of_another_version_are_others(self):
        record = {"identity": {"sex": "male"}, "health": {"allergies": ["Penisilin"]}}
        first, again = rendered(record=record), rendered(record=record, version=9)
        other = rendered(record=record, record_version="00000000-0000-0000-0000-000000000009")
        assert first["entry"] == again["entry"]
        assert only(other, "Patient")["id"] == only(first, "Patient")["id"]
        assert only(other, "AllergyIntolerance")["id"] != only(first, "AllergyIntolerance")["id"]


class TestThePerson:
    def person(self, **record: Any) -> Json:
        return only(rendered(record=record), "Patient")

    @pytest.mark.parametrize("born", ["1998", "1998-03", "1998-03-14"])
    def test_is_born_no_more_exactly_than_was_told(self, born):
        assert self.person(identity={"birth": {"date": born}})["birthDate"] == born

    @pytest.mark.parametrize("unsure", ["199X", "1998~", "1998?", "1998-23", "1998/2000", "../1998", None])
    def test_has_no_date_made_of_an_uncertain_one(self, unsure):
        assert fhir_date(unsure) is None

    def test_has_no_birth_date_made_of_an_estimated_age(self):
        found = rendered(record={"identity": {"birth": {"estimated_age": 16, "as_of": "2026-11-02"}}})
        assert only(found, "Patient")["_birthDate"]["extension"][0]["valueCode"] == "unknown"
        assert "birthDate" not in only(found, "Patient")
        (age,) = observed(found, "identity.birth.estimated_age")
        assert (age["valueQuantity"]["value"], age["effectiveDateTime"]) == (16, "2026-11-02")

    @pytest.mark.parametrize(
        ("said", "reason"), [("unknown", "unknown"), ("not_asked", "not-asked"), ("declined", "asked-declined")]
    )
    def test_what_is_missing_says_why(self, said, reason):
        found = rendered(
            record={
                "identity": {
                    "names_missing": said,
                    "birth": {"missing": said},
                    "deceased": said,
                    "nationalities_missing": said,
                },
                "health": {"infectious": said},
            }
        )
        person = only(found, "Patient")
        for absent in (person["name"][0], person["_birthDate"], person["_deceasedBoolean"]):
            assert absent["extension"][0]["valueCode"] == reason
        (infectious,) = observed(found, "health.infectious")
        assert infectious["dataAbsentReason"]["coding"][0]["code"] == reason

    @pytest.mark.parametrize(
        ("sex", "gender"), [("male", "male"), ("female", "female"), ("intersex", "other"), ("unknown", "unknown")]
    )
    def test_has_an_administrative_gender(self, sex, gender):
        assert self.person(identity={"sex": sex})["gender"] == gender

    def test_who_was_not_asked_is_not_of_unknown_gender(self):
        person = self.person(identity={"sex": "not_asked"})
        assert "gender" not in person
        assert person["_gender"]["extension"][0]["valueCode"] == "not-asked"

    def test_a_mononym_is_a_whole_name(self):
        assert self.person(identity={"names": [{"full": "Tarmuji", "kind": "registered"}]})["name"] == [
            {"use": "official", "text": "Tarmuji"}
        ]

    def test_is_found_by_the_numbers_satusehat_looks_up(self):
        papers = [
            {"kind": "nik", "number": "9901011403950001"},
            {"kind": "family_card", "number": "9901011403950002"},
            {"kind": "passport", "number": "X0000001", "issued_on": "2023-08"},
            {"kind": "nik", "number": "9901011403950003", "in_own_name": "no"},
            {"kind": "seamans_book"},
        ]
        ihs = {"system": "https://fhir.kemkes.go.id/id/ihs-number", "number": "P00000000001"}
        numbers = self.person(identity={"documents": papers, "external_ids": [ihs]})["identifier"][1:]
        assert [(each["system"].removeprefix("https://fhir.kemkes.go.id/id/"), each["value"]) for each in numbers] == [
            ("nik", "9901011403950001"),
            ("kk", "9901011403950002"),
            ("paspor", "X0000001"),
            ("ihs-number", "P00000000001"),
        ]
        assert numbers[2]["period"] == {"start": "2023-08"}

    def test_a_marriage_that_no_register_knows_is_not_made_a_registered_one(self):
        unregistered = self.person(family={"marital_status": "married_unregistered"})["maritalStatus"]
        assert [each["code"] for each in unregistered["coding"]] == ["married_unregistered"]
        married = self.person(family={"marital_status": "married"})["maritalStatus"]
        assert [each["code"] for each in married["coding"]] == ["M", "married"]


class TestWhatASystemWouldActOn:
    def telecom(self, channels: list[Json], **more: Any) -> list[str]:
        person = only(rendered(record={"contact": {"channels": channels, **more}}), "Patient")
        return [each["value"] for each in person.get("telecom", [])]

    def channel(self, **more: Any) -> Json:
        return {"kind": "mobile_phone", "value": "+628110000012", "safe": "yes", **more}

    def test_a_safe_number_is_there(self):
        assert self.telecom([self.channel()]) == ["+628110000012"]

    @pytest.mark.parametrize(
        "more",
        [
            {"safe": "no"},
            {"safe": "unknown"},
            {"safe": "not_asked"},
            {"safe": "declined"},
            {"belongs_to": "sibling"},
            {"when": "malam"},
            {"speak_as": "teman lama"},
            {"leave_message": "no"},
            {"leave_message": "unknown"},
        ],
    )
    def test_any_other_is_nowhere(self, more):
        found = json.dumps(rendered(record={"contact": {"channels": [self.channel(**more)]}}))
        assert "8110000012" not in found

    def test_a_number_not_to_be_used_is_nowhere_and_a_flag_says_so(self):
        barred = [{"who": "employer", "name": "Juragan", "value": "+628110000012"}]
        record = {"contact": {"channels": [self.channel()], "do_not_contact": barred}}
        found = rendered(record=record)
        assert "8110000012" not in json.dumps(found)
        assert "Juragan" not in json.dumps(found)
        assert only(found, "Flag")["category"][0]["coding"][0]["code"] == "contact"

    @pytest.mark.parametrize("typed", ["0811 000 0012", "+62 811-000-0012", "628110000012"])
    def test_nor_is_one_that_was_typed_otherwise(self, typed):
        barred = [{"who": "employer", "value": typed}]
        assert self.telecom([self.channel()], do_not_contact=barred) == []
        mail = {"kind": "email", "value": "melati@contoh.example", "safe": "yes"}
        assert self.telecom([mail], do_not_contact=[{"who": "employer", "value": "Melati@Contoh.example"}]) == []

    def test_a_suspected_guardian_is_nowhere(self):
        for suspected, there in (("no", 1), ("yes", 0), ("unknown", 0), ("not_asked", 0)):
            guardian = {"standing": "parent", "suspected": suspected, "name": "Wali"}
            found = rendered(record={"family": {"guardian": guardian}})
            assert len(resources(found, "RelatedPerson")) == there
            assert json.dumps(found).count('"Wali"') == there

    def place(self, kind: str, **more: Any) -> Json:
        place = {"street": "Jalan Cempaka 17", "rt": "001", "regency": "Kota Ambon", "region": "81.71.01.1001"}
        return {"addresses": [{"kind": kind, "place": {**place, "country": "ID", **more}}]}

    def test_the_home_is_written_as_satusehat_reads_it(self):
        (home,) = only(rendered(record={"location": self.place("home")}), "Patient")["address"]
        assert (home["use"], home["line"], home["city"]) == ("home", ["Jalan Cempaka 17", "RT 001"], "Kota Ambon")
        (extension,) = home["extension"]
        assert extension["url"] == "https://fhir.kemkes.go.id/r4/StructureDefinition/administrativeCode"
        assert {each["url"]: each["valueCode"] for each in extension["extension"]} == {
            "province": "81",
            "city": "8171",
            "district": "817101",
            "village": "8171011001",
            "rt": "001",
        }

    def test_where_the_person_is_now_ends_at_the_regency(self):
        found = rendered(record={"location": self.place("current")})
        (here,) = only(found, "Patient")["address"]
        assert "Cempaka" not in json.dumps(found)
        assert (here["use"], here["city"]) == ("temp", "Kota Ambon")
        assert [each["valueCode"] for each in here["extension"][0]["extension"]] == ["81", "8171"]

    def test_a_confidential_place_is_not_there_at_all(self):
        record = {"location": self.place("current"), "safety": {"flags": ["confidential_place"]}}
        assert "address" not in only(rendered(record=record), "Patient")
        assert "address" not in only(rendered(record=record | {"location": self.place("postal")}), "Patient")

    @pytest.mark.parametrize("kind", ["current", "postal"])
    def test_nor_one_that_may_be_confidential_because_safety_is_closed_to_the_reader(self, kind):
        record = {"location": self.place(kind)}
        assert "address" in only(rendered(record=record), "Patient")
        assert "address" not in only(rendered(record=record, withheld=["safety"]), "Patient")

    @pytest.mark.parametrize("kind", ["found", "origin", "intended"])
    def test_other_places_are_not_addresses_of_the_person(self, kind):
        assert "address" not in only(rendered(record={"location": self.place(kind)}), "Patient")

    def test_a_vessel_is_no_address(self):
        home = {"kind": "home", "place": {"kind": "vessel", "vessel": {"name": "Samudra Contoh 8"}}}
        assert "address" not in only(rendered(record={"location": {"addresses": [home]}}), "Patient")


class TestTheReferral:
    def test_every_state_has_its_place(self):
        for state, status in REQUEST_STATUS.items():
            found = rendered(state=state)
            assert only(found, "ServiceRequest")["status"] == status
            expected = TASK_STATUS.get(state, "accepted")
            assert only(found, "Task")["status"] == expected
            (ours,) = only(found, "Task")["businessStatus"]["coding"]
            assert ours == {
                "system": f"{URL}/v1/code-lists/referral_state",
                "code": state,
                "display": label("referral_state", state),
            }

    def test_asking_to_cancel_does_not_stop_what_has_started(self):
        started = rendered(state="cancel_requested", started_at="2026-11-03T00:00:00Z")
        assert only(started, "Task")["status"] == "in-progress"

    def test_urgency_is_priority(self):
        for urgency, priority in PRIORITY.items():
            assert only(rendered(urgency=urgency), "ServiceRequest")["priority"] == priority

    def test_each_need_has_its_own_priority(self):
        needs = [
            {"need": need, "priority": when}
            for need, when in zip(("medical", "psychosocial", "legal_aid"), NEED_PRIORITY, strict=True)
        ]
        _, *asked = resources(rendered(record={"needs": {"services": needs}}), "ServiceRequest")
        assert [each["priority"] for each in asked] == ["stat", "urgent", "routine"]

    def test_why_it_ended(self):
        ending = {"reason": "no_place", "text": "Penuh.", "suggested_receivers": [], "outcomes": []}
        reason = only(rendered(state="declined", ending=ending), "Task")["statusReason"]
        assert (reason["coding"][0]["code"], reason["text"]) == ("no_place", "Penuh.")
        recalled = only(rendered(state="recalled", ending=ending | {"reason": "Sudah pulang."}), "Task")
        assert recalled["statusReason"] == {"text": "Sudah pulang.\nPenuh."}

    def test_what_became_of_each_need(self):
        outcomes = [{"need": "medical", "outcome": "met"}]
        ending = {"reason": None, "text": None, "suggested_receivers": [], "outcomes": outcomes}
        (output,) = only(rendered(state="completed", ending=ending), "Task")["output"]
        assert output["valueCodeableConcept"]["coding"][0]["code"] == "met"


class TestTheBases:
    def test_consent_says_to_whom_for_what_and_that_it_may_not_be_passed_on(self):
        one = only(rendered(disclosures=[consent(until="2027-01-01T00:00:00Z")]), "Consent")
        provision = one["provision"]
        assert one["status"] == "active"
        assert one["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{UUID(int=4)}"}]
        assert [each["code"] for each in provision["class"]] == ["identity", "needs"]
        assert provision["period"] == {"end": "2027-01-01T00:00:00Z"}
        assert [each["coding"][0]["code"] for each in provision["action"]] == ["access", "use"]
        assert provision["provision"][0]["type"] == "deny"

    def test_consent_may_allow_to_pass_it_on(self):
        provision = only(rendered(disclosures=[consent(onward=True)]), "Consent")["provision"]
        assert [each["coding"][0]["code"] for each in provision["action"]] == ["access", "use", "disclose"]
        assert "provision" not in provision

    @pytest.mark.parametrize("access", ["locked", "ended", "closed"])
    def test_a_consent_that_no_longer_holds_is_inactive(self, access):
        assert only(rendered(disclosures=[consent(access=access)]), "Consent")["status"] == "inactive"

    def test_a_duty_by_law_is_no_consent(self):
        found = rendered(disclosures=[law()])
        assert resources(found, "Consent") == []
        (basis,) = only(found, "Task")["input"]
        assert basis["type"]["coding"][0]["code"] == "legal_obligation"
        assert basis["valueCodeableConcept"]["text"] == "Pasal 51"


class TestHealth:
    def test_has_resources_of_its_own(self):
        health = {
            "conditions": [{"name": "Tuberkulosis", "icd_10": "A15.0", "since": "2025-11"}],
            "medicines": [{"name": "Rifampisin", "dose": "450 mg", "times": "pagi"}],
            "allergies": ["Penisilin"],
            "pregnancy": {"status": "yes", "weeks": 20},
        }
        found = rendered(record={"health": health})
        assert only(found, "Condition")["onsetDateTime"] == "2025-11"
        assert only(found, "MedicationStatement")["dosage"] == [{"text": "450 mg; pagi"}]
        assert only(found, "AllergyIntolerance")["code"] == {"text": "Penisilin"}
        (pregnant,) = observed(found, "health.pregnancy.status")
        assert [each["code"] for each in pregnant["valueCodeableConcept"]["coding"]] == ["LA15173-0", "yes"]

    @pytest.mark.parametrize(("score", "written"), [(9, "9"), (9.0, "9"), (9.5, "9.5"), (0.1, "0.1"), (1000, "1000")])
    def test_a_score_is_as_exact_as_it_was(self, score, written):
        record = {"psychosocial": {"screenings": [{"tool": "phq_9", "score": score}]}}
        found = bundle(referral(record=record), url=URL, at=AT).model_dump_json()
        assert f'"valueQuantity":{{"value":{written},' in found


class TestMessyTruth:
    def test_a_period_that_ends_before_it_begins_is_left_out(self):
        assert period("2026-05", "2026-04-30") is None
        assert period("2026-05-02", "2026") == {"start": "2026-05-02", "end": "2026"}
        assert period(None, None) is None

    def test_white_space_is_that_of_ascii(self):
        found = rendered(record={"health": {"note": "satu\u00a0dua\u2028tiga"}})
        (note,) = observed(found, "health.note")
        assert note["valueString"] == "satu dua\ntiga"

    def test_the_same_flag_twice_is_one(self):
        found = rendered(record={"safety": {"flags": ["no_visitors", "no_visitors"]}})
        holds_together(found)

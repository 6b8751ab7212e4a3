"""The preview says enough to answer, in codes, and nothing that names or finds the person."""

import json
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings

from schemas import Record, preview_of
from schemas.record.age import age_band, is_child
from schemas.record.identity import Birth
from tests.makers.effort import examples
from tests.schemas.record_strategies import MARK, previewed_records

TODAY = date(2026, 11, 25)
NEEDS = {"services": [{"need": "shelter_men", "priority": "now", "note": "hush"}]}


def preview(**sections):
    return preview_of(Record.model_validate(sections), on=TODAY).model_dump(mode="json", exclude_none=True)


def words(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from words(value)
    elif isinstance(node, list):
        for value in node:
            yield from words(value)
    elif isinstance(node, str):
        yield node


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(previewed_records)
def test_no_name_and_no_free_text_of_a_record_is_ever_in_its_preview(drawn):
    shown = preview_of(Record.model_validate(drawn), on=TODAY).model_dump(mode="json", exclude_none=True)
    arrival = {shown.pop("arrives_from", None), shown.pop("arrives_until", None)} - {None}
    written = json.dumps(shown, ensure_ascii=False)
    assert MARK not in written
    assert "hush" not in written
    for word in words(shown):
        assert len(word) <= 40
        # No date, no number of a paper or phone, no village: only a regency's code has digits and a full stop.
        assert not any(run.isdigit() and len(run) > 2 for run in word.replace("_", ".").split("."))
    assert len(arrival) <= 2
    assert len(shown.get("region", "")) <= len("81.07")


class TestBeforeAnySection:
    def test_nothing_is_shown(self):
        assert preview() == {"needs": [], "languages": [], "safety_flags": []}


class TestNeeds:
    def test_with_coded_preferences_only(self):
        preferences = {
            "staff_gender": "men", "room": "family", "accessible": ["sign_language"], "with_dependants": "yes",
            "diet": ["halal"], "near": "hush", "faith_practice": "hush", "note": "hush",
        }  # fmt: skip
        shown = preview(needs=NEEDS | {"preferences": preferences, "note": "hush", "travel": "hush"})
        assert shown["needs"] == [{"need": "shelter_men", "priority": "now"}]
        assert shown["preferences"] == {
            "staff_gender": "men", "room": "family", "accessible": ["sign_language"], "with_dependants": "yes",
            "diet": ["halal"],
        }  # fmt: skip

    def test_with_arrival_and_escort(self):
        window = {
            "arrives_from": "2026-11-25T09:00:00+09:00",
            "arrives_until": "2026-11-25T12:00:00+09:00",
            "escort": "police",
        }
        shown = preview(needs=NEEDS | window)
        assert (shown["arrives_from"], shown["arrives_until"], shown["escort"]) == (
            "2026-11-25T00:00:00Z", "2026-11-25T03:00:00Z", "police",
        )  # fmt: skip

    def test_with_the_interpreter_by_language(self):
        asked = {"needed": "yes", "languages": ["mnw", "my-x-hush"], "gender": "men", "not_from_own_community": "yes"}
        assert preview(needs=NEEDS | {"interpreter": asked})["interpreter"] == asked | {"languages": ["mnw", "my"]}


class TestWhere:
    def test_only_where_the_person_is_now_and_to_the_regency(self):
        addresses = [
            {"kind": "home", "place": {"region": "33.28.01.2001", "country": "ID"}},
            {"kind": "current", "place": {"region": "81.07.03.2001", "country": "ID", "name": "hush"}},
        ]
        shown = preview(location={"addresses": addresses})
        assert (shown["country"], shown["region"]) == ("ID", "81.07")

    def test_not_at_all_where_that_is_not_said(self):
        shown = preview(location={"addresses": [{"kind": "home", "place": {"region": "33.28"}}]})
        assert "region" not in shown


@pytest.mark.parametrize(
    ("birth", "band"),
    [
        ({"date": "2026-11-25"}, "age_0_5"),
        ({"date": "2008-11-26"}, "age_12_17"),
        ({"date": "2008-11-25"}, "age_18_24"),
        ({"date": "2008-11"}, "age_12_17"),  # as late as the 30th: the younger reading
        ({"date": "2008"}, "age_12_17"),
        ({"date": "2007"}, "age_18_24"),
        ({"date": "1966-11-25"}, "age_60_over"),
        ({"date": "2100"}, "age_0_5"),
        ({"estimated_age": 15, "as_of": "2026-07-06"}, "age_12_17"),
        ({"estimated_age": 15, "as_of": "2023-11-25"}, "age_18_24"),
        ({"age_band": "child"}, "child"),
        ({"missing": "declined"}, "declined"),
        ({}, "unknown"),
    ],
)
def test_the_age_is_a_band_of_the_youngest_reading(birth, band):
    assert age_band(Birth.model_validate(birth), on=TODAY) == band
    assert preview(identity={"birth": birth})["age_band"] == band


@pytest.mark.parametrize(
    ("birth", "answer"),
    [
        ({"date": "2010"}, "yes"),
        ({"date": "1990"}, "no"),
        ({"date": "1990", "disputed": "yes"}, "yes"),
        ({"age_band": "adult"}, "no"),
        ({"missing": "not_asked"}, "not_asked"),
        ({}, "unknown"),
    ],
)
def test_who_is_to_be_treated_as_a_child(birth, answer):
    assert is_child(Birth.model_validate(birth), on=TODAY) == answer


@pytest.mark.parametrize(
    ("identity", "answer"),
    [
        ({"nationalities": ["ID"]}, "no"),
        ({"nationalities": ["MY", "ID"]}, "no"),
        ({"nationalities": ["MM"]}, "yes"),
        ({"statelessness": "stateless"}, "yes"),
        ({"statelessness": "at_risk"}, "unknown"),
        ({"nationalities_missing": "not_asked"}, "not_asked"),
        ({}, "unknown"),
    ],
)
def test_whether_a_foreign_national(identity, answer):
    assert preview(identity=identity)["foreign_national"] == answer


@pytest.mark.parametrize(
    ("legal", "answer"),
    [
        ({"custody": "police"}, "yes"),
        ({"custody": "immigration"}, "yes"),
        ({"roles": ["victim", "suspect"], "custody": "free"}, "yes"),
        ({"under_suspicion": "yes"}, "yes"),
        ({"custody": "free", "under_suspicion": "no"}, "no"),
        ({"custody": "free", "roles": ["victim", "witness"], "stage": "investigation"}, "no"),
        ({"custody": "protective", "roles": ["victim"]}, "no"),
        ({"custody": "free"}, "unknown"),
        ({"custody": "free", "roles": ["not_asked"]}, "unknown"),
        ({"under_suspicion": "no"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_whether_held_or_proceeded_against(legal, answer):
    assert preview(legal=legal)["custody_or_investigation"] == answer


def test_care_tonight():
    health = {
        "infectious": "droplet",
        "takes_medicines": "unknown",
        "medicines": [{"name": "hush"}],
        "urgent": ["fever"],
    }
    psychosocial = {"self_harm": {"watch": "observe", "plan": "hush"}}
    assert preview(health=health, psychosocial=psychosocial)["care_tonight"] == {
        "infectious": "droplet", "medicines": "yes", "self_harm_watch": "observe",
    }  # fmt: skip
    assert preview(health={"takes_medicines": "not_asked"})["care_tonight"] == {"medicines": "not_asked"}


def test_dependants_who_must_stay_together():
    family = {
        "accompanying": [
            {"relationship": "spouse", "name": "hush", "stays_together": "yes", "birth": {"date": "1992-10"}},
            {"relationship": "child", "stays_together": "yes", "birth": {"date": "2021-03-08"}},
            {"relationship": "cousin", "stays_together": "no"},
        ]
    }
    assert preview(family=family)["dependants"] == {"count": 2, "age_bands": ["age_25_39", "age_0_5"]}


def test_flags_that_bind_a_shelter():
    flags = ["must_not_tell_family", "witness_at_risk", "risk_of_being_followed", "must_not_tell_family"]
    guardian = {"guardian": {"standing": "by_custom", "suspected": "yes"}}
    assert preview(safety={"flags": flags}, family=guardian)["safety_flags"] == [
        "must_not_tell_family", "risk_of_being_followed", "guardian_suspected",
    ]  # fmt: skip


def test_the_same_record_gives_the_same_preview():
    sections = {"needs": NEEDS, "identity": {"sex": "male", "languages": ["jv", "jv-Java", "id"]}}
    assert preview(**sections) == preview(**sections)
    assert preview(**sections)["languages"] == ["jv", "id"]

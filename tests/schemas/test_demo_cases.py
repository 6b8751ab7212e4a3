"""The demo's cases are valid records, and their acts speak codes, keep to a basis and find a lead."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from schemas import AgencyCode, CountryCode, Record, RegionCode, code_list, included, preview_of
from schemas.codes import ENUMS
from schemas.text import LanguageTag

HERE = Path(__file__).parents[2] / "app" / "demo" / "cases"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("case-[0-9]*.json"))}
GROUP, FAMILY = CASES.pop("case-03-group"), CASES.pop("case-06-family")
AGENCIES = {
    agency["code"]: agency for agency in json.loads((HERE / "agencies.json").read_text(encoding="utf-8"))["agencies"]
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def codes(name):
    return {entry.code for entry in code_list(name).codes}


def acts(case, *kinds):
    return [act for act in case["acts"] if act["act"] in kinds]


def test_all_ten_are_there_and_the_third_is_several_people():
    assert {name[:7] for name in CASES} == {f"case-{n:02}" for n in range(1, 11)}
    assert len([name for name in CASES if name.startswith("case-03")]) + len(GROUP["members"]) == 18
    assert GROUP["template"] in CASES
    assert {member["sex"] for member in GROUP["members"]} <= codes("sex")
    assert {member["paper"] for member in GROUP["members"]} <= codes("document_kind")


@every_case
class TestRecord:
    def test_is_valid_and_complete_enough(self, case):
        record = Record.model_validate(case["record"])
        needed = {section for act in acts(case, "referral", "transfer") for section in act["sections"]}
        assert needed <= set(included(record))
        assert 4_000 <= len(json.dumps(case["record"], ensure_ascii=False).encode()) <= 12_000

    def test_has_a_preview(self, case):
        shown = preview_of(Record.model_validate(case["record"]), on=date.fromisoformat(case["day_zero"]))
        assert shown.needs
        assert shown.age_band not in (None, "unknown")

    def test_belongs_to_nobody(self, case):
        written = json.dumps(case["record"])
        assert all(number.startswith("99") for number in re.findall(r"\b[0-9]{16}\b", written))
        for digits in re.findall(r'"(\+?[0-9][0-9 \-]{7,})"', written):
            plain = re.sub(r"\D", "", digits)
            if len(plain) != 16 and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", digits):
                assert re.fullmatch(r"(62|0)811000000?0[0-9]+", plain), digits

    def test_does_not_brand_anyone(self, case):
        written = json.dumps(case, ensure_ascii=False).lower()
        for word in ("ilegal", "illegal", "bekas korban", "pria gagal", "pembohong", "salah sendiri"):
            assert word not in written


@every_case
class TestActs:
    def test_are_in_order_and_begin_with_opening(self, case):
        days = [act["day"] for act in case["acts"]]
        assert case["acts"][0]["act"] == "open"
        assert days == sorted(days)
        assert {act["act"] for act in case["acts"]} <= {"open", "consent", "referral", "transfer", "event"}

    def test_are_between_agencies_of_the_directory(self, case):
        for act in case["acts"]:
            assert act["from"] in AGENCIES
            assert act.get("to", act["from"]) in AGENCIES
            assert set(act.get("agencies", [])) <= set(AGENCIES)

    def test_speak_codes(self, case):
        for act in acts(case, "referral", "transfer"):
            assert act["purpose"] in codes("purpose")
            assert act["urgency"] in codes("urgency")
            assert set(act["sections"]) <= codes("section")
            assert act["answer"] in ("accepted", "declined", "none")
            assert (act["answer"] == "declined") == ("decline_reason" in act)
            assert (act["answer"] == "none") == ("then" in act)
            assert (act.get("then") == "events") == (act.get("group") in ("beds", "night") and act["answer"] == "none")
            assert act.get("decline_reason", "other") in codes("decline_reason")
            assert act.get("then", "recall") in ("recall", "expire", "events")
            assert {service["service"] for service in act.get("services", [])} <= codes("service")
            assert {outcome["outcome"] for outcome in act.get("outcomes", [])} <= codes("need_outcome")
            assert act.get("handover", {"paper": "issued"})["paper"] in codes("handover_paper")
        for act in acts(case, "consent"):
            assert act["giver"] in codes("consent_giver")
            assert act["method"] in codes("consent_method")
            assert act["interpreter"] in codes("interpreter_role")
            assert set(act["purposes"]) <= codes("purpose")
            assert TypeAdapter(LanguageTag).validate_python(act["language"]) == act["language"]
            assert act["until_days"] > 0

    def test_ask_for_needs_of_the_record(self, case):
        told = {service["need"] for service in case["record"]["needs"]["services"]}
        for act in acts(case, "referral", "transfer"):
            assert act["needs"]
            assert set(act["needs"]) <= told
            assert {outcome["need"] for outcome in act.get("outcomes", [])} in (set(), set(act["needs"]))

    def test_rest_on_one_basis_for_each_section(self, case):
        for act in acts(case, "referral", "transfer"):
            covered = [section for basis in act["bases"] for section in basis["sections"]]
            assert sorted(covered) == sorted(act["sections"])
            assert "needs" in act["sections"]
            assert set(act.get("sealed", [])) <= set(act["sections"]) - {"needs", "safety"}
            for basis in act["bases"]:
                assert basis["kind"] in codes("disclosure_basis")
                if basis["kind"] == "consent":
                    consent = next(c for c in acts(case, "consent") if c["id"] == basis["consent"])
                    assert consent["day"] <= act["day"] <= consent["day"] + consent["until_days"]
                    assert set(basis["sections"]) <= set(consent["sections"])
                    assert act["to"] in consent["agencies"]
                    assert act["purpose"] in consent["purposes"]
                elif basis["kind"] == "vital_interest":
                    assert basis["reason"]
                else:
                    assert basis["legal_basis"]["code"] in codes("legal_basis")
                    assert basis["legal_basis"]["article"]
                    assert basis["reason"]

    def test_are_done_by_who_may(self, case):
        leads = {case["acts"][0]["from"]} | {act["to"] for act in acts(case, "transfer") if "handover" in act}
        for act in acts(case, "referral", "transfer"):
            assert act["from"] in leads or "onward" in act, act


def test_one_is_recalled_and_one_expires():
    ends = [act["then"] for case in CASES.values() for act in acts(case, "referral") if "then" in act]
    assert sorted(ends) == ["events", "events", "expire", "recall"]


def test_events_point_at_what_is_there():
    for case in CASES.values():
        named = {act["name"]: act for act in case["acts"] if "name" in act}
        for act in acts(case, "event"):
            assert act.get("about", next(iter(named), None)) in {*named, None}
            if act["kind"] in ("hold", "request_cancel", "refuse_cancel", "abort", "withdraw_consent"):
                assert "why" in act or "consent" in act
            assert act.get("status", "identified") in codes("identification_status")
            assert act.get("link", "group") in codes("case_link")
            if "consent" in act:
                assert act["consent"] in {consent["id"] for consent in acts(case, "consent")}
            for correction in act.get("corrections", []):
                node = case["record"]
                for step in correction["pointer"].split("/")[1:]:
                    node = node[int(step)] if isinstance(node, list) else node[step]
                assert node != correction["value"]


def test_the_directory_speaks_codes_and_knows_its_parents():
    assert len(AGENCIES) == 61
    for agency in AGENCIES.values():
        assert TypeAdapter(AgencyCode).validate_python(agency["code"])
        assert TypeAdapter(CountryCode).validate_python(agency["country"])
        assert agency["region"] is None or TypeAdapter(RegionCode).validate_python(agency["region"])
        assert agency["kind"] in codes("agency_kind")
        assert agency["residential"] in codes("accepts")
        assert set(agency["accepts"]) == codes("agency_group")
        assert set(agency["accepts"].values()) <= codes("accepts")
        assert agency["parent"] is None or agency["parent"] in AGENCIES


def test_every_extension_belongs_to_an_agency_of_the_directory():
    assert all(set(case["record"].get("extensions", {})) <= set(AGENCIES) for case in CASES.values())
    assert len(ENUMS) > 80

"""Each warning: a record that has it, one close by that has not; and how all of them come."""

from copy import deepcopy
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings

from schemas.checks import MAX_WARNINGS, warnings_of, words_of
from schemas.codes.warnings import WarningCode
from schemas.record import Record
from tests.makers.effort import examples
from tests.schemas.record_strategies import records

TODAY = date(2026, 11, 25)


def warned(**sections):
    """The warnings of a record of these sections, as pairs of code and pointer."""
    return [(each.code.value, each.pointer) for each in warnings_of(Record(**sections), on=TODAY)]


def born(written, **identity):
    return {"birth": {"date": written}, **identity}


def nik(number, **more):
    return [{"kind": "nik", "number": number, **more}]


def episode(**facts):
    return {"episodes": [facts]}


def place(**facts):
    return {"addresses": [{"kind": "current", "place": facts}]}


def channel(value, safe="yes", kind="mobile_phone"):
    return {"kind": kind, "value": value, "safe": safe}


def guardian(**facts):
    return {"guardian": {"standing": "parent", "suspected": "yes", **facts}}


HERE = "/location/addresses/0/place"

# code, what has it, where it is said, and what is close by but has not
CASES = [
    ("date_in_future", {"identity": born("2027")}, "/identity/birth/date", {"identity": born("2026")}),
    (
        "date_in_future",
        {"safety": {"told_on": "2026-11-27"}},
        "/safety/told_on",
        {"safety": {"told_on": "2026-11-26"}},  # it is tomorrow already in Jayapura
    ),
    (
        "date_in_future",
        {"legal": {"police_reports": [{"made_on": "2027-01"}]}},
        "/legal/police_reports/0/made_on",
        {"migration": {"permit_until": "2027-01"}},
    ),
    (
        "dates_reversed",
        {"exploitation": episode(started="2026-03", ended="2024")},
        "/exploitation/episodes/0/ended",
        {"exploitation": episode(started="2026-03", ended="2026")},
    ),
    (
        "dates_reversed",
        {"migration": {"left_on": "2025-06", "entered_on": "2025-05"}},
        "/migration/entered_on",
        {"migration": {"left_on": "2025-06", "entered_on": "2025-XX"}},
    ),
    (
        "dates_reversed",
        {"identity": {"documents": [{"kind": "passport", "issued_on": "2028", "expires_on": "2027"}]}},
        "/identity/documents/0/expires_on",
        {"identity": {"documents": [{"kind": "passport", "issued_on": "2022", "expires_on": "2027"}]}},
    ),
    (
        "before_birth",
        {"identity": born("1998-04"), "migration": {"entered_on": "1997"}},
        "/migration/entered_on",
        {"identity": born("1998-04?"), "migration": {"entered_on": "1997"}},
    ),
    (
        "before_birth",
        {"identity": born("1998"), "exploitation": episode(started="199X", ended="1997-12")},
        "/exploitation/episodes/0/ended",
        {"identity": born("1998"), "exploitation": episode(started="199X")},
    ),
    ("age_improbable", {"identity": born("1890")}, "/identity/birth/date", {"identity": born("1906")}),
    (
        "age_improbable",
        {"identity": {"birth": {"estimated_age": 128, "as_of": "2026-01-01"}}},
        "/identity/birth/estimated_age",
        {"identity": {"birth": {"estimated_age": 119, "as_of": "2026-01-01"}}},
    ),
    (
        "estimate_far_from_birth",
        {"identity": {"birth": {"date": "1990", "estimated_age": 25, "as_of": "2026-11-01"}}},
        "/identity/birth/estimated_age",
        {"identity": {"birth": {"date": "1990", "estimated_age": 32, "as_of": "2026-11-01"}}},
    ),
    (
        "age_band_differs",
        {"identity": {"birth": {"date": "1990", "age_band": "child"}}},
        "/identity/birth/age_band",
        {"identity": {"birth": {"date": "1990", "age_band": "age_25_39"}}},
    ),
    (
        "age_at_entry_differs",
        {"identity": born("1990"), "exploitation": {"age_at_entry": 16, **episode(started="2024-05")}},
        "/exploitation/age_at_entry",
        {"identity": born("1990"), "exploitation": {"age_at_entry": 33, **episode(started="2024-05")}},
    ),
    (
        "age_at_entry_differs",
        {"identity": born("2012"), "exploitation": {"age_at_entry": 20}},
        "/exploitation/age_at_entry",
        {"identity": born("2012"), "exploitation": {"age_at_entry": 14}},
    ),
    (
        "child_not_younger",
        {"identity": born("1998"), "family": {"accompanying": [{"relationship": "child", **born("1988")}]}},
        "/family/accompanying/0/birth",
        {"identity": born("1998"), "family": {"accompanying": [{"relationship": "sibling", **born("1988")}]}},
    ),
    (
        "child_not_younger",
        {"identity": born("1998"), "family": {"left_behind": [{"relationship": "parent", **born("1999")}]}},
        "/family/left_behind/0/birth",
        {"identity": born("1998"), "family": {"left_behind": [{"relationship": "parent", **born("1979")}]}},
    ),
    (
        "children_count_differs",
        {"family": {"number_of_children": 0, "left_behind": [{"relationship": "child"}]}},
        "/family/number_of_children",
        {"family": {"number_of_children": 3, "left_behind": [{"relationship": "child"}]}},
    ),
    (
        "child_with_marital_status",
        {"identity": born("2012"), "family": {"marital_status": "married_unregistered"}},
        "/family/marital_status",
        {"identity": born("2012"), "family": {"marital_status": "declined"}},
    ),
    (
        "deceased_with_needs",
        {"identity": {"deceased": "yes"}, "needs": {"services": [{"need": "medical"}]}},
        "/identity/deceased",
        {"identity": {"deceased": "no"}, "needs": {"services": [{"need": "medical"}]}},
    ),
    (
        "stateless_with_nationality",
        {"identity": {"statelessness": "stateless", "nationalities": ["MM"]}},
        "/identity/statelessness",
        {"identity": {"statelessness": "at_risk", "nationalities": ["MM"]}},
    ),
    (
        "missing_but_given",
        {"identity": {"languages": ["my"], "languages_missing": "not_asked"}},
        "/identity/languages_missing",
        {"identity": {"languages_missing": "not_asked"}},
    ),
    (
        "missing_but_given",
        {"identity": {"birth": {"date": "1990", "missing": "declined"}}},
        "/identity/birth/missing",
        {"identity": {"birth": {"missing": "declined"}}},
    ),
    (
        "nik_birth_differs",
        {"identity": born("1991-02-01", documents=nik("9901010101900001"))},
        "/identity/documents/0/number",
        {"identity": born("1990", documents=nik("9901010101900001"))},
    ),
    (
        "nik_birth_differs",
        {"identity": born("1991-02-01", documents=nik("9901010101900001"))},
        "/identity/documents/0/number",
        {"identity": born("1991-02-01", documents=nik("9901010101900001", in_own_name="no"))},
    ),
    (
        "nik_sex_differs",
        {"identity": {"sex": "male", "documents": nik("9901014101900001")}},
        "/identity/documents/0/number",
        {"identity": {"sex": "intersex", "documents": nik("9901014101900001")}},
    ),
    (
        "nik_region_unknown",
        {"identity": {"documents": nik("9901010101900001")}},
        "/identity/documents/0/number",
        {"identity": {"documents": [{"kind": "foreign_identity_card", "number": "9901010101900001"}]}},
    ),
    (
        "family_card_unusual",
        {"identity": {"documents": [{"kind": "family_card", "number": "9901019901150000"}]}},
        "/identity/documents/0/number",
        {"identity": {"documents": [{"kind": "family_card", "number": "8107030101150000"}]}},
    ),
    (
        "passport_form",
        {"identity": {"documents": [{"kind": "passport", "country": "ID", "number": "12-3"}]}},
        "/identity/documents/0/number",
        {"identity": {"documents": [{"kind": "passport", "country": "MM", "number": "12-3"}]}},
    ),
    (
        "passport_form",
        {"migration": {"documents": [{"kind": "passport", "country": "ID", "number": "X 12"}]}},
        "/migration/documents/0/number",
        {"migration": {"documents": [{"kind": "passport", "country": "ID", "number": "X 0000000"}]}},
    ),
    (
        "document_expired",
        {"migration": {"documents": [{"kind": "visa", "expires_on": "2026-10"}]}},
        "/migration/documents/0/expires_on",
        {"migration": {"documents": [{"kind": "visa", "expires_on": "2026-11"}]}},
    ),
    (
        "imo_check_digit",
        {"location": place(vessel={"imo": "9319467"})},
        f"{HERE}/vessel/imo",
        {"location": place(vessel={"imo": "9319466"})},
    ),
    (
        "mixed_scripts",
        {"identity": {"names": [{"full": "Surya Wijаksana"}]}},  # the second a of the second word is Cyrillic
        "/identity/names/0/full",
        {"identity": {"names": [{"full": "Surya Вижаксана"}, {"full": "王小明 Wang"}, {"full": "မင်းဇော်"}]}},
    ),
    (
        "text_damaged",
        {"safety": {"must_know": "#N/A"}},
        "/safety/must_know",
        {"safety": {"must_know": "Room #4, asks for N/A"}},
    ),
    (
        "text_damaged",
        {"identity": {"names": [{"full": "JosÃ©"}]}},
        "/identity/names/0/full",
        {"identity": {"names": [{"full": "José São Ângela"}]}},
    ),
    *(
        (
            "text_damaged",
            {"identity": {"names": [{"full": f"Sur{unseen}ya"}]}},
            "/identity/names/0/full",
            {"identity": {"names": [{"full": "မင်း\u200bဇော်"}]}, "contact": {"note": f"Sur{unseen}ya"}},
        )
        for unseen in "\u00ad\u200b\u2060\ufeff"
    ),
    ("text_damaged", {"contact": {"note": "Jl. \ufffdA"}}, "/contact/note", {"contact": {"note": "مُحَمَّد"}}),
    (
        "country_former",
        {"identity": {"nationalities": ["TP"]}},
        "/identity/nationalities/0",
        {"identity": {"nationalities": ["TL"]}},
    ),
    (
        "language_unknown",
        {"identity": {"languages": ["id", "qqq-Latn"]}},
        "/identity/languages/1",
        {"identity": {"languages": ["id", "jav", "my-Mymr"]}},
    ),
    ("region_unknown", {"location": place(region="99.01")}, f"{HERE}/region", {"location": place(region="81.07")}),
    (
        "region_unknown",
        {"location": place(region="81.07.99.2001")},
        f"{HERE}/region",
        {"location": place(region="81.07.03.9999")},
    ),
    (
        "region_name_differs",
        {"location": place(region="33.08", regency="Kota Semarang")},
        f"{HERE}/regency",
        {"location": place(region="33.08.01", regency="Kab. Magelang", province="Prov. Jawa Tengah")},
    ),
    (
        "region_abroad",
        {"location": place(region="81.07", country="MM")},
        f"{HERE}/region",
        {"location": place(region="81.07", country="ID")},
    ),
    (
        "phone_satellite",
        {"contact": {"channels": [channel("+870 773 123 456")]}},
        "/contact/channels/0/value",
        {"contact": {"channels": [channel("0811 0000 0012")]}},
    ),
    (
        "phone_satellite",
        {"contact": {"channels": [channel("+882 16 2123 4567")]}},
        "/contact/channels/0/value",
        {"contact": {"channels": [channel("+39 06 6982 0000")]}},
    ),
    (
        "phone_special_rate",
        {"contact": {"channels": [channel("+62 804 1 123 123")]}},
        "/contact/channels/0/value",
        {"contact": {"channels": [channel("+62 21 1234567")]}},
    ),
    (
        "phone_unassigned",
        {"contact": {"channels": [channel("+95 9 000 000 00")]}},
        "/contact/channels/0/value",
        {"contact": {"channels": [channel("+95 9000 000 00", kind="other")]}},
    ),
    (
        "no_safe_channel",
        {"contact": {"channels": [channel("0811 0000 0012", "no"), channel("Warung Bu Sri", "no", "via_person")]}},
        "/contact/channels",
        {"contact": {"channels": [channel("0811 0000 0012", "no"), channel("Bu Sri", "not_asked", "via_person")]}},
    ),
    (
        "channel_not_to_use",
        {
            "contact": {
                "channels": [channel("0811 0000 0012")],
                "do_not_contact": [{"who": "parent"}, {"who": "employer", "value": "+62 811-0000-0012"}],
            }
        },
        "/contact/channels/0/value",
        {
            "contact": {
                "channels": [channel("0811 0000 0012")],
                "do_not_contact": [{"who": "employer", "value": "0811 0000 0013"}],
            }
        },
    ),
    (
        "guardian_suspected_reachable",
        {"family": guardian(channels=[channel("0811 0000 0012")])},
        "/family/guardian/channels",
        {"family": guardian(suspected="no", channels=[channel("0811 0000 0012")])},
    ),
    (
        "guardian_suspected_reachable",
        {"family": guardian(informed="yes")},
        "/family/guardian/informed",
        {"family": guardian(informed="no")},
    ),
    (
        "flag_contradicted",
        {"family": {"may_be_told": "yes"}, "safety": {"flags": ["must_not_tell_family"]}},
        "/family/may_be_told",
        {"family": {"may_be_told": "no"}, "safety": {"flags": ["must_not_tell_family"]}},
    ),
    (
        "flag_contradicted",
        {"migration": {"return_home": {"wish": "return_home", "mission_may_be_told": "yes", "mission_safe": "no"}}},
        "/migration/return_home/mission_may_be_told",
        {
            "migration": {
                "return_home": {"wish": "return_home", "mission_may_be_told": "yes", "mission_safe": "unknown"}
            }
        },
    ),
    (
        "arrival_past",
        {"needs": {"services": [{"need": "medical"}], "arrives_from": "2026-11-20T08:00:00Z"}},
        "/needs/arrives_from",
        {"needs": {"services": [{"need": "medical"}], "arrives_from": "2026-11-24T08:00:00Z"}},
    ),
]


@pytest.mark.parametrize(("code", "sections", "pointer", "close_by"), CASES, ids=[case[0] for case in CASES])
def test_a_record_that_has_it_and_one_that_has_not(code, sections, pointer, close_by):
    assert (code, pointer) in warned(**sections)
    assert code not in dict(warned(**close_by))


def test_every_code_has_a_case():
    elsewhere = {
        "code_deprecated",
        "article_unknown",
        "sealed_unchecked",
        "restricted_sent",
    }  # test_codes.py; test_bases.py; test_sealed_sections.py; test_restrictions.py
    assert {case[0] for case in CASES} | elsewhere == {code.value for code in WarningCode}


ORDINARY = {
    "identity": {
        "names": [{"full": "Ketut", "kind": "registered"}, {"full": "مُحَمَّد سوريا", "script": "Arab"}],
        "birth": {"date": "1994-03~"},
        "sex": "male",
        "nationalities": ["ID"],
        "languages": ["ban", "id"],
        "documents": [{"kind": "passport", "country": "ID", "number": "X0000000", "expires_on": "2030"}],
    },
    "contact": {"channels": [channel("0811 0000 0012")]},
    "location": place(region="51.71", regency="Kota Denpasar", province="Bali", country="ID"),
    "family": {"marital_status": "married", "number_of_children": 1},
    "exploitation": {"age_at_entry": 30, **episode(started="2024", ended="2026-05-XX", purposes=["forced_labour"])},
    "needs": {"services": [{"need": "medical"}]},
}


def test_an_ordinary_record_has_none():
    assert warned(**ORDINARY) == []


def test_means_are_asked_of_nobody():
    child = ORDINARY | {"identity": born("2012"), "family": {}, "exploitation": {"acts": ["recruitment"]}}
    assert warned(**child) == []


def test_related_says_what_it_does_not_fit():
    record = Record(identity=born("1991", documents=nik("9901010101900001"), sex="female"))
    related = {each.code: each.related for each in warnings_of(record, on=TODAY)}
    assert related[WarningCode.NIK_BIRTH_DIFFERS] == ("/identity/birth",)
    assert related[WarningCode.NIK_SEX_DIFFERS] == ("/identity/sex",)


def test_there_are_never_more_than_a_list_can_be_read():
    reports = [{"made_on": "2090", "country": "YU"}] * 10
    stops = [{"act": "recruitment", "started": "2090", "place": {"country": "SU", "region": "99"}}] * 40
    record = Record(legal={"police_reports": reports}, exploitation={"route": stops})
    assert len(warnings_of(record, on=TODAY)) == MAX_WARNINGS


def at(document, pointer):
    for part in pointer.strip("/").split("/"):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(records)
def test_of_any_record(drawn):
    record = Record.model_validate(deepcopy(drawn))
    found = warnings_of(record, on=TODAY)
    assert found == warnings_of(record, on=TODAY)
    sent = record.model_dump(mode="json")
    for warning in found:
        for pointer in (warning.pointer, *warning.related):
            assert at(sent, pointer) not in (None, [])


@pytest.mark.parametrize("code", list(WarningCode))
def test_each_is_said_in_both_languages(code):
    for lang in ("id", "en"):
        said = words_of(code, lang)
        assert said.label
        assert said.what_to_do.endswith(".")


def test_a_code_of_a_later_version_is_shown_as_it_is():
    assert words_of("something_new", "en") == ("something_new", "")

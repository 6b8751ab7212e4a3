"""Every field and code of HTCDS 2.0 has a home or a reason, every home exists, and every code of ours says what it is there."""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from app.exchange.cases.lifecycle import CASE
from schemas.codes import ENUMS
from schemas.exchange.case import Case
from schemas.exchange.directory import Agency, DutyContact, ServicePoint
from schemas.exchange.referral import Disclosure, Referral
from schemas.mappings.htcds import Exchange
from schemas.mappings.htcds.crosswalk import OURS, fields, inward, not_carried, our_lists, outward, pairs, their_codes
from schemas.mappings.htcds.fields import CARRIED, FIELDS, QUESTIONS, WRITTEN
from schemas.mappings.htcds.headers import SHORT_LABELS, TOOLKIT
from schemas.record import Record
from schemas.text import CountryCode

COLUMNS = [each.column for each in fields() if each.kind == "field"]
DOCUMENTS = {
    "case": Case,
    "referral": Referral,
    "agency": Agency,
    "point": ServicePoint,
    "contact": DutyContact,
    "disclosure": Disclosure,
}
NAMED_IN_DOCSTRINGS = {
    "vic_Vulnerabilities": "risk_factor",
    "vic_ForcedLabourIndustry": "sector",
}


def exists(model: Any, pointer: str) -> bool:
    """Whether a pointer leads somewhere in documents of this model; `*` is any place in a list."""
    kinds = [model]
    for step in pointer.split("/")[1:]:
        found = []
        for kind in kinds:
            if step in ("*", "0", "1"):
                found.extend(get_args(kind)[:1] if get_origin(kind) in (tuple, list) else [])
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                hints = get_type_hints(kind, include_extras=True)
                found.extend([hints[step]] if step in hints else [])
        kinds = [part for kind in found for part in unwrapped(kind)]
    return bool(kinds)


def unwrapped(kind: Any) -> list[Any]:
    if get_origin(kind) is Annotated:
        return unwrapped(get_args(kind)[0])
    if get_origin(kind) in (tuple, list) or not get_args(kind):
        return [kind]
    return [part for each in get_args(kind) for part in unwrapped(each)]


class TestFields:
    def test_the_standard_has_84_and_nine_questions(self):
        assert (len(COLUMNS), len(fields())) == (84, 93)

    def test_each_has_a_row_and_no_row_is_of_another(self):
        assert list(FIELDS) == COLUMNS
        assert list(QUESTIONS) == [each.label for each in fields() if each.kind == "example_question"]

    @pytest.mark.parametrize("column", COLUMNS)
    def test_each_has_a_home_that_exists_or_a_reason(self, column):
        home = FIELDS[column]
        if home.relation == "x":
            assert home.note
            assert home.places + home.exchange == ()
            return
        assert home.places or home.staged
        assert all(exists(Record, place) for place in home.places)
        assert not home.staged or exists(Exchange, home.staged)
        for place in home.exchange:
            document, _, pointer = place.partition("#")
            assert exists(DOCUMENTS[document], pointer), place

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_so_has_each_question(self, question):
        home = QUESTIONS[question]
        assert all(exists(Record, place) for place in home.places)
        factor, level = home.note.removesuffix(".").split("Kind ")[1].split(", level ")
        assert factor in set(ENUMS["risk_factor"])
        assert level in set(ENUMS["risk_factor_level"])

    def test_a_pointer_to_nowhere_would_be_found(self):
        assert exists(Record, "/identity/names/*/full")
        assert not exists(Record, "/identity/names/*/nickname")
        assert not exists(Record, "/identity/names/full")

    def test_seven_are_not_carried_or_not_written(self):
        assert set(COLUMNS) - set(CARRIED) == {
            *("prs_MailingLongitude", "prs_MailingLatitude", "org_ShippingLongitude", "org_ShippingLatitude")
        }
        deprecated = {each.column for each in fields() if each.status == "deprecated"}
        assert set(CARRIED) - set(WRITTEN) == deprecated

    def test_the_toolkit_has_the_core_fields(self):
        assert set(TOOLKIT) == {each.column for each in fields() if each.core and each.status == "draft"}
        assert len(set(TOOLKIT)) == 38
        assert TOOLKIT.index("cas_ReasonForOutgoingReferral") == 35, "column AJ"
        assert TOOLKIT[13:18] == tuple(SHORT_LABELS), "columns N to R"


class TestTheirCodes:
    def test_there_are_498(self):
        assert len(their_codes()) == 498

    @pytest.mark.parametrize(
        "their", [each for each in their_codes() if each.list != "country"], ids=lambda each: f"{each.list}-{each.code}"
    )
    def test_each_has_a_code_of_ours_or_a_reason(self, their):
        said = inward(their.list, their.code)
        reason = not_carried().get((their.list, their.code))
        assert bool(said) != bool(reason), "one of the two"

    def test_each_country_is_one_of_the_record(self):
        from pydantic import TypeAdapter

        countries = [each.code for each in their_codes() if each.list == "country"]
        assert len(countries) == 249
        assert [TypeAdapter(CountryCode).validate_python(code) for code in countries] == countries

    def test_no_row_speaks_of_a_code_that_is_none(self):
        known = {(each.list, each.code) for each in their_codes()}
        assert {(pair.their_list, pair.their_code) for pair in pairs() if pair.their_code} <= known
        assert set(not_carried()) <= known

    @pytest.mark.parametrize("name", OURS)
    def test_what_is_read_is_written_again_as_it_was(self, name):
        for their in (each for each in their_codes() if each.list == name):
            for pair in inward(name, their.code):
                if pair.way == "both":
                    back = outward(pair.list, pair.code, name)
                    assert back is not None
                    assert back.their_code == their.code
                else:
                    assert name == "vulnerabilities", "only what is deprecated is read and not written"

    def test_a_code_is_read_as_one_of_ours(self):
        assert [their for their in their_codes() if len(inward(their.list, their.code)) > 1] == []


class TestOurCodes:
    @pytest.mark.parametrize(
        "name",
        [
            name
            for name in our_lists()
            if name not in ("case_state", "isic_class", "migration_status", "migration_reason")
        ],
    )
    def test_each_of_a_list_that_has_a_counterpart_says_what_it_is_there(self, name):
        for their_list in {pair.their_list for pair in pairs() if pair.list == name and pair.way != "in"}:
            said = {pair.code for pair in pairs() if (pair.list, pair.their_list) == (name, their_list)}
            if (name, their_list) not in {("exploitation", "type_of_sex_exploitation")}:
                assert said == set(ENUMS[name]), their_list

    def test_each_list_that_names_an_htcds_pick_list_is_there(self):
        named = {
            name
            for name, enum in ENUMS.items()
            if "HTCDS `" in (enum.__doc__ or "")
            and name not in ("channel_kind", "address_kind", "case_closure_reason", "disclosure_basis")
        }
        assert named <= set(our_lists())

    def test_the_states_of_a_case_are(self):
        assert {pair.code for pair in pairs() if pair.list == "case_state"} == {*CASE.states, "handed_over"}

    def test_nothing_fits_has_a_reason_and_what_fits_has_a_way_back(self):
        for pair in pairs():
            assert (pair.their_code == "") == (pair.relation == "none"), pair
            assert pair.their_code or pair.note, pair
            assert pair.way in ("in", "out", "both")

    def test_each_is_written_one_way_at_most(self):
        out = [(pair.list, pair.code, pair.their_list) for pair in pairs() if pair.way != "in"]
        assert len(set(out)) == len(out)

    def test_confinement_is_other_and_never_restricts_movement(self):
        pair = outward("exploitation_means", "confinement", "methods_of_control")
        assert pair is not None
        assert (pair.their_code, pair.relation) == ("Other", "broader")
        assert not any(pair.their_list == "methods_of_control_md" and pair.way != "in" for pair in pairs())

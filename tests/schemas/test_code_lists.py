"""The lists, their enumerations, their labels, and that a code is closed in requests and open in answers."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError

from schemas import SECTIONS, Wire, code_list, label, list_names
from schemas.codes import ENUMS, Missing, SafetyFlag, Sex, Urgency
from schemas.record import SHELTER_FLAGS

MISSING = [member.value for member in Missing]


class Asked(Wire):
    sex: Sex | None = None


@pytest.mark.parametrize("name", ENUMS)
def test_enumeration_and_list_agree(name):
    assert [member.value for member in ENUMS[name]] == [entry.code for entry in code_list(name).codes]
    assert all(member.name == member.value.upper() for member in ENUMS[name])


def test_every_list_is_an_enumeration_except_the_laws():
    assert set(list_names()) - set(ENUMS) == {"legal_basis"}


@pytest.mark.parametrize("name", list_names())
def test_every_code_has_its_form_and_both_labels(name):
    form = r"[a-z0-9]+(-[a-z0-9]+)*" if name == "legal_basis" else r"[a-z0-9]+(_[a-z0-9]+)*"
    codes = code_list(name).codes
    assert codes
    assert code_list(name).source
    assert len({entry.code for entry in codes}) == len(codes)
    assert all(re.fullmatch(form, entry.code) and entry.id and entry.en for entry in codes)


@pytest.mark.parametrize("name", [name for name in ENUMS if name not in ("missing", "accepts")])
def test_a_missing_answer_is_one_of_the_same_three_everywhere(name):
    codes = [entry.code for entry in code_list(name).codes]
    there = [code for code in codes if code in MISSING]
    assert there in ([], MISSING)
    assert all(label(name, code, lang) == label("missing", code, lang) for code in there for lang in ("id", "en"))


def test_no_label_blames_or_brands():
    said = " ".join(f"{entry.id} {entry.en}".lower() for name in list_names() for entry in code_list(name).codes)
    for word in ("ilegal", "illegal", "bekas korban", "pria gagal", "lemah", "malas", "pembohong", "salah sendiri"):
        assert word not in said


def test_the_sections_are_a_list():
    assert tuple(entry.code for entry in code_list("section").codes) == SECTIONS


def test_urgencies_say_how_long():
    within = {entry.code: entry.respond_within for entry in code_list("urgency").codes}
    longest = {code: TypeAdapter(timedelta).validate_python(value) for code, value in within.items()}
    assert longest == {
        Urgency.IMMEDIATE: timedelta(hours=1),
        Urgency.URGENT: timedelta(days=1),
        Urgency.STANDARD: timedelta(days=7),
    }


def test_the_list_says_which_flags_bind_a_shelter():
    binding = {entry.code for entry in code_list("safety_flag").codes if entry.note == "binds a shelter"}
    assert binding == {flag.value for flag in SHELTER_FLAGS}
    assert set(SafetyFlag) - SHELTER_FLAGS


class TestLabel:
    def test_in_both_languages(self):
        assert (label("need", "shelter_men"), label("need", "shelter_men", "en")) == (
            "Penampungan laki-laki",
            "Shelter for men",
        )

    def test_of_a_code_added_later_is_the_code(self):
        assert label("need", "not_yet_known") == "not_yet_known"

    def test_of_no_list_is_an_error(self):
        with pytest.raises(KeyError):
            label("no_such_list", "a")


class TestClosedAndOpen:
    def test_an_unknown_code_in_a_request_is_an_error(self):
        with pytest.raises(ValidationError) as caught:
            Asked.model_validate({"sex": "hush"})
        assert caught.value.errors()[0]["loc"] == ("sex",)
        assert "hush" not in str(caught.value)

    @pytest.mark.parametrize("bad", ["", "MALE", "male ", 1, True, ["male"], "\ud800", "male\x00"])
    def test_so_is_anything_near_a_code(self, bad):
        with pytest.raises(ValidationError):
            Asked.model_validate({"sex": bad})

    def test_requests_are_described_as_closed(self):
        described = Asked.model_json_schema(mode="validation")["$defs"]["Sex"]
        assert described["enum"] == [member.value for member in Sex]

    def test_answers_are_described_as_open(self):
        described = Asked.model_json_schema(mode="serialization")["$defs"]["Sex"]
        assert described == {"type": "string", "x-known-values": [member.value for member in Sex]}

    def test_both_stand_side_by_side_in_an_openapi_document(self):
        api = FastAPI()

        @api.post("/asked")
        async def ask(asked: Asked) -> Asked:
            return asked

        schemas = api.openapi()["components"]["schemas"]
        assert schemas["Sex-Input"]["enum"]
        assert schemas["Sex-Output"] == {"type": "string", "x-known-values": [member.value for member in Sex]}

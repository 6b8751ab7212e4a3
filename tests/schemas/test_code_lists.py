"""The lists, their enumerations, what is said of each code, and that a code is closed in requests and open in answers."""

import csv
import io
import re
from datetime import timedelta
from importlib.resources import files

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError

from app.exchange.cases.lifecycle import CASE
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from schemas import SECTIONS, Wire, code_list, label, list_names
from schemas.codes import ENUMS, CodeEnum, Missing, RequestBody, SafetyFlag, Sex, Urgency
from schemas.codes.labels import COLUMNS, EXTRA_COLUMNS, attribution, mapped, read_rows
from schemas.codes.tables import columns_of, csv_of, harmless_cell, rows_of
from schemas.codes.wording import avoided_words
from schemas.documents.used import used_in
from schemas.record import SHELTER_FLAGS
from tests.schemas.test_demo_cases import CASES

MISSING = [member.value for member in Missing]
LANGS = ("id", "en")
EVERY_CODE = [(name, entry) for name in list_names() for entry in code_list(name).codes]


def said_of(entry, lang):
    """The label and the definition."""
    return (entry.id, entry.definition_id) if lang == "id" else (entry.en, entry.definition_en)


def at(part, place):
    """The values of a document at a pointer in which `*` is any item or key."""
    if not place:
        return [part]
    step, _, rest = place[1:].partition("/")
    rest = rest and f"/{rest}"
    if step == "*":
        return [value for item in (part.values() if isinstance(part, dict) else part) for value in at(item, rest)]
    return at(part[step], rest) if step in part else []


class Body(Wire):
    sex: Sex | None = None


class TestEveryList:
    def test_is_an_enumeration_except_the_laws(self):
        assert set(list_names()) - set(ENUMS) == {"legal_basis", "legal_article"}

    def test_is_a_file_and_every_file_is_a_list(self):
        found = {each.name for each in files("schemas.codes").joinpath("lists").iterdir()}
        assert found == {f"{name}.csv" for name in list_names()}

    @pytest.mark.parametrize("name", ENUMS)
    def test_agrees_with_its_enumeration(self, name):
        enum, codes = ENUMS[name], code_list(name).codes
        assert [member.value for member in enum] == [entry.code for entry in codes]
        assert all(member.name == member.value.upper() for member in enum)
        assert enum.retired() == {entry.code for entry in codes if entry.status == "retired"}
        assert enum.deprecated() == {entry.code for entry in codes if entry.status == "deprecated"}

    def test_has_codes_of_one_form_each_once(self):
        for name in list_names():
            form = r"[a-z0-9]+(-[a-z0-9]+)*" if name in ("legal_basis", "legal_article") else r"[a-z0-9]+(_[a-z0-9]+)*"
            codes = [entry.code for entry in code_list(name).codes]
            assert codes, name
            assert len(set(codes)) == len(codes), name
            assert all(re.fullmatch(form, code) for code in codes), name

    def test_has_titles_of_its_own(self):
        lists = [code_list(name) for name in list_names()]
        assert len({each.title_id for each in lists}) == len({each.title_en for each in lists}) == len(lists)

    def test_names_a_successor_that_exists_and_is_in_use(self):
        active = {(name, entry.code) for name, entry in EVERY_CODE if entry.status == "active"}
        for name, entry in EVERY_CODE:
            if entry.replaced_by is not None:
                assert entry.status != "active"
                assert (name, entry.replaced_by) in active

    @pytest.mark.parametrize(
        "name", [name for name in ENUMS if name not in ("missing", "accepts", "referral_state", "transfer_state")]
    )
    def test_has_the_same_three_missing_answers_or_none_of_them(self, name):
        codes = {entry.code: entry for entry in code_list(name).codes}
        there = [code for code in codes if code in MISSING]
        assert there in ([], MISSING)
        for shared in code_list("missing").codes:
            if there:
                assert [said_of(codes[shared.code], lang) for lang in LANGS] == [
                    said_of(shared, lang) for lang in LANGS
                ]

    def test_is_used_somewhere_or_is_about_what_the_exchange_holds_no_record_of(self):
        assert used_in("sex") == (
            "/identity/sex",
            "/family/accompanying/*/sex",
            "/family/left_behind/*/sex",
            "/sealed_preview/sex",
        )
        assert "NewReferral.purpose" in used_in("purpose")
        assert {name for name in list_names() if not used_in(name)} == {
            "accepts",
            "agency_group",
            "assessment_domain",
            "atensi_component",
            "case_state",
            "delivery_mode",
            "legal_article",
            "referral_state",
            "service_stage",
            "transfer_state",
        }

    def test_says_where_in_the_record_as_a_document_has_it(self):
        record = CASES["case-01-fisher-ambon"]["record"]
        for name in ("sex", "need", "safety_flag", "name_kind", "staff_role"):
            codes = {entry.code for entry in code_list(name).codes}
            found = [value for place in used_in(name) if place.startswith("/") for value in at(record, place)]
            assert found, name
            assert set(found) <= codes, name


@pytest.mark.parametrize("lang", LANGS)
class TestWhatIsSaidOfACode:
    def test_is_a_sentence_that_adds_to_the_label(self, lang):
        for name, entry in EVERY_CODE:
            called, definition = said_of(entry, lang)
            assert definition.endswith("."), (name, entry.code)
            assert definition.rstrip(".").casefold() != called.casefold(), (name, entry.code)
            assert len(definition.split()) >= 2, (name, entry.code)

    def test_tells_it_from_every_other_of_its_list(self, lang):
        for name in list_names():
            entries = code_list(name).codes
            for said in zip(*(said_of(entry, lang) for entry in entries), strict=True):
                assert len({each.casefold() for each in said}) == len(entries), name

    def test_neither_brands_nor_assumes_a_sex(self, lang):
        titles = [code_list(name).title_id if lang == "id" else code_list(name).title_en for name in list_names()]
        for text in (*titles, *(each for _, entry in EVERY_CODE for each in said_of(entry, lang))):
            assert avoided_words(text, lang) == [], text

    def test_needs_no_care_in_a_spreadsheet(self, lang):
        for _, entry in EVERY_CODE:
            assert all(harmless_cell(text) == text for text in said_of(entry, lang))


class TestAvoidedWords:
    @pytest.mark.parametrize(
        ("text", "lang", "found"),
        [
            ("Bekas korban TPPO", "id", ["Bekas korban"]),
            ("cacatnya", "id", ["cacatnya"]),
            ("dilemahkan oleh utang", "id", []),
            ("Illegal immigrants and his family", "en", ["Illegal", "his"]),
            ("prostitution, history, there", "en", []),
        ],
    )
    def test_are_found_as_words(self, text, lang, found):
        assert avoided_words(text, lang) == found


class TestOneList:
    def test_the_sections_are_a_list(self):
        assert tuple(entry.code for entry in code_list("section").codes) == SECTIONS

    @pytest.mark.parametrize("lifecycle", [REFERRAL, TRANSFER, CASE], ids=lambda lifecycle: lifecycle.name)
    def test_the_states_are_those_of_the_lifecycle(self, lifecycle):
        assert tuple(entry.code for entry in code_list(f"{lifecycle.name}_state").codes) == lifecycle.states

    def test_urgencies_say_how_long(self):
        within = {entry.code: entry.respond_within for entry in code_list("urgency").codes}
        longest = {code: TypeAdapter(timedelta).validate_python(value) for code, value in within.items()}
        assert longest == {
            Urgency.IMMEDIATE: timedelta(hours=1),
            Urgency.URGENT: timedelta(days=1),
            Urgency.STANDARD: timedelta(days=7),
        }

    def test_the_list_says_which_flags_bind_a_shelter(self):
        binding = {entry.code for entry in code_list("safety_flag").codes if entry.note == "binds a shelter"}
        assert binding == {flag.value for flag in SHELTER_FLAGS}
        assert set(SafetyFlag) - SHELTER_FLAGS

    def test_the_sections_of_economic_activity_have_their_letters(self):
        assert "".join(entry.isic or "" for entry in code_list("isic_section").codes) == "ABCDEFGHIJKLMNOPQRSTU"

    def test_laws_say_from_when(self):
        found = {entry.code: entry.valid_from for entry in code_list("legal_basis").codes}
        assert str(found["kuhp-1-2023"]) == "2026-01-02"


class TestCrosswalks:
    def test_speak_of_codes_that_exist(self):
        known = {(name, entry.code) for name, entry in EVERY_CODE} | {(name, None) for name in list_names()}
        assert [each for each in mapped() if each not in known] == []

    def test_name_a_code_unless_there_is_none(self):
        for name, entry in EVERY_CODE:
            for mapping in entry.mappings:
                assert (mapping.code is None) == (mapping.relation == "none"), (name, entry.code)

    def test_map_the_three_elements_of_trafficking_to_ic_tip(self):
        for element in ("act", "means", "purpose"):
            (found,) = [each for each in code_list(f"exploitation_{element}").mappings if each.standard == "ic_tip"]
            assert (found.list, found.relation) == (f"event: {element}", "close")


class TestFiles:
    TEXT = ",".join(COLUMNS) + '\na,"Satu, dua",One,,,active,1.0,,\n'

    @pytest.mark.parametrize("text", [TEXT, "\ufeff" + TEXT, TEXT.replace("\n", "\r\n")])
    def test_are_read_as_a_spreadsheet_may_save_them(self, text):
        (row,) = read_rows(text, COLUMNS, "a list")
        assert (row["code"], row["id"], row["note"]) == ("a", "Satu, dua", None)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "columns"),
            (TEXT.replace(",", ";"), "columns"),
            (TEXT.replace("code,id", "id,code"), "columns"),
            (TEXT.replace(",1.0,,", ",1.0"), "line 2"),
            (TEXT.replace(",1.0,,", ",1.0,,,"), "line 2"),
        ],
    )
    def test_that_a_spreadsheet_broke_are_refused_and_say_where(self, text, said):
        with pytest.raises(ValueError, match=said):
            list(read_rows(text, COLUMNS, "a list"))


class TestTables:
    @pytest.mark.parametrize("name", ["sex", *EXTRA_COLUMNS])
    def test_hold_what_the_list_holds(self, name):
        columns = (*COLUMNS, *EXTRA_COLUMNS.get(name, ()))
        rows = list(csv.DictReader(io.StringIO(csv_of([name]), newline="")))
        assert tuple(rows[0]) == columns_of([name]) == (*columns, "mappings")
        for row, entry in zip(rows, code_list(name).codes, strict=True):
            held = {column: getattr(entry, column) for column in columns}
            assert [row[column] for column in columns] == [
                "" if held[each] is None else str(held[each]) for each in columns
            ]

    def test_of_all_lists_name_the_list_in_each_row(self):
        rows = list(csv.DictReader(io.StringIO(csv_of(list_names()), newline="")))
        assert rows == rows_of(list_names())
        assert {row["list"] for row in rows} == set(list_names())

    def test_have_no_byte_order_mark_and_end_lines_by_rfc_4180(self):
        assert csv_of(["sex"]).startswith("code,")
        assert csv_of(["sex"]).count("\r\n") == 1 + len(code_list("sex").codes)

    @pytest.mark.parametrize("text", ["=1+1", "+62", "-x", "@a", "\t=1", "\r=1", '=HYPERLINK("x")'])
    def test_never_start_a_formula(self, text):
        assert harmless_cell(text) == f"'{text}"


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


def test_the_lists_say_whose_work_they_are():
    assert "© IOM, CC BY 4.0" in attribution()
    assert "UU 28/2014 art 42" in attribution()


class TestClosedAndOpen:
    def test_an_unknown_code_in_a_request_is_an_error(self):
        with pytest.raises(ValidationError) as caught:
            Body.model_validate({"sex": "hush"})
        assert caught.value.errors()[0]["loc"] == ("sex",)
        assert "hush" not in str(caught.value)

    @pytest.mark.parametrize("bad", ["", "MALE", "male ", 1, True, ["male"], "\ud800", "male\x00"])
    def test_so_is_anything_near_a_code(self, bad):
        with pytest.raises(ValidationError):
            Body.model_validate({"sex": bad})

    def test_requests_are_described_as_closed(self):
        described = Body.model_json_schema(mode="validation")["$defs"]["Sex"]
        assert described["enum"] == [member.value for member in Sex]

    def test_answers_are_described_as_open(self):
        described = Body.model_json_schema(mode="serialization")["$defs"]["Sex"]
        assert described == {"type": "string", "x-known-values": [member.value for member in Sex]}

    def test_both_stand_side_by_side_in_an_openapi_document(self):
        api = FastAPI()

        @api.post("/asked")
        async def ask(asked: Body) -> Body:
            return asked

        schemas = api.openapi()["components"]["schemas"]
        assert schemas["Sex-Input"]["enum"]
        assert schemas["Sex-Output"] == {"type": "string", "x-known-values": [member.value for member in Sex]}


class Colour(CodeEnum):
    """A list one of whose codes was retired; no list of ours has such a code so far."""

    RED = "red"
    GREEN = "green"
    VERMILION = "vermilion"

    @classmethod
    def retired(cls) -> frozenset[str]:
        return frozenset({"vermilion"})


class Painted(Wire):
    colour: Colour
    spots: tuple[Colour, ...] = ()


class Paint(RequestBody):
    what: Painted


class TestARetiredCode:
    def test_is_refused_in_a_request_and_says_where(self):
        with pytest.raises(ValidationError) as caught:
            Paint.model_validate({"what": {"colour": "red", "spots": ["green", "vermilion"]}})
        (fault,) = caught.value.errors(include_input=False)
        assert (fault["loc"], fault["type"]) == (("what", "spots", 1), "retired_code")

    def test_is_read_in_what_was_sent_before(self):
        assert Painted.model_validate({"colour": "vermilion"}).colour is Colour.VERMILION

    def test_is_read_again_after_a_request_was_refused(self):
        with pytest.raises(ValidationError):
            Paint.model_validate({"what": {"colour": "vermilion"}})
        assert Painted.model_validate({"colour": "vermilion"}).colour is Colour.VERMILION

    def test_is_not_offered_to_requests_and_is_known_in_answers(self):
        assert Paint.model_json_schema()["$defs"]["Colour"]["enum"] == ["red", "green"]
        described = Painted.model_json_schema(mode="serialization")["$defs"]["Colour"]
        assert described["x-known-values"] == ["red", "green", "vermilion"]

"""Strings on the wire: what is taken, what is refused, and that a refusal never repeats the value."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.text import (
    LINE_MAX,
    NAME_MAX,
    NARRATIVE_MAX,
    TEXT_MAX,
    AgencyCode,
    Code,
    CountryCode,
    CurrencyCode,
    Email,
    LanguageTag,
    LegalBasisCode,
    Line,
    Name,
    NameAsTyped,
    Narrative,
    Number,
    PartialDate,
    Phone,
    RegionCode,
    ScriptCode,
    Sha256,
    Text,
)

FREE = {
    "Name": (Name, NAME_MAX),
    "Line": (Line, LINE_MAX),
    "Text": (Text, TEXT_MAX),
    "Narrative": (Narrative, NARRATIVE_MAX),
}
FORMS = {
    "Number": (Number, "LP/B/12/XI/2026"),
    "Code": (Code, "shelter_men"),
    "LegalBasisCode": (LegalBasisCode, "uu-21-2007"),
    "AgencyCode": (AgencyCode, "dinsos-8171"),
    "RegionCode": (RegionCode, "81.07.03.2001"),
    "CountryCode": (CountryCode, "ID"),
    "CurrencyCode": (CurrencyCode, "IDR"),
    "ScriptCode": (ScriptCode, "Mymr"),
    "Sha256": (Sha256, "a" * 64),
    "LanguageTag": (LanguageTag, "jv"),
    "Phone": (Phone, "+6281100000012"),
    "Email": (Email, "angga@contoh.example"),
    "PartialDate": (PartialDate, "1994-02-28"),
}
EVERY = {name: kind for name, (kind, _) in (FREE | FORMS).items()} | {"NameAsTyped": NameAsTyped}

NEVER = {
    "empty": "",
    "only_spaces": "   ",
    "only_what_nobody_sees": "\u200b\ufeff\u2060",
    "nul": "hush\x00hush",
    "c0": "hush\x1bhush",
    "delete": "hush\x7fhush",
    "c1": "hush\x85hush",
    "bidi_override": "hush\u202ehush",
    "bidi_isolate": "hush\u2066hush",
    "lone_surrogate": "hush\ud800hush",
    "number": 12,
    "list": ["hush"],
    "object": {"hush": "hush"},
    "true": True,
    "null": None,
}


def take(kind, value):
    return TypeAdapter(kind).validate_python(value)


def refusal(kind, value):
    with pytest.raises(ValidationError) as caught:
        take(kind, value)
    return caught.value.errors(include_input=False, include_url=False)


@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("bad", NEVER.values(), ids=NEVER)
def test_what_no_string_may_be(kind, bad):
    assert "hush" not in str(refusal(kind, bad))


@pytest.mark.parametrize(("kind", "most"), FREE.values(), ids=FREE)
class TestFreeText:
    def test_takes_its_full_length_and_no_more(self, kind, most):
        assert len(take(kind, "a" * most)) == most
        assert refusal(kind, "a" * (most + 1))[0]["type"] == "string_too_long"

    def test_takes_any_script_and_emoji(self, kind, most):
        for value in ("Siti Nurhaliza d'Cruz-Óscar", "မင်းဇော်", "王小明", "مُحَمَّد", "🙂👩‍👧"):
            assert take(kind, value) == unicodedata.normalize("NFC", value)

    def test_strips_outer_space_only(self, kind, most):
        assert take(kind, " \u00a0a  b\u2003 ") == "a  b"

    def test_is_composed(self, kind, most):
        assert take(kind, "e\u0301") == "\u00e9"

    def test_is_measured_again_once_composed(self, kind, most):
        # U+0958 becomes two characters in NFC.
        assert refusal(kind, "\u0958" * most)[0]["type"] == "string_too_long"


@pytest.mark.parametrize("kind", [Name, Line, Number])
@pytest.mark.parametrize("separator", ["\n", "\r", "\t", "\u2028", "\u2029"])
def test_a_line_is_one_line(kind, separator):
    assert refusal(kind, f"a{separator}b")[0]["type"] == "string_pattern_mismatch"


@pytest.mark.parametrize("kind", [Text, Narrative])
def test_paragraphs_keep_their_lines_in_one_form(kind):
    assert take(kind, "a\r\nb\rc\n\td") == "a\nb\nc\n\td"


@given(st.text())
def test_what_is_taken_once_is_taken_again_unchanged(value):
    for kind in (Name, Text):
        try:
            once = take(kind, value)
        except ValidationError:
            continue
        assert take(kind, once) == once


@pytest.mark.parametrize(("kind", "good"), FORMS.values(), ids=FORMS)
def test_the_form_is_taken(kind, good):
    assert take(kind, good) == good


@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("Number", "Phone")])
def test_a_code_is_taken_as_it_is_or_not_at_all(name):
    kind, good = FORMS[name]
    for changed in (f" {good}", f"{good} ", f"{good}\n", f"\ufeff{good}"):
        refusal(kind, changed)


def test_what_people_write_is_taken_without_the_space_around_it():
    assert take(Number, "\u00a0LP/B/12 ") == "LP/B/12"
    assert take(Phone, " +6281100000012 ") == "+6281100000012"


@pytest.mark.parametrize(("kind", "good"), FORMS.values(), ids=FORMS)
def test_the_form_has_an_end(kind, good):
    refusal(kind, f"{good}\n!")
    refusal(kind, good * 60)


@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("Number", "Email", "Phone")])
def test_digits_are_ascii(name):
    kind, good = FORMS[name]
    refusal(kind, good + "\u0660")


@pytest.mark.parametrize("bad", ["ab", "-ab", "ab-", "Abc", "a_b", "a" * 65, "dinsos 33"])
def test_no_agency_code(bad):
    refusal(AgencyCode, bad)


@pytest.mark.parametrize("good", ["81", "81.07", "81.07.03", "81.07.03.2001"])
def test_regions_of_every_level(good):
    assert take(RegionCode, good) == good


@pytest.mark.parametrize("bad", ["8", "8107", "81.7", "81.07.3", "81.07.03.201", "01.02", "MM", "81."])
def test_no_region(bad):
    refusal(RegionCode, bad)


@pytest.mark.parametrize("good", ["ID", "MM", "TL", "XK", "YU", "TP", "SU", "BU"])
def test_countries_of_today_and_of_old_papers(good):
    assert take(CountryCode, good) == good


@pytest.mark.parametrize("bad", ["id", "IDN", "I", "1D", "Id", "XX", "ZZ", "UK", "EU", "I D", "ＩＤ"])
def test_no_country(bad):
    assert refusal(CountryCode, bad)[0]["type"] == "country_unknown"


@pytest.mark.parametrize("bad", ["Rp", "idr", "ABC", "IDR "])
def test_no_currency(bad):
    assert refusal(CurrencyCode, bad)[0]["type"] == "currency_unknown"


@pytest.mark.parametrize("bad", ["latn", "Latin", "Abcd", "LATN"])
def test_no_script(bad):
    assert refusal(ScriptCode, bad)[0]["type"] == "script_unknown"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ID", "id"),
        ("jav", "jav"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("es-419", "es-419"),
        ("my-X-ABC", "my-x-abc"),
        ("zh-yue-HK", "zh-yue-HK"),
    ],
)
def test_languages_in_canonical_spelling(typed, kept):
    assert take(LanguageTag, typed) == kept


@pytest.mark.parametrize("bad", ["i", "indonesian", "id_ID", "id-", "id--ID", "x-hush", "id-x"])
def test_no_language(bad):
    refusal(LanguageTag, bad)


@pytest.mark.parametrize("bad", ["a", "a@b", "@b.c", "a@@b.c", "a b@c.d", "a@b..c", "a@b.c.", '"a"@b.c', "a@b.c\u202e"])
def test_no_email(bad):
    refusal(Email, bad)


def test_a_digest_is_kept_in_lower_case():
    assert take(Sha256, "A" * 64) == "a" * 64

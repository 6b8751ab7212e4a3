"""What countries, languages and scripts are called, and dates in words."""

import pytest

from schemas import iso
from schemas.dates import date_in_words
from schemas.names import country_name, language_name, script_name


class TestCountries:
    @pytest.mark.parametrize(
        ("code", "indonesian", "english"),
        [
            ("KH", "Kamboja", "Cambodia"),
            ("TW", "Taiwan", "Taiwan"),
            ("CN", "Tiongkok", "China"),
            ("MM", "Myanmar", "Myanmar"),
            ("XK", "Kosovo", "Kosovo"),
            ("SU", "Uni Soviet", "Soviet Union"),
            ("QQ", "QQ", "QQ"),
        ],
    )
    def test_have_everyday_names(self, code, indonesian, english):
        assert (country_name(code, "id"), country_name(code, "en")) == (indonesian, english)

    def test_that_a_record_can_name_have_a_name(self):
        every = iso.COUNTRIES | iso.FORMER_COUNTRIES | {iso.KOSOVO}
        assert {code for code in every if country_name(code, "id") == code} == set()

    @pytest.mark.parametrize("lang", ["id", "en"])
    def test_that_exist_are_told_apart_by_their_names(self, lang):
        names = [country_name(code, lang) for code in iso.COUNTRIES]
        assert len(names) == len(set(names))


class TestLanguagesAndScripts:
    @pytest.mark.parametrize(
        ("tag", "indonesian"),
        [("jv", "Jawa"), ("tet", "Tetum"), ("my-x-a", "Myanmar"), ("zh-Hant-TW", "Tionghoa"), ("zz", "zz")],
    )
    def test_a_language_is_called_by_the_first_part_of_its_tag(self, tag, indonesian):
        assert language_name(tag, "id") == indonesian

    def test_scripts(self):
        assert (script_name("Mymr", "id"), script_name("Thai", "id"), script_name("Qqqq", "id")) == (
            "Myanmar",
            "Thai",
            "Qqqq",
        )


class TestDatesInWords:
    @pytest.mark.parametrize(
        ("written", "indonesian", "english"),
        [
            ("2000-05-04", "04-05-2000", "04-05-2000"),
            ("2000-05-04?", "04-05-2000 (belum pasti)", "04-05-2000 (uncertain)"),
            ("1998-03~", "sekitar Maret 1998", "about March 1998"),
            ("1998-03-XX", "Maret 1998", "March 1998"),
            ("1998", "tahun 1998", "1998, day and month not known"),
            ("1998-XX", "tahun 1998", "1998, day and month not known"),
            ("1998-XX-XX", "tahun 1998", "1998, day and month not known"),
            ("1998~", "sekitar 1998", "about 1998"),
            ("1998%", "sekitar 1998 (belum pasti)", "about 1998 (uncertain)"),
            ("199X", "tahun 1990-an", "1990s"),
            ("19XX", "antara tahun 1900 dan 1999", "between 1900 and 1999"),
            ("spring 2001", "spring 2001", "spring 2001"),
        ],
    )
    def test_say_what_is_known_and_no_more(self, written, indonesian, english):
        assert (date_in_words(written, "id"), date_in_words(written, "en")) == (indonesian, english)

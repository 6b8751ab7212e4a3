"""The table of ISO's codes holds against the library it was made from."""

import re

import pycountry
import pytest

from schemas import iso


def test_countries():
    assert {country.alpha_2 for country in pycountry.countries} == iso.COUNTRIES
    former = {country.alpha_2 for country in pycountry.historic_countries}
    assert former - iso.COUNTRIES == iso.FORMER_COUNTRIES
    assert iso.KOSOVO not in iso.COUNTRIES | iso.FORMER_COUNTRIES


def test_currencies():
    assert {currency.alpha_3 for currency in pycountry.currencies} == iso.CURRENCIES


def test_scripts():
    assert {script.alpha_4 for script in pycountry.scripts} == iso.SCRIPTS


def test_languages():
    long = {language.alpha_3 for language in pycountry.languages}
    short = {language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2")}
    assert iso.languages() == long | short


@pytest.mark.parametrize("codes", [iso.COUNTRIES, iso.CURRENCIES, iso.SCRIPTS])
def test_a_pattern_is_of_exactly_its_codes(codes):
    pattern = re.compile(iso.one_of(codes))
    assert all(pattern.fullmatch(code) for code in codes)
    length = len(next(iter(codes)))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    others = {start + end for start in {code[:-1] for code in codes} for end in letters + letters.lower()} - codes
    assert not [other for other in others if len(other) == length and pattern.fullmatch(other)]

"""Identity numbers: the vectors, what is read from them, and that the JSON Schema takes the same ones."""

import csv
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from stdnum.id import nik as stdnum_nik

from schemas.codes.person import Sex
from schemas.record.nik import (
    FAMILY_CARD_PATTERN,
    NIK_PATTERN,
    family_card_number,
    family_card_parts,
    nik_number,
    nik_parts,
)

_FILE = Path(__file__).with_name("data") / "nik-vectors.csv"
VECTORS = list(csv.DictReader(_FILE.read_text(encoding="utf-8").splitlines()))


def taken(reader, typed):
    try:
        return reader(typed)
    except PydanticCustomError:
        return None


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["why"] for vector in VECTORS])
def test_the_vectors(vector):
    kept = taken(nik_number, vector["nik"])
    assert (kept is None) == (vector["expected"] == "invalid")
    if kept is not None:
        assert kept == re.sub(r"\D", "", vector["nik"])
    assert bool(re.search(NIK_PATTERN, vector["nik"])) == (kept is not None)


@pytest.mark.parametrize("typed", ["", "9.90101E+15", "9901010101900001.0", "#N/A", "9901010101900001 ext", "９９" * 8])
def test_what_a_spreadsheet_leaves_is_refused(typed):
    assert taken(nik_number, typed) is None
    assert taken(family_card_number, typed) is None


def test_what_a_nik_says():
    says = nik_parts("9901017112850002")
    assert (says.district, says.sex, says.births) == ("99.01.01", Sex.FEMALE, (date(1985, 12, 31), date(2085, 12, 31)))
    assert nik_parts("9901012902000001").births == (date(2000, 2, 29),)
    assert nik_parts("9901013112850002").sex is Sex.MALE


def test_what_a_family_card_says():
    assert family_card_parts("9901010101150001").registered == (date(1915, 1, 1), date(2015, 1, 1))
    assert family_card_parts("9901014101150001").registered == (), "no 40 is added here"


_digits = st.builds(
    "990101{:02}{:02}{:02}{:04}".format,
    st.integers(0, 99),
    st.integers(0, 19),
    st.integers(0, 99),
    st.sampled_from((0, 1, 10, 100, 1000)),
)


@given(_digits, st.lists(st.integers(0, 16), max_size=4), st.sampled_from(" .-"))
@example("9901012902000001", [], " ")
@example("9901016902010001", [], " ")
def test_the_schema_takes_what_the_model_takes(digits, cuts, sign):
    typed = digits
    for cut in sorted(cuts, reverse=True):
        typed = typed[:cut] + sign + typed[cut:]
    kept = taken(nik_number, typed)
    assert bool(re.search(NIK_PATTERN, typed)) == (kept is not None)
    assert re.search(FAMILY_CARD_PATTERN, typed)
    if kept is not None:
        assert nik_number(kept) == kept
        assert stdnum_nik.get_birth_date(kept, minyear=1900) in nik_parts(kept).births

"""The table of Indonesia's regions."""

import csv
from importlib.resources import files

import pytest

from schemas import regions

ALL = list(csv.DictReader(files("schemas.regions").joinpath("regions.csv").read_text(encoding="utf-8").splitlines()))
CODES = {row["code"] for row in ALL}


def test_holds_every_region_to_the_district():
    assert [sum(1 for code in CODES if len(code) == length) for length in (2, 5, 8)] == [38, 514, 7285]
    assert len(CODES) == len(ALL) == 38 + 514 + 7285
    assert {code for code in CODES if len(code) > 2 and code.rpartition(".")[0] not in CODES} == set()


def test_every_province_has_a_time_zone():
    zones = {regions.time_zone_of(code) for code in CODES}
    assert zones == {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"}


def test_its_licence_is_beside_it():
    assert "Copyright (c) 2017-2025 Cahya DSN" in files("schemas.regions").joinpath("LICENSE").read_text(
        encoding="utf-8"
    )


def test_what_is_known_of_a_village():
    assert regions.is_known("81.07.03.2001")
    assert regions.name_of("81.07.03.2001") is None
    assert regions.parent_of("81.07.03.2001") == "81.07.03"
    assert regions.path_of("81.07.03.2001") == ("Aru Tengah", "Kabupaten Kepulauan Aru", "Maluku")
    assert regions.time_zone_of("81.07.03.2001") == "Asia/Jayapura"


def test_what_is_not_known():
    assert not regions.is_known("99.01.01")
    assert (regions.name_of("99"), regions.parent_of("99"), regions.time_zone_of("99")) == (None, None, None)
    assert regions.path_of("99.01") == ()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("31", "DKI Jakarta"),
        ("31", "Jakarta"),
        ("34", "D.I. Yogyakarta"),
        ("34", "DIY Yogyakarta"),
        ("32", "Prov. Jawa Barat"),
        ("33.08", "Kab. Magelang"),
        ("33.71", "KOTA MAGELANG"),
        ("31.71", "Kota Adm. Jakarta Pusat"),
        ("74.72", "Bau-Bau"),
        ("81.07", "Kab. Kep. Aru"),
        ("81.07.03", "Kecamatan Aru Tengah"),
        ("99.99", "Anything, of a region that is not known"),
    ],
)
def test_names_as_people_write_them(code, told):
    assert regions.is_called(code, told)


@pytest.mark.parametrize(
    ("code", "told"), [("31", "Jawa Barat"), ("33.08", "Semarang"), ("32", "West Java"), ("32", "")]
)
def test_other_names(code, told):
    assert not regions.is_called(code, told)

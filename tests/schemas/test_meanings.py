"""Every member of the record is explained in English and in Indonesian."""

import csv
from pathlib import Path

from schemas.documents.json_schema import record_schema
from schemas.documents.meanings import in_indonesian, meaning_of, rows
from schemas.documents.types import NAMED
from schemas.record.common import SectionBase
from tests.schemas.instances import models

TABLE = Path(__file__).parents[2] / "schemas" / "labels" / "meanings.csv"


def members():
    """Every model and member, where it is declared."""
    for kind in (*models().values(), SectionBase):
        yield kind, ""
        if kind.__name__ != "ExtensionsSection":
            yield from ((kind, name) for name in kind.model_fields)


def named_types():
    defined = record_schema()["$defs"]
    return [name for name in NAMED if name in defined]


class TestMeanings:
    def test_are_there_for_every_member_in_both_languages(self):
        for kind, name in members():
            means = meaning_of(kind, name)
            assert means.en.endswith("."), (kind.__name__, name, means.en)
            assert means.id.endswith("."), (kind.__name__, name, means.id)
            assert means.en != means.id
            assert "HTCDS" not in means.id

    def test_are_there_for_every_form(self):
        for name in named_types():
            assert NAMED[name][1], name
            assert in_indonesian(name).endswith("."), name

    def test_are_of_nothing_else(self):
        declared = {
            (next(each.__name__ for each in kind.__mro__ if not name or name in each.__annotations__), name)
            for kind, name in members()
        }
        assert rows() == declared | {(name, "") for name in named_types()}

    def test_stand_in_the_table_in_english_only_where_the_code_does_not_say_it(self):
        kinds = {kind.__name__: kind for kind, _ in members()}
        with TABLE.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["en"]:
                    field = kinds[row["model"]].model_fields[row["field"]]
                    said = field.description or "HTCDS"
                    assert "HTCDS" in said or len(said) < len(row["en"]), row

    def test_speak_of_people_with_respect(self):
        """The words the guideline for agencies avoids."""
        with TABLE.open(encoding="utf-8") as file:
            text = file.read().lower()
        for word in ("ilegal", "bekas korban", "gagal", "pelaku", "pembohong", "lemah", "malas"):
            assert word not in text

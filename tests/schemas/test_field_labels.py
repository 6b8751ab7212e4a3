"""Every field of the record has a name in both languages, and no name is left over."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, RootModel

from schemas.labels import field_label, field_labels
from schemas.record.record import SECTION_MODELS
from schemas.shapes import models_in


def paths(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}.{name}"
        for inner in models_in(field.annotation):
            yield from paths(inner, f"{path}.{name}")


EVERY_FIELD = [
    path for name, model in SECTION_MODELS.items() if not issubclass(model, RootModel) for path in paths(model, name)
]


class TestFieldLabels:
    def test_name_every_field_of_every_section_and_nothing_else(self):
        assert list(field_labels()) == EVERY_FIELD, "schemas/labels/fields.csv: a row a field, in the record's order"

    def test_are_said_in_both_languages(self):
        assert [path for path, said in field_labels().items() if not all(said.values())] == []

    def test_are_short_enough_for_a_column(self):
        assert [path for path, said in field_labels().items() if max(map(len, said.values())) > 60] == []

    def test_tell_the_fields_beside_each_other_apart(self):
        for lang in ("id", "en"):
            seen = [(path.rpartition(".")[0], said[lang]) for path, said in field_labels().items()]
            assert len(seen) == len(set(seen))

    def test_show_the_name_of_a_field_that_came_later(self):
        assert field_label("identity.names.full", "id") == "Nama lengkap"
        assert field_label("identity.names.later_field", "id") == "later field"

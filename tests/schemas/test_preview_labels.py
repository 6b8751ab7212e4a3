"""Every field of a preview has a name in both languages, and no name is left over."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from schemas.documents.preview_labels import preview_labels
from schemas.record import Preview
from schemas.shapes import models_in


def paths(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}.{name}"
        for inner in models_in(field.annotation):
            yield from paths(inner, f"{path}.{name}")


def test_they_name_every_field_and_nothing_else():
    assert list(preview_labels()) == list(paths(Preview, "preview")), (
        "schemas/documents/preview_labels.csv: a row a field"
    )


def test_they_are_said_in_both_languages_and_tell_fields_beside_each_other_apart():
    assert all(text for said in preview_labels().values() for text in said.values())
    for lang in ("id", "en"):
        seen = [(path.rpartition(".")[0], said[lang]) for path, said in preview_labels().items()]
        assert len(seen) == len(set(seen))

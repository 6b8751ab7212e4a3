"""The fields of the record and of the preview, with their labels and meanings: what FHIR's observations have as their code."""

from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel, RootModel

from schemas.documents.htcds_names import htcds_names
from schemas.documents.json_schema import HTCDS
from schemas.documents.meanings import meaning_of
from schemas.documents.preview_labels import preview_labels
from schemas.documents.used import lists_in
from schemas.exchange.record_fields import RecordField, RecordFields
from schemas.labels import field_labels
from schemas.record import SCHEMA_VERSION, SECTION_MODELS, Preview
from schemas.shapes import models_in


@cache
def record_fields() -> RecordFields:
    """Every field; sections that are free in form have none."""
    parts: dict[str, type[BaseModel]] = {
        name: model for name, model in SECTION_MODELS.items() if not issubclass(model, RootModel)
    }
    found = (field for name, model in (parts | {"preview": Preview}).items() for field in _of(model, name))
    return RecordFields(schema_version=SCHEMA_VERSION, attribution=HTCDS, fields=tuple(found))


def _of(model: type[BaseModel], path: str) -> Iterator[RecordField]:
    of_a_preview = path.partition(".")[0] == "preview"
    labels = preview_labels() if of_a_preview else field_labels()
    for name, field in model.model_fields.items():
        place = f"{path}.{name}"
        means = None if of_a_preview else meaning_of(model, name)
        yield RecordField(
            path=place,
            id=labels[place]["id"],
            en=labels[place]["en"],
            meaning_id=means and means.id,
            meaning_en=means and means.en,
            code_list=next(lists_in(field.annotation, field.metadata), None),
            htcds=htcds_names(model, name),
        )
        for inner in models_in(field.annotation):
            yield from _of(inner, place)

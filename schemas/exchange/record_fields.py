"""The fields of the record and of the preview as they are published: the system whose codes are dotted paths."""

from schemas.base import Wire
from schemas.text import Line, Name, Text


class RecordField(Wire):
    """A field: what it is called and means, and what may stand in it."""

    path: Line
    """Its section and the names of members, without places in lists (`identity.names.full`); of a preview `preview.age_band`."""
    id: Line
    """Its label in Indonesian."""
    en: Line
    """Its label in English."""
    meaning_id: Text | None
    """What it means, in Indonesian; null for the fields of a preview, which mean what they mean in the record."""
    meaning_en: Text | None
    """What it means, in English."""
    code_list: Name | None
    """The list its codes are from."""
    htcds: tuple[Line, ...]
    """What HTCDS 2.0 calls it."""


class RecordFields(Wire):
    """Every field of the record, then of the preview, each in order."""

    schema_version: Line
    attribution: Text
    """Whose names the HTCDS names are."""
    fields: tuple[RecordField, ...]

"""The victim-referral record, a file a section, and the preview made from it."""

from schemas.record.age import age_band, is_child, youngest_age
from schemas.record.preview import SHELTER_FLAGS, Preview, preview_of
from schemas.record.record import MAX_RECORD_BYTES, SCHEMA_VERSION, SECTION_MODELS, SECTIONS, Record, included

__all__ = [
    "MAX_RECORD_BYTES",
    "SCHEMA_VERSION",
    "SECTIONS",
    "SECTION_MODELS",
    "SHELTER_FLAGS",
    "Preview",
    "Record",
    "age_band",
    "included",
    "is_child",
    "preview_of",
    "youngest_age",
]

"""The names integrators rely on."""

import schemas
import schemas.codes
import schemas.record


def test_the_list_of_public_names():
    assert schemas.__all__ == [
        "ENUMS", "MAX_RECORD_BYTES", "SCHEMA_VERSION", "SECTIONS", "SECTION_MODELS", "SHELTER_FLAGS",
        "Age", "AgencyCode", "Code", "CodeEntry", "CodeEnum", "CodeList", "Count", "CountryCode", "CurrencyCode", "Day",
        "Email", "Flag", "Lang", "LanguageTag", "LegalBasisCode", "Line", "Moment", "Name", "Narrative", "Number",
        "PartialDate", "Phone", "Preview", "Record", "RegionCode", "ScriptCode", "Sha256", "Text", "Wire",
        "age_band", "code_list", "included", "is_child", "label", "list_names", "preview_of", "youngest_age",
    ]  # fmt: skip


def test_every_public_name_exists():
    for package in (schemas, schemas.codes, schemas.record):
        assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_every_enumeration_is_public():
    assert {kind.__name__ for kind in schemas.ENUMS.values()} <= set(schemas.codes.__all__)

"""`Accept` is read by RFC 9110 §12.5.1."""

from __future__ import annotations

import pytest

from app.foundation.negotiation import MOST, MediaType, preferred

JSON = MediaType("application/json")
FHIR = MediaType("application/fhir+json", {"fhirVersion": "4.0"})


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("", JSON),
        ("  ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/FHIR+JSON", FHIR),
        ("application/fhir+json", FHIR),
        ("application/fhir+json; fhirVersion=4.0", FHIR),
        ('application/fhir+json;fhirVersion="4.0"', FHIR),
        ("application/fhir+json; charset=utf-8", FHIR),
        ("application/json;q=0.5, application/fhir+json;q=0.9", FHIR),
        ("application/json, application/fhir+json", JSON),
        ("application/fhir+json, */*;q=0.8", FHIR),
        ("application/json;q=0, */*", FHIR),
        ("*/*;q=0.1, application/fhir+json;q=0", JSON),
        ("application/fhir+json;fhirVersion=5.0, application/json;q=0.1", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("nonsense, application/fhir+json", FHIR),
        ("application/fhir+json;q=2, application/json;q=0.001", JSON),
        ('text/x;y=",application/fhir+json", application/json', JSON),
    ],
)
def test_gives_what_is_wanted_most(accept, given):
    assert preferred(accept, (JSON, FHIR)) is given


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "application/fhir+xml",
        "application/fhir+json;fhirVersion=3.0",
        "application/fhir+json;profile=x",
        "application/json;q=0, application/fhir+json;q=0",
        "*/*;q=0",
        "*/json",
        "nonsense",
        "application/json;q=one",
        "application/json;q",
        ";;;,,,",
        '"',
        "/",
        "application/json\u00e9",
        "application/json, " + "a" * MOST,
    ],
)
def test_gives_nothing_where_nothing_is_wanted(accept):
    assert preferred(accept, (JSON, FHIR)) is None

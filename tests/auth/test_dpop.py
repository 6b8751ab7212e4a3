"""URLs as proofs name them: RFC 3986 §6.2.2 and §6.2.3."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.binding import dpop
from auth.binding.dpop import InvalidProofError, normalise


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTPS://A.Example/x", "https://a.example/x"),
        ("https://a.example", "https://a.example/"),
        ("https://a.example?q", "https://a.example/"),
        ("https://a.example:443/x", "https://a.example/x"),
        ("http://a.example:80/x", "http://a.example/x"),
        ("https://a.example:/x", "https://a.example/x"),
        ("https://a.example:8443/x", "https://a.example:8443/x"),
        ("http://a.example:443/x", "http://a.example:443/x"),
        ("https://a.example/X", "https://a.example/X"),
        ("https://a.example/%78", "https://a.example/x"),
        ("https://a.example/%7e%2D%5f%2e%41", "https://a.example/~-_.A"),
        ("https://a.example/%2f%3a", "https://a.example/%2F%3A"),
        ("https://a.example/a/./b/../c", "https://a.example/a/c"),
        ("https://a.example/a/..", "https://a.example/"),
        ("https://a.example/../../x", "https://a.example/x"),
        ("https://a.example/a/.", "https://a.example/a/"),
        ("https://a.example/%2e%2e/x", "https://a.example/x"),
        ("https://a.example/x/", "https://a.example/x/"),
        ("https://a.example//x", "https://a.example//x"),
        ("https://a.example/x?y=z#f", "https://a.example/x"),
        ("https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/x"),
        ("https://a.example/x.y/.z", "https://a.example/x.y/.z"),
    ],
)
def test_normalised(written, normal):
    assert normalise(written) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x",
        "/x",
        "//a.example/x",
        "ftp://a.example/x",
        "https:///x",
        "https://u@a.example/",
        "https://a.example:x/",
        "https://a.example:99999/",
        "https://[::1",
        "https://a.example/ x",
        "https://a.example/\n",
        "https://é.example/",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_url_of_ours(written):
    assert normalise(written) is None


@given(st.text())
def test_any_text_is_normalised_or_not_and_never_a_fault(text):
    normal = normalise(text)
    assert normal is None or normalise(normal) == normal


@given(st.text())
def test_any_header_is_refused_in_one_way(text):
    with pytest.raises(InvalidProofError):
        dpop.check(text, method="GET", url="https://a.example/", now=datetime(2026, 11, 25, tzinfo=UTC))

"""RFC 7523 §3, RFC 9449 §4.3, RFC 9068 §4: several hundred bad ones, each refused for its own fault, and never with another error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.mutations.sample import CHECKS, ISSUER, refusal_of, sample
from tests.conformance.mutations.table import KINDS, MUTATIONS, Mutation

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
HEADERS = ("alg", "typ", "kid", "jwk", "crit", "b64", "zip", "jku", "x5u")
CLAIMS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "htm",
    "htu",
    "ath",
    "cnf",
    "scope",
    "agency",
    "client_id",
    "client_kid",
)
some_headers = st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=3)
some_claims = st.dictionaries(st.sampled_from(CLAIMS), VALUES, max_size=3)
some_kind = st.sampled_from(KINDS)


def test_there_are_enough_of_them_and_each_once():
    names = [str(each) for each in MUTATIONS]
    assert len(names) == len(set(names)) >= 300
    for kind in KINDS:
        assert sum(each.kind == kind for each in MUTATIONS) >= 100


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_one_is_taken(kind: str):
    assert refusal_of(sample(), kind, sample().good[kind].text) is None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_bad_one_is_refused_for_its_fault(mutation: Mutation):
    assert refusal_of(sample(), mutation.kind, mutation.make(sample())) == mutation.refusal


@given(some_kind, st.data())
def test_any_letter_changed_is_refused(kind: str, data: st.DataObject):
    text = sample().good[kind].text
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters().filter(lambda each: each != text[at]))
    assert refusal_of(sample(), kind, text[:at] + letter + text[at + 1 :]) is not None


@given(some_kind, st.data())
def test_any_part_left_out_or_doubled_is_refused(kind: str, data: st.DataObject):
    text = sample().good[kind].text
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    if start < end:
        assert refusal_of(sample(), kind, text[:start] + text[end:]) is not None
        assert refusal_of(sample(), kind, text[:end] + text[start:]) is not None


@given(some_kind, some_headers, some_claims)
def test_any_members_signed_are_taken_or_refused_and_never_a_fault(
    kind: str, header: dict[str, Any], claims: dict[str, Any]
):
    """What is taken in spite of the change still says what it must."""
    good = sample().good[kind]
    text = good.signed({**good.header, **header}, {**good.claims, **claims})
    if refusal_of(sample(), kind, text) is None:
        said = {**good.claims, **claims}
        same = {"assertion": ("iss", "sub", "aud"), "proof": ("htm", "ath"), "token": ("iss", "aud", "agency")}[kind]
        assert all(said[name] == good.claims[name] for name in same)
        assert header.get("alg", "ES256") == "ES256"


@given(some_kind, st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused(kind: str, text: str):
    assert refusal_of(sample(), kind, text) is not None


@given(some_kind, st.integers(-(10**6), 10**6), st.sampled_from(["iat", "nbf", "exp"]))
def test_any_time_is_taken_only_within_its_bounds(kind: str, by: int, claim: str):
    bounds = {  # the sample client's key is a day old: no token of it is older
        "assertion": {"iat": (-310, 10), "nbf": (-(10**9), 10), "exp": (-9, 310)},
        "proof": {"iat": (-60, 10), "nbf": (-(10**9), 10), "exp": (1, 10**9)},
        "token": {"iat": (-86_400, 10**9), "nbf": (-(10**9), 0), "exp": (1, 10**9)},
    }
    good = sample().good[kind]
    low, high = bounds[kind][claim]
    taken = refusal_of(sample(), kind, good.signed(good.header, {**good.claims, claim: sample().seconds + by})) is None
    assert taken is (low <= by <= high)


@pytest.mark.parametrize("kind", KINDS)
def test_8_kib_is_the_limit(kind: str):
    good = sample().good[kind]

    def of_length(length: int) -> str:
        rest = len(good.signed(good.header, {**good.claims, "z": ""}))
        for fill in range((length - rest) * 3 // 4 - 8, (length - rest) * 3 // 4 + 8):
            text = good.signed(good.header, {**good.claims, "z": "a" * fill})
            if len(text) == length:
                return text
        return ""

    lengths = [length for length in range(8186, 8200) if of_length(length)]
    assert min(lengths) <= 8192 < max(lengths)
    for length in lengths:
        assert (refusal_of(sample(), kind, of_length(length)) is None) is (length <= 8192)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_huge_is_refused_before_it_is_looked_into(kind: str):
    """GHSA-pq5p-34cr-23v9 and its like: the limit comes before the parser, so this takes no time."""
    for text in ("." * 10_000_000, "a" * 10_000_000, "e30." * 2_000_000):
        assert refusal_of(sample(), kind, text) is not None


def test_what_is_said_of_a_refusal_is_never_what_was_sent():
    """The refusals of the table are constants of ours; no member of a mutation is in one."""
    said = {each.refusal for each in MUTATIONS}
    assert len(said) < 40
    assert not any(ISSUER in text or json.dumps(text) == "null" for text in said)
    assert set(CHECKS) == set(KINDS)

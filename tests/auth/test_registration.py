"""The rules of a registration, apart from HTTP and database: whatever is sent is taken or refused, and nothing else happens."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.errors import OAuth2Error
from hypothesis import given, settings
from hypothesis import strategies as st

from app.foundation.settings import Settings
from auth import jose
from auth.registration.claims import Allowed, ClientMetadata, from_store, to_store
from auth.registration.server import new_client_id
from tests.makers.effort import examples

GOOD = {"client_name": "A system", "jwks": {"keys": [jose.generate().public_jwk()]}}
ALLOWED = Allowed(frozenset({"cases.read", "events.read"}), Settings())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEY = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["EC", "OKP", "RSA", "oct"]) | JSON,
        "crv": st.sampled_from(["P-256", "Ed25519", "P-999"]) | JSON,
        **dict.fromkeys(("x", "y", "n", "e", "kid", "use", "alg", "key_ops", "x5c", "d"), JSON),
    },
)


def checked(metadata: dict[str, Any]) -> dict[str, Any] | None:
    claims = ClientMetadata(metadata, {}, {}, {"allowed": ALLOWED})
    try:
        claims.validate()
    except OAuth2Error:
        return None
    found: dict[str, Any] = claims.get_registered_claims()
    return found


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(ClientMetadata.REGISTERED_CLAIMS), JSON)
def test_any_member_is_taken_or_refused(name: str, value: Any) -> None:
    checked({**GOOD, name: value})


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(KEY, max_size=3))
def test_any_keys_are_taken_or_refused(keys: list[Any]) -> None:
    checked({**GOOD, "jwks": {"keys": keys}})


def test_what_is_stored_reads_as_it_was_said() -> None:
    metadata = checked({**GOOD, "software_id": "x"})
    assert metadata is not None
    stored = to_store(metadata)
    row = {**{name: value for name, value in stored.items() if name != "keys"}}
    assert from_store(row, [key["jwk"] for key in stored["keys"]]) == metadata


def test_an_id_is_one_the_database_takes() -> None:
    for name in ("RPTC Bambu Apus!", "-.-", "İstanbul", "a" * 300, "../../etc"):
        found = new_client_id(name)
        assert 3 <= len(found) <= 64
        assert found[0].isalnum()
        assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")

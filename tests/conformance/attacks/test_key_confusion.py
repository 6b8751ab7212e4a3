"""RFC 8725 §2.1 and §3.1, FAPI 2.0 §5.4.3, CVE-2015-9235, CVE-2022-21449, CVE-2024-37568.

A key verifies what it was registered for, by its own algorithm.

Beside the table of mutations (HMACs by PEM, DER and JWK; strangers' keys by header; every wrong `kid`, `alg` and signature).
"""

from __future__ import annotations

import hmac
import json

import pytest
from joserfc.jwk import RSAKey

from auth import jose
from auth.admin.client_keys import registered_keys
from auth.admin.errors import UnusableKeyError
from auth.jose import JoseRefusedError
from tests.conformance.mutations.sample import refusal_of, sample
from tests.conformance.mutations.table import KINDS, MALFORMED, WRONG_KEY, WRONG_SIGNATURE
from tests.makers.auth import b64, rsa_key, sign_raw

KIDS = (
    "../../../dev/null", "/etc/passwd", "file:///dev/null", "https://evil.example/jwks", "x'; DROP TABLE client; --", "%00", "\u202e",
    "a" * 128, "a" * 129, "a" * 4000, "*", ".*", "__proto__", "null", "0",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["assertion", "token"])
@pytest.mark.parametrize("kid", KIDS, ids=lambda kid: ascii(kid[:30]) + str(len(kid)))
def test_a_kid_is_compared_and_never_looked_up_anywhere(kind: str, kid: str):
    """RFC 8725 §3.10: no file, no query, no address."""
    good = sample().good[kind]
    assert refusal_of(sample(), kind, good.signed({**good.header, "kid": kid}, good.claims)) == WRONG_KEY[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", ["", "\0", "kid", "thumbprint", "crv", "client"])
def test_an_hmac_by_what_everybody_knows_is_refused(kind: str, algorithm: str, secret: str):
    good = sample().good[kind]
    key = {"kid": str(good.header.get("kid")), "thumbprint": str(good.key.thumbprint()), "crv": "P-256"}.get(
        secret, secret
    )
    signing_input = f"{b64(json.dumps({**good.header, 'alg': algorithm}))}.{b64(json.dumps(good.claims))}"
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
    text = f"{signing_input}.{b64(hmac.digest(key.encode(), signing_input.encode(), digest))}"
    assert refusal_of(sample(), kind, text) == MALFORMED[kind]


@pytest.mark.parametrize("kind", ["assertion", "token"])
def test_a_strangers_rsa_key_under_our_kid_is_refused(kind: str):
    """Another kind of key, the right `kid`, an algorithm that is listed."""
    good = sample().good[kind]
    text = sign_raw({**good.header, "alg": "PS256"}, good.claims, rsa_key())
    assert refusal_of(sample(), kind, text) == WRONG_SIGNATURE[kind]


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": "Ed25519"},
        {"crv": "p-256"},
        {"kty": "ec"},
        {"n": "AQAB", "e": "AQAB"},
    ],
    ids=str,
)
def test_a_proofs_jwk_of_mixed_kinds_is_refused_or_read_as_what_it_is(changes: dict[str, str]):
    good = sample().good["proof"]
    header = {**good.header, "jwk": {**good.header["jwk"], **changes}}
    refused = refusal_of(sample(), "proof", good.signed(header, good.claims))
    read = {"{'n': 'AQAB', 'e': 'AQAB'}": None, "{'kty': 'OKP', 'crv': 'Ed25519'}": "wrong_key"}  # as what it then is
    assert refused == read.get(str(changes), "malformed")


def test_a_point_that_is_not_on_the_curve_is_refused():
    """RFC 8725 §2.2's invalid curve: also one that is almost right, and the point at infinity."""
    jwk = dict(sample().good["proof"].header["jwk"])
    for x, y in (
        (jwk["x"], jwk["x"]),
        (jwk["y"], jwk["x"]),
        (b64(bytes(32)), b64(bytes(32))),
        (b64(b"\xff" * 32), jwk["y"]),
    ):
        with pytest.raises(JoseRefusedError):
            jose.import_public({**jwk, "x": x, "y": y})


SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""Points of order 1, 2, 4 and 8 on Curve25519's Edwards form, and their ways of writing that RFC 8032 §5.1.3 does not know."""


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_an_ed25519_key_that_fits_signatures_nobody_made_is_refused(point: str):
    """RFC 8032 §8, RFC 8725 §3.4: with a point of small order as key one signature verifies for (almost) any message, so everybody could sign."""
    with pytest.raises(JoseRefusedError):
        jose.import_public({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes.fromhex(point))})


@pytest.mark.parametrize("exponent", [1, 2, 3, 65536, 2**64 + 1])
def test_an_rsa_key_with_another_exponent_is_refused(exponent: int):
    """With 1 as exponent a signature is the padded text itself, which anybody can write."""
    jwk = rsa_key().as_dict(private=False)
    size = (exponent.bit_length() + 7) // 8
    with pytest.raises(JoseRefusedError):
        jose.import_public({**jwk, "e": b64(exponent.to_bytes(size, "big"))})


def test_the_key_of_one_client_verifies_nothing_of_another():
    """Same `kid`, same key kind, each its own: whose key it is follows from the registered client, not from the assertion's `kid`."""
    one, other = ({**jose.generate().public_jwk(), "kid": "same"} for _ in range(2))
    assert registered_keys("private_key_jwt", [one])["same"] != registered_keys("private_key_jwt", [other])["same"]
    with pytest.raises(UnusableKeyError, match="same kid"):
        registered_keys("private_key_jwt", [one, other])


async def test_another_clients_key_under_the_victims_name(world, party):
    """The thief is a good client itself, with a key registered under the very kid of the victim's."""
    stranger = jose.generate()
    kid = party.credentials.signing_key().public.kid
    for header in ({"kid": kid}, {"kid": stranger.public.kid}, {}):
        reply = await party.ask(client_assertion=party.assertion(key=stranger, header=header))
        assert (reply.status_code, reply.json()["error_description"]) == (401, "Client authentication failed.")


def test_a_private_key_in_a_registration_is_refused():
    """Whoever sends it has shown it to everybody on the way."""
    for key in (
        jose.generate().private_jwk(),
        jose.generate("Ed25519").private_jwk(),
        RSAKey.generate_key(2048).as_dict(private=True),
    ):
        with pytest.raises(UnusableKeyError, match="private"):
            registered_keys("private_key_jwt", [key])

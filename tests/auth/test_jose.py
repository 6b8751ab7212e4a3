"""The one place that reads JWS and JWK: whatever comes, it is refused in one way, or right."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import jose
from auth.jose import ALGORITHMS, JoseRefusedError
from tests.makers.auth import b64, ec_key, okp_key, rsa_key, sign_raw

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "use", "alg", "kid", "key_ops", "x5c", "k"])
KEY = jose.generate()


class TestSigning:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_what_is_signed_verifies(self, algorithm):
        key = jose.generate(algorithm)
        token = jose.parse(key.sign({"typ": "at+jwt", "kid": "k"}, {"a": "é"}), {"at+jwt"})
        assert token.claims == {"a": "é"}
        assert token.is_signed_by(key.public)
        assert not token.is_signed_by(jose.generate(algorithm).public)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_key_survives_being_stored(self, algorithm):
        key = jose.generate(algorithm)
        again = jose.import_private(json.loads(json.dumps(key.private_jwk())))
        assert (again.algorithm, again.public.kid) == (
            algorithm,
            key.public.kid == again.public.thumbprint and key.public.kid,
        )
        assert jose.parse(again.sign({}, {}), {None}).is_signed_by(key.public)
        assert "d" not in key.public_jwk()

    def test_a_public_key_does_not_sign(self):
        with pytest.raises(JoseRefusedError):
            jose.import_private(KEY.public_jwk())


class TestParsing:
    def test_nothing_over_8_kib_is_looked_into(self):
        huge = "." * 50_000_000
        before = time.perf_counter()
        with pytest.raises(JoseRefusedError, match="too large"):
            jose.parse(huge, {None})
        assert time.perf_counter() - before < 0.05

    @pytest.mark.parametrize(
        "text",
        ['{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":NaN}', '{"a":-Infinity}', "[]", "1", '"x"', "{", "", "\ufeff{}"],
    )
    def test_payloads_that_are_refused(self, text):
        with pytest.raises(JoseRefusedError):
            jose.parse(sign_raw({"alg": "ES256"}, text, KEY.key), {None})

    @pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"])
    def test_a_type_is_compared_as_a_media_type(self, typ):
        assert jose.parse(KEY.sign({"typ": typ}, {}), {"at+jwt"})
        with pytest.raises(JoseRefusedError):
            jose.parse(KEY.sign({"typ": typ}, {}), {"dpop+jwt", None})

    def test_padding_and_line_breaks_are_refused(self):
        token = KEY.sign({}, {})
        for bad in (f"{token}=", f"{token}\n", f" {token}", token.replace(".", "=.", 1), token + "%"):
            with pytest.raises(JoseRefusedError):
                jose.parse(bad, {None})

    @given(
        st.text(max_size=200)
        | st.builds(lambda *parts: ".".join(b64(part) for part in parts), *[st.text(max_size=80)] * 3)
    )
    def test_any_text_is_refused_in_one_way(self, text):
        with pytest.raises(JoseRefusedError):
            jose.parse(text, {None})

    @given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64", "x"]), JSON), JSON)
    def test_any_header_and_payload_is_parsed_or_refused(self, header, payload):
        try:
            token = jose.parse(f"{b64(json.dumps(header))}.{b64(json.dumps(payload))}.AA", {None})
        except JoseRefusedError:
            return
        assert not token.is_signed_by(KEY.public)

    @pytest.mark.parametrize("value", ["1", True, None, [], {}, float("inf"), 1e12, -1e12])
    def test_what_is_no_time(self, value):
        with pytest.raises(JoseRefusedError):
            jose.numeric_date({"exp": value}, "exp")

    def test_times(self):
        assert jose.numeric_date({}, "exp") is None
        assert jose.numeric_date({"exp": 5}, "exp") == 5.0


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        [ec_key("P-384"), ec_key("P-521"), ec_key("secp256k1"), okp_key("X25519"), okp_key("Ed448"), rsa_key(1024)],
        ids=["P-384", "P-521", "secp256k1", "X25519", "Ed448", "RSA 1024"],
    )
    def test_kinds_that_are_refused(self, key):
        with pytest.raises(JoseRefusedError):
            jose.import_public(key.as_dict(private=False))

    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
    def test_private_members_are_refused(self, member):
        with pytest.raises(JoseRefusedError, match="private"):
            jose.import_public({**KEY.public_jwk(), member: "AQ"})

    @pytest.mark.parametrize(
        "members",
        [
            {"use": "enc"},
            {"key_ops": ["sign"]},
            {"key_ops": None},
            {"alg": "ES384"},
            {"alg": "PS256"},
            {"kid": 5},
            {"kid": ""},
            {"kid": "x" * 200},
        ],
    )
    def test_keys_for_something_else_are_refused(self, members):
        with pytest.raises(JoseRefusedError):
            jose.import_public({**KEY.public_jwk(), **members})

    def test_an_exponent_that_costs_time_is_refused(self):
        jwk = rsa_key().as_dict(private=False)
        for exponent in ("Aw", b64(b"\xff" * 200)):
            with pytest.raises(JoseRefusedError):
                jose.import_public({**jwk, "e": exponent})
        with pytest.raises(JoseRefusedError):
            jose.import_public({**jwk, "n": b64(b"\xff" * 2000)})

    def test_what_certificates_say_is_never_looked_at(self):
        key = jose.import_public({**KEY.public_jwk(), "x5u": 5, "x5c": "nonsense", "x5t": None, "unknown": {}})
        assert "x5u" not in key.jwk

    def test_a_key_verifies_only_its_own_algorithm(self):
        public = rsa_key().as_dict(private=False)
        token = jose.parse(sign_raw({"alg": "PS256"}, {}, rsa_key()), {None})
        assert token.is_signed_by(jose.import_public(public))
        assert not token.is_signed_by(KEY.public)

    @given(
        st.dictionaries(MEMBERS, JSON | st.sampled_from(["EC", "OKP", "RSA", "oct", "P-256", "Ed25519", "AQAB"])) | JSON
    )
    def test_any_jwk_is_imported_or_refused(self, jwk):
        try:
            jose.import_public(jwk)
        except JoseRefusedError:
            return


class TestSelection:
    def test_by_kid(self):
        keys = [jose.import_public({**jose.generate().public_jwk(), "kid": kid}) for kid in "ab"]
        token = jose.parse(KEY.sign({"kid": "b"}, {}), {None})
        assert jose.select(keys, token) is keys[1]
        assert jose.select(keys[:1], token) is None

    def test_by_type_where_a_kid_names_two(self):
        rsa = jose.import_public({**rsa_key().as_dict(private=False), "kid": "same"})
        ec = jose.import_public({**KEY.public_jwk(), "kid": "same"})
        token = jose.parse(KEY.sign({"kid": "same"}, {}), {None})
        assert jose.select([rsa, ec], token) is ec
        assert jose.select([ec, ec], token) is None

    def test_without_a_kid_there_must_be_no_choice(self):
        token = jose.parse(KEY.sign({}, {}), {None})
        assert jose.select([KEY.public], token) is KEY.public
        assert jose.select([KEY.public, jose.generate().public], token) is None
        assert jose.select([], token) is None

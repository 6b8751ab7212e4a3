"""RFC 7515, RFC 7519, RFC 9449, RFC 7523: Hypothesis makes tokens, assertions and proofs with several things wrong at once.

The table of mutations changes one thing; here header, claims, their JSON, their encoding, the signature and the frame are each drawn by
themselves, most of them right, so that what is wrong stands deep inside something that looks good.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.mutations.sample import refusal_of, sample
from tests.conformance.mutations.table import KINDS, Good
from tests.makers.auth import b64
from tests.makers.effort import examples

ALGORITHMS = (
    "ES256",
    "PS256",
    "EdDSA",
    "Ed25519",
    "RS256",
    "HS256",
    "none",
    "ES384",
    "ES256K",
    "es256",
    "NONE",
    "A256GCM",
    "",
)
TYPES = (
    "at+jwt",
    "dpop+jwt",
    "JWT",
    "jwt",
    "application/at+jwt",
    "AT+JWT",
    "client-authentication+jwt",
    "",
    "application/",
)
TIMES = (
    st.sampled_from([0, -1, 1e308, 5e-324, 2**63, 2**53 + 1, -0.0])
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
)
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["\0", "\ud800", "a" * 300, "https://rujukan.example", "client-one", "agency-one", "revoked"]
)
ANY = st.recursive(
    st.none() | st.booleans() | TIMES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
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
    "nonce",
    "cnf",
    "scope",
    "agency",
    "client_id",
    "client_kid",
)


def usually(right: Any, wrong: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Right in most cases, so that one fault does not hide the others."""
    return st.integers(0, 11).flatmap(lambda drawn: wrong if drawn == 7 else st.just(right))


@st.composite
def written(draw: st.DrawFn, members: dict[str, Any]) -> str:
    """JSON text of the members, or something near it."""
    text = json.dumps(members, separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])))
    twist = draw(st.integers(0, 40))
    if twist == 5 and members:
        name = draw(st.sampled_from(sorted(members)))
        return f"{text[:-1]},{json.dumps(name)}:{json.dumps(draw(ANY))}}}"
    if twist == 1 and members:
        name = draw(st.sampled_from(sorted(members)))
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
        return text.replace(json.dumps(name), f'"{escaped}"', 1)
    if twist == 2:
        return draw(st.sampled_from(["[{}]", "{} ", " {}", "{}{}", "{},", "\ufeff{}", "{}\0", '"{}"'])).replace(
            "{}", text, 2
        )
    if twist == 3:
        at = draw(st.integers(0, len(text)))
        return (
            text[:at]
            + draw(st.sampled_from(["\0", "{", "}", '"', "\\", "1e999", "NaN", "\ud800", "[" * 500]))
            + text[at:]
        )
    return text


def encode(text: str, how: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return {
        "right": b64(raw),
        "padded": b64(raw) + "=",
        "standard": b64(raw) + "+/",
        "plain": text,
        "twice": b64(b64(raw)),
        "upper": b64(raw).upper(),
    }[how]


@st.composite
def made(draw: st.DrawFn, kind: str) -> str:
    """One that is near a good one."""
    good = sample().good[kind]
    header, claims = dict(good.header), dict(good.claims)
    header["alg"] = draw(usually(header["alg"], st.sampled_from(ALGORITHMS) | ANY))
    header["typ"] = draw(usually(header["typ"], st.sampled_from(TYPES) | ANY))
    for name in ("kid", "jwk", "crit", "jku", "x5c", "b64", "zip", "enc"):
        if draw(st.integers(0, 40)) == 7:
            header[name] = draw(ANY)
    for name in draw(usually([], st.lists(st.sampled_from(CLAIMS), min_size=1, max_size=3))):
        claims[name] = draw(TIMES if name in ("exp", "iat", "nbf") else ANY)
    for name in draw(usually([], st.sampled_from(sorted(claims)).map(lambda name: [name]))):
        del claims[name]
    ways = st.sampled_from(["padded", "standard", "plain", "twice", "upper"])
    head = encode(draw(written(header)), draw(usually("right", ways)))
    body = encode(draw(written(claims)), draw(usually("right", ways)))
    frame = f"{head}.{body}"
    signature = signed(good, frame).rpartition(".")[2]
    signature = draw(
        usually(signature, st.sampled_from(["", "AA", signature[:-2], signature * 2, signature + "=", b64(b"\0" * 64)]))
    )
    text = f"{frame}.{signature}"
    return draw(
        usually(
            text,
            st.sampled_from(
                [
                    f".{text}",
                    f"{text}.",
                    text.replace(".", "..", 1),
                    text.replace(".", ":"),
                    f" {text}",
                    text + "\n",
                    text + text,
                ]
            ),
        )
    )


def signed(good: Good, frame: str) -> str:
    return good.sealed(frame)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from(KINDS), st.data())
def test_whatever_is_made_is_taken_or_refused_in_our_words(kind: str, data: st.DataObject):
    """No other exception gets out, no refusal repeats what was sent, and what is taken says what it must."""
    text = data.draw(made(kind))
    refusal = refusal_of(sample(), kind, text)
    if refusal is not None:
        assert len(refusal) < 120
        assert not any(part in refusal for part in text.split(".") if len(part) > 12)
        return
    claims = json.loads(decoded(text.split(".")[1]))
    good = sample().good[kind]
    for name in {"assertion": ("iss", "sub", "aud"), "proof": ("htm", "ath"), "token": ("iss", "aud", "agency", "cnf")}[
        kind
    ]:
        assert claims[name] == good.claims[name]


def decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


HTTP = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


def sendable(text: str) -> bool:
    """Whether a client could put it into a header."""
    return text.isascii() and text.isprintable() and text == text.strip()


@HTTP
@given(data=st.data())
async def test_over_http_there_is_never_a_fault(world, party, data: st.DataObject):
    """As assertion, as proof of both kinds and as token: 400 or 401 in the right form, or taken."""
    text = data.draw(made(data.draw(st.sampled_from(KINDS))).filter(sendable))
    reply = await party.ask(client_assertion=text or "x")
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    reply = await party.ask(headers={"DPoP": text}, proof=text or "x")
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_dpop_proof")
    reply = await party.call(token=text or "x")
    assert (reply.status_code, reply.json()["type"]) == (401, "/problems/invalid-token")
    for work in (party.introspect, party.revoke):
        reply = await work(text or "x")
        assert (reply.status_code, reply.json()) in ((200, {"active": False}), (200, {}))

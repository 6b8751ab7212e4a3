"""The table of proofs: what is sent, and what must come of it. Also sent to the token endpoint, where `ath` plays no part."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from auth import jose
from tests.makers.auth import ABSENT, Party, b64, rsa_key, sign_raw

PATH = "/v1/probe"
ADMIN_PATH = "/admin/v1/approvals"
"""The administration API is a protected resource like any other."""


@dataclass(frozen=True)
class Case:
    """One proof; `reason` None if it must be accepted."""

    name: str
    reason: str | None
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    shift: dict[str, float] = field(default_factory=dict)
    make: Callable[[Party, str, str, str | None], str] | None = None
    url: Callable[[str], Any] | None = None
    resource_only: bool = False

    def proof(self, party: Party, method: str, path: str, token: str | None) -> str:
        """Return the proof to send."""
        if self.make is not None:
            return self.make(party, method, path, token)
        claims = {**self.claims, **{name: party.now + by for name, by in self.shift.items()}}
        if self.url is not None:
            claims["htu"] = self.url(party.issuer + path)
        return party.proof(method, path, token, header=self.header, **claims)


def signed_by(algorithm: str, bits: int) -> Callable[..., str]:
    """Sign with an RSA key, by an algorithm or of a size that is not taken."""

    def make(party: Party, method: str, path: str, token: str | None) -> str:
        right = jose.parse(party.proof(method, path, token), {"dpop+jwt"})
        key = rsa_key(bits)
        return sign_raw({**right.header, "alg": algorithm, "jwk": key.as_dict(private=False)}, right.claims, key)

    return make


def wrong_signature(party: Party, method: str, path: str, token: str | None) -> str:
    head, body, signature = party.proof(method, path, token).split(".")
    other = party.proof(method, path, token).split(".")[2]
    assert other != signature
    return f"{head}.{body}.{other}"


def no_signature(party: Party, method: str, path: str, token: str | None) -> str:
    return party.proof(method, path, token).rpartition(".")[0] + "."


def signed_by_hmac(party: Party, method: str, path: str, token: str | None) -> str:
    right = jose.parse(party.proof(method, path, token), {"dpop+jwt"})
    secret = {"kty": "oct", "k": b64("0123456789abcdef0123456789abcdef")}
    return sign_raw({**right.header, "alg": "HS256", "jwk": secret}, right.claims, party.proof_key.key)


def with_private_key(party: Party, method: str, path: str, token: str | None) -> str:
    jwk = {name: value for name, value in party.proof_key.private_jwk().items() if name not in ("kid", "alg")}
    return party.proof(method, path, token, header={"jwk": jwk})


def twice_the_same_claim(party: Party, method: str, path: str, token: str | None) -> str:
    right = jose.parse(party.proof(method, path, token), {"dpop+jwt"})
    return sign_raw(right.header, json.dumps(right.claims)[:-1] + f', "htm": "{method}"}}', party.proof_key.key)


def not_a_number(party: Party, method: str, path: str, token: str | None) -> str:
    right = jose.parse(party.proof(method, path, token), {"dpop+jwt"})
    claims = json.dumps({**right.claims, "iat": "@"}).replace('"@"', "NaN")
    return sign_raw(right.header, claims, party.proof_key.key)


def from_another_key(party: Party, method: str, path: str, token: str | None) -> str:
    return party.proof(method, path, token, key=jose.generate())


def escaped(url: str) -> str:
    return url[:-1] + f"%{ord(url[-1]):02x}"


CASES = [
    Case("plain", None),
    Case("garbage", "malformed", make=lambda *_: "garbage"),
    Case("empty", "malformed", make=lambda *_: ""),
    Case("two joined by a comma", "malformed", make=lambda p, m, a, t: f"{p.proof(m, a, t)}, {p.proof(m, a, t)}"),
    Case("no typ", "malformed", {"typ": ABSENT}),
    Case("typ JWT", "malformed", {"typ": "JWT"}),
    Case("typ at+jwt", "malformed", {"typ": "at+jwt"}),
    Case("typ a list", "malformed", {"typ": ["dpop+jwt"]}),
    Case("typ in full", None, {"typ": "application/dpop+jwt"}),
    Case("no alg", "malformed", {"alg": ABSENT}),
    Case("alg none", "malformed", {"alg": "none"}),
    Case("alg RS256", "malformed", make=signed_by("RS256", 2048)),
    Case("alg HS256 with an oct jwk", "malformed", make=signed_by_hmac),
    Case("RSA of 1024 bits", "malformed", make=signed_by("PS256", 1024)),
    Case("no jwk", "malformed", {"jwk": ABSENT}),
    Case("jwk null", "malformed", {"jwk": None}),
    Case("jwk a string", "malformed", {"jwk": "x"}),
    Case("jwk without kty", "malformed", {"jwk": {"crv": "P-256"}}),
    Case("jwk with kty a list", "malformed", {"jwk": {"kty": ["EC"]}}),
    Case("jwk of an unknown curve", "malformed", {"jwk": {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}}),
    Case("jwk not on the curve", "malformed", {"jwk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}}),
    Case("private jwk", "malformed", make=with_private_key),
    Case("crit unknown", "malformed", {"crit": ["x"], "x": 1}),
    Case("crit empty", "malformed", {"crit": []}),
    Case("crit null", "malformed", {"crit": None}),
    Case("unknown header", None, {"x": {"y": 1}}),
    Case("kid beside jwk", None, {"kid": "mine"}),
    Case("wrong signature", "signature", make=wrong_signature),
    Case("no signature", "signature", make=no_signature),
    Case("a claim twice", "malformed", make=twice_the_same_claim),
    Case("no jti", "jti", claims={"jti": ABSENT}),
    Case("jti empty", "jti", claims={"jti": ""}),
    Case("jti a number", "jti", claims={"jti": 5}),
    Case("jti of 5000 characters", "jti", claims={"jti": "x" * 5000}),
    Case("no htm", "htm", claims={"htm": ABSENT}),
    Case("htm PUT", "htm", claims={"htm": "PUT"}),
    Case("htm in small letters", "htm", make=lambda p, m, a, t: p.proof(m, a, t, htm=m.lower())),
    Case("htm a list", "htm", make=lambda p, m, a, t: p.proof(m, a, t, htm=[m])),
    Case("no htu", "htu", claims={"htu": ABSENT}),
    Case("htu a number", "htu", claims={"htu": 5}),
    Case("htu a list", "htu", url=lambda url: [url]),
    Case("htu empty", "htu", claims={"htu": ""}),
    Case("htu of another path", "htu", url=lambda url: url + "s"),
    Case("htu with a trailing slash", "htu", url=lambda url: url + "/"),
    Case("htu path only", "htu", claims={"htu": PATH}),
    Case("htu http for https", "htu", url=lambda url: url.replace("https", "http", 1)),
    Case("htu of another host", "htu", url=lambda url: url.replace("rujukan", "other", 1)),
    Case("htu of another port", "htu", url=lambda url: url.replace(".example", ".example:8443", 1)),
    Case("htu of an impossible port", "htu", url=lambda url: url.replace(".example", ".example:99999", 1)),
    Case("htu with a user", "htu", url=lambda url: url.replace("https://", "https://a@", 1)),
    Case("htu unparsable", "htu", claims={"htu": "https://[::1"}),
    Case("htu with a space", "htu", url=lambda url: url + " "),
    Case("htu path in capitals", "htu", url=lambda url: url[:-5] + url[-5:].upper()),
    Case("htu with the default port", None, url=lambda url: url.replace(".example", ".example:443", 1)),
    Case("htu scheme and host in capitals", None, url=lambda url: url.replace("https://rujukan", "HTTPS://RUJUKAN", 1)),
    Case("htu with an escape that need not be", None, url=escaped),
    Case("htu with query and fragment", None, url=lambda url: url + "?x=y#z"),
    Case("htu with dot segments", None, url=lambda url: url.rpartition("/")[0] + "/a/../" + url.rpartition("/")[2]),
    Case("no iat", "iat", claims={"iat": ABSENT}),
    Case("iat a string", "time", claims={"iat": "1795593515"}),
    Case("iat true", "time", claims={"iat": True}),
    Case("iat NaN", "malformed", make=not_a_number),
    Case("iat an hour ago", "iat", shift={"iat": -3600}),
    Case("iat an hour ahead", "iat", shift={"iat": 3600}),
    Case("iat 62 seconds ago", "iat", shift={"iat": -62}),
    Case("iat 13 seconds ahead", "iat", shift={"iat": 13}),
    Case("iat 8 seconds ahead", None, shift={"iat": 8}),
    Case("iat 10 seconds ago", None, shift={"iat": -10}),
    Case("iat 55 seconds ago", None, shift={"iat": -55}),
    Case("iat a fraction", None, shift={"iat": 0.25}),
    Case("nbf and exp", None, shift={"nbf": 0, "exp": 60}),
    Case("nbf ahead", "nbf", shift={"nbf": 60}),
    Case("exp past", "exp", shift={"exp": -1}),
    Case("exp a string", "time", claims={"exp": "soon"}),
    Case("unknown claim", None, claims={"x": 1}),
    Case("nonce nobody asked for", None, claims={"nonce": "x"}),
    Case("no ath", "ath", claims={"ath": ABSENT}, resource_only=True),
    Case("ath of another token", "ath", claims={"ath": b64(b"\0" * 32)}, resource_only=True),
    Case("ath a list", "ath", claims={"ath": ["x"]}, resource_only=True),
    Case("another key", "wrong_key", make=from_another_key, resource_only=True),
]

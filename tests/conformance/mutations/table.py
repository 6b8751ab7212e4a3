"""Bad assertions, proofs and tokens, each a good one with one thing wrong, and what must be said of it.

The signature is right for what was changed, unless it is the signature that is wrong: nothing else may be what saves us.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from auth import jose
from auth.directory import Snapshot
from tests.makers.auth import ABSENT, b64, without_absent

GENERIC = "Client authentication failed."
UNREADABLE = "The assertion is not a JWT this server takes."
SUBJECT = "iss and sub must both be the client_id."
AUDIENCE = "aud must be the issuer identifier of this server, as a single string."
EXPIRY = "exp is required, and must lie at most 5 minutes ahead."
EARLY = "The assertion is not valid yet."
OLD = "The assertion was issued more than 5 minutes ago."
JTI = "The assertion needs a jti of at most 256 characters."

KINDS = ("assertion", "proof", "token")
MALFORMED = {"assertion": UNREADABLE, "proof": "malformed", "token": "malformed"}
WRONG_SIGNATURE = {"assertion": GENERIC, "proof": "signature", "token": "signature"}
WRONG_KEY = {"assertion": GENERIC, "token": "signing_key"}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Good:
    """A good one, and what it was made by."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: ECKey = field(repr=False)

    def signed(self, header: dict[str, Any] | str, claims: dict[str, Any] | str) -> str:
        """Sign by ES256, whatever the header says."""
        head = header if isinstance(header, str) else json.dumps(without_absent(header))
        body = claims if isinstance(claims, str) else json.dumps(without_absent(claims))
        return self.sealed(f"{b64(head)}.{b64(body)}")

    def sealed(self, signing_input: str) -> str:
        """Add the right signature."""
        data = signing_input.encode("utf-8", "surrogatepass")
        return f"{signing_input}.{b64(JWSRegistry.algorithms['ES256'].sign(data, self.key))}"

    @property
    def text(self) -> str:
        """The good one itself."""
        return self.signed(self.header, self.claims)


@dataclass(frozen=True)
class Sample:
    """One good one of each kind, at one time."""

    now: datetime
    snapshot: Snapshot
    issuer: str
    good: dict[str, Good]
    ath: str
    thumbprint: str

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())


@dataclass(frozen=True)
class Mutation:
    """One thing wrong with one kind, and the refusal it must meet."""

    kind: str
    name: str
    refusal: str
    make: Callable[[Sample], str]

    def __str__(self) -> str:
        return ascii(f"{self.kind}: {self.name}")[1:-1]


def changed(kind: str, name: str, refusal: str, *, header: Any = None, claims: Any = None) -> Mutation:
    """Replace members of header or claims; a function gets the sample."""

    def make(sample: Sample) -> str:
        good = sample.good[kind]
        new = [given(sample) if callable(given) else given or {} for given in (header, claims)]
        return good.signed({**good.header, **new[0]}, {**good.claims, **new[1]})

    return Mutation(kind, name, refusal, make)


JUNK: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "true": True,
    "a number": 5,
    "negative": -1,
    "a list": ["x"],
    "an object": {"a": 1},
    "empty": "",
}

ALGORITHMS = (
    "none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512",
    "ES256K", "Ed448", "ES256 ", " ES256", "es256", "Es256", "ES256\u0000", "RSA-OAEP", "dir", "ECDH-ES", "ML-DSA-65",
)  # fmt: skip


def headers(kind: str) -> Iterator[Mutation]:
    malformed = MALFORMED[kind]
    for name, value in JUNK.items():
        if name != "empty":
            yield changed(kind, f"alg {name}", malformed, header={"alg": value})
    for algorithm in ALGORITHMS:
        yield changed(kind, f"alg {algorithm!r}", malformed, header={"alg": algorithm})
    for algorithm in ("PS256", "EdDSA", "Ed25519"):
        yield changed(kind, f"alg {algorithm} with an ES256 key", WRONG_SIGNATURE[kind], header={"alg": algorithm})
    for name, value in JUNK.items():
        if not (kind == "assertion" and name == "absent"):
            yield changed(kind, f"typ {name}", malformed, header={"typ": value})
    for typ in (
        "at+jwt",
        "dpop+jwt",
        "JWT",
        "oauth-authz-req+jwt",
        "secevent+jwt",
        "jose",
        "application/",
        "text/plain",
    ):
        if (kind, typ) not in (("token", "at+jwt"), ("proof", "dpop+jwt"), ("assertion", "JWT")):
            yield changed(kind, f"typ {typ}", malformed, header={"typ": typ})
    for name, value in JUNK.items():
        if name not in ("absent", "empty"):
            yield changed(kind, f"kid {name}", malformed, header={"kid": value})
    for crit in (["exp"], [], None, "exp", ["kid"], ["b64"], ["x", "x"], [5], {}, True):
        yield changed(kind, f"crit {json.dumps(crit)}", malformed, header={"crit": crit, "x": 1})
    for name, value in (("b64", False), ("b64", True), ("zip", "DEF"), ("enc", "A256GCM"), ("zip", None)):
        yield changed(kind, f"{name} {value}", malformed, header={name: value})
    if kind in WRONG_KEY:
        for kid in ("", "another", "../../key", "' OR 1=1 --", "\u0000", "x" * 2000):
            yield changed(kind, f"kid {kid[:20]!r}", WRONG_KEY[kind], header={"kid": kid})
        yield from strangers(kind)
        yield from by_hmac(kind)
    else:
        yield from embedded_keys()


def strangers(kind: str) -> Iterator[Mutation]:
    """A stranger's key, which the header says where to find."""
    stranger = jose.generate()
    members = {
        "jwk": dict(stranger.public.jwk), "jku": "https://evil.example/jwks", "x5u": "https://evil.example/c",
        "x5c": ["MIIB"], "x5t": "AAAA", "x5t#S256": "AAAA",
    }  # fmt: skip
    for name, value in members.items():

        def make(sample: Sample, name: str = name, value: Any = value) -> str:
            good = sample.good[kind]
            forged = Good({**good.header, name: value}, good.claims, stranger.key)
            return forged.text

        yield Mutation(kind, f"a stranger's key, by {name}", WRONG_SIGNATURE[kind], make)


def by_hmac(kind: str) -> Iterator[Mutation]:
    """CVE-2015-9235: the public key as the secret of an HMAC."""
    for form in ("PEM", "DER", "JSON", "x"):

        def make(sample: Sample, form: str = form) -> str:
            good = sample.good[kind]
            secret = {
                "PEM": lambda: good.key.as_pem(private=False),
                "DER": lambda: good.key.as_der(private=False),
                "JSON": lambda: json.dumps(good.key.as_dict(private=False)).encode(),
                "x": lambda: urlsafe_b64decode(good.key.as_dict(private=False)["x"] + "=="),
            }[form]()
            signing_input = f"{b64(json.dumps({**good.header, 'alg': 'HS256'}))}.{b64(json.dumps(good.claims))}"
            return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), 'sha256'))}"

        yield Mutation(kind, f"HS256 with the public key as {form}", MALFORMED[kind], make)


def embedded_keys() -> Iterator[Mutation]:
    for name, value in JUNK.items():
        yield changed("proof", f"jwk {name}", "malformed", header={"jwk": value})
    for member in ("kty", "crv", "x", "y"):
        for name, value in JUNK.items():

            def header(sample: Sample, member: str = member, value: Any = value) -> dict[str, Any]:
                return {"jwk": without_absent({**sample.good["proof"].header["jwk"], member: value})}

            yield changed("proof", f"jwk with {member} {name}", "malformed", header=header)
    for member in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):

        def private(sample: Sample, member: str = member) -> dict[str, Any]:
            return {"jwk": {**sample.good["proof"].header["jwk"], member: "AQ"}}

        yield changed("proof", f"jwk with the private member {member}", "malformed", header=private)
    for members in ({"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "PS256"}, {"alg": "none"}, {"kid": 5}):

        def other(sample: Sample, members: dict[str, Any] = members) -> dict[str, Any]:
            return {"jwk": {**sample.good["proof"].header["jwk"], **members}}

        yield changed("proof", f"jwk with {json.dumps(members)}", "malformed", header=other)
    yield changed("proof", "jwk of another key", "wrong_key", header={"jwk": dict(jose.generate().public.jwk)})


def assertion_claims() -> Iterator[Mutation]:
    def bad(name: str, refusal: str, **claims: Any) -> Mutation:
        return changed("assertion", name, refusal, claims=claims)

    for name, value in JUNK.items():
        yield bad(f"iss {name}", SUBJECT, iss=value)
        yield bad(f"sub {name}", SUBJECT, sub=value)
        yield bad(f"aud {name}", AUDIENCE, aud=value)
        yield bad(f"jti {name}", JTI, jti=value)
        if name not in ("a string", "empty"):
            yield bad(f"iss and sub {name}", SUBJECT, iss=value, sub=value)
    yield bad("jti of 257 characters", JTI, jti="x" * 257)
    for claim in ("exp", "iat", "nbf"):
        for name in ("null", "true", "a list", "an object", "empty"):
            yield bad(f"{claim} {name}", UNREADABLE, **{claim: JUNK[name]})
        for value in ("1795593515", "now", 1e300, -1e300, 10**40, 1e12):
            yield bad(f"{claim} {value!r:.16}", UNREADABLE, **{claim: value})
    for aud in (
        "https://rujukan.example/", "https://rujukan.example/oauth2/token", "https://rujukan.example/oauth2/introspect",
        "https://RUJUKAN.example", "http://rujukan.example", "https://rujukan.example:443", " https://rujukan.example",
        "https://rujukan.example ", "https://rujukan.example#", "https://rujukan.example.evil.example", "rujukan.example",
        "https://evil.example", "https://rujukan.example,https://evil.example", "https://rujukan.example\u0000",
        ["https://rujukan.example"], ["https://evil.example", "https://rujukan.example"], [["https://rujukan.example"]],
        {"issuer": "https://rujukan.example"},
    ):  # fmt: skip
        yield bad(f"aud {json.dumps(aud)}", AUDIENCE, aud=aud)
    for name, refusal, shifts in (
        ("exp now less the leeway", EXPIRY, {"exp": -10}),
        ("exp 11 seconds ago", EXPIRY, {"exp": -11}),
        ("exp an hour ago", EXPIRY, {"exp": -3600}),
        ("exp in 311 seconds", EXPIRY, {"exp": 311}),
        ("exp in a day", EXPIRY, {"exp": 86_400}),
        ("exp in a hundred years", EXPIRY, {"exp": 3_155_760_000}),
        ("iat in 11 seconds", EARLY, {"iat": 11}),
        ("iat in an hour", EARLY, {"iat": 3600}),
        ("nbf in 11 seconds", EARLY, {"nbf": 11}),
        ("nbf in an hour", EARLY, {"nbf": 3600}),
        ("iat 311 seconds ago", OLD, {"iat": -311}),
        ("iat a year ago", OLD, {"iat": -31_536_000}),
    ):

        def shifted(sample: Sample, shifts: dict[str, int] = shifts) -> dict[str, Any]:
            return {claim: sample.seconds + by for claim, by in shifts.items()}

        yield changed("assertion", name, refusal, claims=shifted)
    yield bad("another client's name", GENERIC, iss="client-nobody", sub="client-nobody")
    yield bad("iss and sub in capitals", GENERIC, iss="CLIENT", sub="CLIENT")
    for claim in ("iss", "sub"):
        yield bad(f"{claim} of another client", SUBJECT, **{claim: "client-nobody"})


def proof_claims() -> Iterator[Mutation]:
    def bad(name: str, refusal: str, **claims: Any) -> Mutation:
        return changed("proof", name, refusal, claims=claims)

    for name, value in JUNK.items():
        for claim in ("jti", "htm", "htu", "ath"):
            yield bad(f"{claim} {name}", claim, **{claim: value})
        if name not in ("absent", "a number", "negative"):
            for claim in ("iat", "nbf", "exp"):
                yield bad(f"{claim} {name}", "time", **{claim: value})
    for claim in ("iat", "nbf", "exp"):
        for value in ("1795593515", 1e300, 10**40, 1e12):
            yield bad(f"{claim} {value!r:.16}", "time", **{claim: value})
    yield bad("no iat", "iat", iat=ABSENT)
    yield bad("jti of 257 characters", "jti", jti="x" * 257)
    for htm in ("GET", "post", "Post", "POST ", " POST", "PUT", "P\u041eST", "POST\u0000", "*"):
        yield bad(f"htm {htm!r}", "htm", htm=htm)
    for htu in (
        "https://rujukan.example", "https://rujukan.example/", "https://rujukan.example/v1/probe/", "/v1/probe", "v1/probe",
        "https://rujukan.example//v1/probe", "https://rujukan.example/v1//probe", "https://rujukan.example/v1/PROBE",
        "http://rujukan.example/v1/probe", "https://rujukan.example:8443/v1/probe", "https://rujukan.example:0/v1/probe",
        "https://rujukan.example:99999/v1/probe", "https://rujukan.example:x/v1/probe", "https://evil.example/v1/probe",
        "https://rujukan.example.evil.example/v1/probe", "https://evil.example/https://rujukan.example/v1/probe",
        "https://rujukan.example@evil.example/v1/probe", "https://a@rujukan.example/v1/probe", "//rujukan.example/v1/probe",
        "https://rujukan.example\\@evil.example/v1/probe", "https://rujukan.example/v1/probe%2F", "https://rujukan.example/v1%2Fprobe",
        "https://rujukan.example/v1/probe%00", "https://rujukan.example/v1/probe%", "https://rujukan.example/v1/prob%C3%A9",
        "https://rujukan.example/v1/probe/..", "https://rujukan.example/v1/probe/.", "https://rujukan.example/v1/probe ",
        " https://rujukan.example/v1/probe", "https://rujukan.example/v1/probe\n", "https://rujukan.example/v1/probe;x",
        "https://ruj\u00fckan.example/v1/probe", "https://rujukan.example\u3002/v1/probe", "https://[::1/v1/probe",
        "https:rujukan.example/v1/probe", "https:///v1/probe", "javascript:alert(1)", "ftp://rujukan.example/v1/probe",
    ):  # fmt: skip
        yield bad(f"htu {htu!r}", "htu", htu=htu)
    for name, refusal, shifts in (
        ("iat 61 seconds ago", "iat", {"iat": -61}),
        ("iat an hour ago", "iat", {"iat": -3600}),
        ("iat in 11 seconds", "iat", {"iat": 11}),
        ("iat in an hour", "iat", {"iat": 3600}),
        ("iat in milliseconds", "time", {"iat": 1_700_000_000_000}),
        ("nbf in 11 seconds", "nbf", {"nbf": 11}),
        ("nbf in an hour", "nbf", {"nbf": 3600}),
        ("exp now", "exp", {"exp": 0}),
        ("exp a second ago", "exp", {"exp": -1}),
    ):

        def shifted(sample: Sample, shifts: dict[str, int] = shifts) -> dict[str, Any]:
            return {claim: sample.seconds + by for claim, by in shifts.items()}

        yield changed("proof", name, refusal, claims=shifted)
    for ath in ("x", "A" * 43, "A" * 5000):
        yield bad(f"ath {ath[:9]!r} of {len(ath)}", "ath", ath=ath)
    yield changed("proof", "ath with padding", "ath", claims=lambda sample: {"ath": sample.ath + "="})
    yield changed("proof", "ath in capitals", "ath", claims=lambda sample: {"ath": sample.ath.upper()})


def token_claims() -> Iterator[Mutation]:
    def bad(name: str, refusal: str, **claims: Any) -> Mutation:
        return changed("token", name, refusal, claims=claims)

    for name, value in JUNK.items():
        yield bad(f"iss {name}", "issuer", iss=value)
        yield bad(f"aud {name}", "audience", aud=value)
        if name != "empty":
            for claim in ("client_id", "sub", "agency", "scope", "jti"):
                yield bad(f"{claim} {name}", "malformed", **{claim: value})
            yield bad(f"cnf's key {name}", "malformed", cnf=without_absent({"jkt": value}))
        if name not in ("absent", "null", "empty"):
            yield bad(f"client_kid {name}", "malformed", client_kid=value)
        yield bad(f"cnf {name}", "malformed", cnf=value)
        if name not in ("a number", "negative"):
            for claim in ("exp", "iat"):
                yield bad(f"{claim} {name}", "malformed", **{claim: value})
            if name != "absent":
                yield bad(f"nbf {name}", "malformed", nbf=value)
    yield bad("cnf of two keys", "malformed", cnf={"jkt": "x", "x5t#S256": "y"})
    yield bad("exp 5", "expired", exp=5)
    for iss in (
        "https://rujukan.example/",
        "https://RUJUKAN.example",
        "http://rujukan.example",
        "https://evil.example",
    ):
        yield bad(f"iss {iss}", "issuer", iss=iss)
    for aud in (
        "https://rujukan.example/v1", "https://evil.example", ["https://rujukan.example"],
        ["https://evil.example", "https://rujukan.example"], {"https://rujukan.example": 1},
    ):  # fmt: skip
        yield bad(f"aud {json.dumps(aud)}", "audience", aud=aud)
    yield changed("token", "aud the client", "audience", claims=lambda s: {"aud": s.good["token"].claims["client_id"]})
    yield bad("another client", "client", client_id="client-nobody")
    yield bad("client_id empty", "client", client_id="")
    yield bad("another key of the client", "client_key", client_kid="another")
    yield bad("another agency", "agency", agency="another-agency")
    yield bad("agency empty", "agency", agency="")
    for name, reason, shifts in (
        ("exp now", "expired", {"exp": 0}),
        ("exp a second ago", "expired", {"exp": -1}),
        ("exp a year ago", "expired", {"exp": -31_536_000}),
        ("nbf in 11 seconds", "not_yet", {"nbf": 11}),
        ("nbf in a year", "not_yet", {"nbf": 31_536_000}),
    ):

        def shifted(sample: Sample, shifts: dict[str, int] = shifts) -> dict[str, Any]:
            return {claim: sample.seconds + by for claim, by in shifts.items()}

        yield changed("token", name, reason, claims=shifted)


def signatures(kind: str) -> Iterator[Mutation]:
    """What stands in the third segment; the two before it are untouched."""

    def halves(raw: bytes) -> tuple[int, int]:
        return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    changes: dict[str, Callable[[bytes], bytes]] = {
        "empty": lambda raw: b"",
        "of one byte": lambda raw: raw[:1],
        "of 63 bytes": lambda raw: raw[:-1],
        "of 65 bytes": lambda raw: raw + b"\0",
        "of twice the length": lambda raw: raw + raw,
        "all zeros": lambda raw: bytes(64),
        "all ones": lambda raw: b"\xff" * 64,
        "with r zero": lambda raw: bytes(32) + raw[32:],
        "with s zero": lambda raw: raw[:32] + bytes(32),
        "with r the order": lambda raw: ORDER.to_bytes(32, "big") + raw[32:],
        "with s the order": lambda raw: raw[:32] + ORDER.to_bytes(32, "big"),
        "with r and s one": lambda raw: (1).to_bytes(32, "big") * 2,
        "with its halves swapped": lambda raw: raw[32:] + raw[:32],
        "reversed": lambda raw: raw[::-1],
        "with its first bit turned": lambda raw: bytes([raw[0] ^ 128]) + raw[1:],
        "with its last bit turned": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        "in DER": lambda raw: encode_dss_signature(*halves(raw)),
        "in hex": lambda raw: raw.hex().encode(),
        "of something else": lambda raw: urlsafe_b64decode(OTHER.text.rpartition(".")[2] + "=="),
    }
    for name, change in changes.items():

        def make(sample: Sample, change: Callable[[bytes], bytes] = change) -> str:
            start, _, signature = sample.good[kind].text.rpartition(".")
            return f"{start}.{b64(change(urlsafe_b64decode(signature + '==')))}"

        yield Mutation(kind, f"signature {name}", WRONG_SIGNATURE[kind], make)


OTHER = Good({"alg": "ES256"}, {}, jose.generate().key)


def encodings(kind: str) -> Iterator[Mutation]:
    """How it is written."""
    texts: dict[str, Callable[[str, str, str], str]] = {
        "no dot": lambda h, p, s: h + p + s,
        "one dot": lambda h, p, s: f"{h}.{p}",
        "three dots": lambda h, p, s: f"{h}.{p}.{s}.",
        "a dot before": lambda h, p, s: f".{h}.{p}.{s}",
        "five parts, as a JWE": lambda h, p, s: f"{h}.{p}.{s}.{p}.{s}",
        "colons for dots": lambda h, p, s: f"{h}:{p}:{s}",
        "the JSON serialization": lambda h, p, s: json.dumps({"protected": h, "payload": p, "signature": s}),
        "quoted": lambda h, p, s: f'"{h}.{p}.{s}"',
        "a space before": lambda h, p, s: f" {h}.{p}.{s}",
        "a space behind": lambda h, p, s: f"{h}.{p}.{s} ",
        "a line break behind": lambda h, p, s: f"{h}.{p}.{s}\n",
        "a line break within": lambda h, p, s: f"{h[:8]}\n{h[8:]}.{p}.{s}",
        "a null byte": lambda h, p, s: f"{h}.{p}.{s}\0",
        "twice, with a comma": lambda h, p, s: f"{h}.{p}.{s},{h}.{p}.{s}",
        "padded header": lambda h, p, s: f"{h}=.{p}.{s}",
        "padded payload": lambda h, p, s: f"{h}.{p}=.{s}",
        "padded signature": lambda h, p, s: f"{h}.{p}.{s}==",
        "no header": lambda h, p, s: f".{p}.{s}",
        "no payload": lambda h, p, s: f"{h}..{s}",
        "nothing but dots": lambda h, p, s: "..",
        "percent-encoded": lambda h, p, s: f"{h}%2E{p}%2E{s}",
        "a letter beyond ASCII": lambda h, p, s: f"{h}.{p}\u00e9.{s}",
        "a letter that looks like one": lambda h, p, s: f"\u0435{h[1:]}.{p}.{s}",
        "the standard alphabet": lambda h, p, s: f"{h}.{p}+/.{s}",
        "header one letter short": lambda h, p, s: f"{h[:-1]}.{p}.{s}",
        "payload one letter short": lambda h, p, s: f"{h}.{p[:-1]}.{s}",
        "header and payload swapped": lambda h, p, s: f"{p}.{h}.{s}",
        "signature written otherwise": lambda h, p, s: f"{h}.{p}.{s[:-1]}{chr(ord(s[-1]) + 1)}",  # RFC 4648 §3.5
    }
    for name, write in texts.items():

        def written(sample: Sample, write: Callable[[str, str, str], str] = write) -> str:
            return write(*sample.good[kind].text.split("."))

        yield Mutation(kind, name, MALFORMED[kind], written)
    bodies: dict[str, Callable[[str], str]] = {
        "twice the first member": lambda text: text.replace("{", "{" + text[1:-1].split(", ")[0] + ", ", 1),
        "a nested member twice": lambda text: text[:-1] + ', "z": {"a": 1, "a": 1}}',
        "NaN": lambda text: text[:-1] + ', "z": NaN}',
        "Infinity": lambda text: text[:-1] + ', "z": -Infinity}',
        "a trailing comma": lambda text: text[:-1] + ",}",
        "single quotes": lambda text: text.replace('"', "'"),
        "a comment": lambda text: text[:-1] + "/* */}",
        "in a list": lambda text: f"[{text}]",
        "as a string": json.dumps,
        "null": lambda text: "null",
        "two objects": lambda text: text + text,
        "a byte order mark": lambda text: "\ufeff" + text,
        "a raw control character": lambda text: text[:-1] + ', "z": "\n"}',
        "nested too deep": lambda text: text[:-1] + ', "z": ' + "[" * 1500 + "]" * 1500 + "}",
        "a number of 3000 digits": lambda text: text[:-1] + ', "z": ' + "9" * 5000 + "}",
        "over 8 KiB": lambda text: text[:-1] + ', "z": "' + "a" * 9000 + '"}',
    }
    for part in ("header", "claims"):
        for name, rewrite in bodies.items():

            def rewritten(sample: Sample, part: str = part, rewrite: Callable[[str], str] = rewrite) -> str:
                good = sample.good[kind]
                texts = {each: json.dumps(getattr(good, each)) for each in ("header", "claims")}
                texts[part] = rewrite(texts[part])
                return good.signed(texts["header"], texts["claims"])

            yield Mutation(kind, f"{part} {name}", MALFORMED[kind], rewritten)
        for codec in ("utf-16", "utf-32", "latin-1"):

            def encoded(sample: Sample, part: str = part, codec: str = codec) -> str:
                good = sample.good[kind]
                texts = {each: json.dumps(getattr(good, each)).encode() for each in ("header", "claims")}
                text = json.dumps({**getattr(good, part), "z": "\u00e9"}, ensure_ascii=False)
                texts[part] = text.encode(codec)
                return good.sealed(f"{b64(texts['header'])}.{b64(texts['claims'])}")

            yield Mutation(kind, f"{part} in {codec}", MALFORMED[kind], encoded)

    def standard(sample: Sample) -> str:
        good = sample.good[kind]
        claims = json.dumps({**good.claims, "z": "\u00ff\u00fe>>>???"}, ensure_ascii=False)
        encoded = b64encode(claims.encode()).decode().rstrip("=")
        return good.sealed(f"{b64(json.dumps(good.header))}.{encoded if set('+/') & set(encoded) else encoded + '+'}")

    yield Mutation(kind, "claims in the standard alphabet, signed so", MALFORMED[kind], standard)


MUTATIONS = [
    *(each for kind in KINDS for each in headers(kind)),
    *assertion_claims(),
    *proof_claims(),
    *token_claims(),
    *(each for kind in KINDS for each in signatures(kind)),
    *(each for kind in KINDS for each in encodings(kind)),
]

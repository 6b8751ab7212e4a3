"""One exchange with everything fixed: keys, time, ids. `python -m tests.makers.raw_exchange` writes it into `app/published/raw_exchange.json`,
which the OpenAPI document holds and the replaying test sends, and from there into `docs/oauth.md`.

The keys are published ones, so that nobody takes them for secrets. Signatures are made by RFC 6979, so that they come out the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.client import ASSERTION_TYPE
from auth import jose
from auth.jose import SigningKey
from schemas.exchange.directory import Agency, Me

ROOT = Path(__file__).parents[2]
PAGE, FILE = ROOT / "docs" / "oauth.md", ROOT / "app" / "published" / "raw_exchange.json"
HEADING, NEXT = "## One exchange, byte by byte\n", "## What can go wrong\n"
ISSUER, HOST = "https://rujukan.example", "rujukan.example"
AT = datetime(2030, 1, 1, tzinfo=UTC)
NOW = int(AT.timestamp())
CLIENT_ID, AGENCY, SCOPE = "contoh-system", "contoh", "cases.read"
AGENCY_NAME = "Rumah Perlindungan Contoh"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def key(d: str, x: str, y: str) -> SigningKey:
    return jose.import_private({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d, "alg": "ES256"})


REGISTERED = key(  # RFC 7515 appendix A.3
    "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
)
PROVING = key(  # RFC 7517 appendix A.2
    "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
)
OF_THE_EXCHANGE = key(  # RFC 6979 appendix A.2.5
    b64(bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")),
    b64(bytes.fromhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")),
    b64(bytes.fromhex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")),
)


class Signed:
    """A JWS in all its parts (RFC 7515 §7.1)."""

    def __init__(self, by: SigningKey, header: dict[str, Any], claims: dict[str, Any]) -> None:
        self.header, self.claims = compact(header), compact(claims)
        self.input = f"{b64(self.header.encode())}.{b64(self.claims.encode())}"
        private: ec.EllipticCurvePrivateKey = by.key.raw_value
        self.der = private.sign(self.input.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(self.der)
        self.signature = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        self.jws = f"{self.input}.{self.signature}"


ASSERTION = Signed(
    REGISTERED,
    {"alg": "ES256", "kid": REGISTERED.public.kid, "typ": "JWT"},
    {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": ISSUER,
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "contoh-assertion-1",
    },
)


def proof(jti: str, method: str, path: str, **more: str) -> Signed:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": dict(PROVING.public.jwk)}
    return Signed(PROVING, header, {"jti": jti, "htm": method, "htu": ISSUER + path, "iat": NOW, **more})


TOKEN = Signed(
    OF_THE_EXCHANGE,
    {"alg": "ES256", "typ": "at+jwt", "kid": OF_THE_EXCHANGE.public.kid},
    {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "agency": AGENCY,
        "scope": SCOPE,
        "iat": NOW,
        "exp": NOW + 300,
        "jti": "contoh-token-1",
        "cnf": {"jkt": PROVING.public.thumbprint},
        "client_kid": REGISTERED.public.kid,
    },
)
ATH = b64(digest(TOKEN.jws))
FIRST_PROOF = proof("contoh-proof-1", "POST", "/oauth2/token")
SECOND_PROOF = proof("contoh-proof-2", "GET", "/v1/me", ath=ATH)

FORM = urlencode(
    {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "scope": SCOPE,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": ASSERTION.jws,
    }
)
TOKEN_REQUEST = (
    "POST /oauth2/token HTTP/1.1",
    f"Host: {HOST}",
    "Content-Type: application/x-www-form-urlencoded",
    f"Content-Length: {len(FORM)}",
    f"DPoP: {FIRST_PROOF.jws}",
    "",
    FORM,
)
GRANTED = compact(
    {"access_token": TOKEN.jws, "token_type": "DPoP", "expires_in": 300, "scope": SCOPE, "agency": AGENCY}
)
EVERYWHERE = ("x-content-type-options: nosniff", "referrer-policy: no-referrer")
TOKEN_ANSWER = (
    "HTTP/1.1 200 OK",
    "content-type: application/json",
    "cache-control: no-store",
    "pragma: no-cache",
    f"content-length: {len(GRANTED)}",
    *EVERYWHERE,
    "",
    GRANTED,
)
CALL = (
    "GET /v1/me HTTP/1.1",
    f"Host: {HOST}",
    f"Authorization: DPoP {TOKEN.jws}",
    f"DPoP: {SECOND_PROOF.jws}",
    "",
    "",
)
ME = Me(
    client_id=CLIENT_ID,
    agency=Agency(
        code=AGENCY,
        name=AGENCY_NAME,
        kind="trauma_centre",
        region=None,
        country="ID",
        parent=None,
        status="active",
        residential=None,
        accepts={},
        capacity=None,
    ),
    scopes=[SCOPE],
    token_expires_at=AT + timedelta(minutes=5),
    key_ends_at=None,
    sandbox=False,
    server_time=AT,
).model_dump_json()
CALL_ANSWER = (
    "HTTP/1.1 200 OK",
    f"content-length: {len(ME)}",
    "content-type: application/json",
    "cache-control: no-store",
    *EVERYWHERE,
    "",
    ME,
)


def raw(lines: tuple[str, ...]) -> str:
    """Return a message as it goes over the wire."""
    return "\r\n".join(lines)


def thumbprint_input(of: SigningKey) -> str:
    """Return what RFC 7638 §3 hashes."""
    return json.dumps(dict(of.public.jwk), separators=(",", ":"), sort_keys=True)


def key_vectors(of: SigningKey, source: str) -> dict[str, Any]:
    return {
        "source": source,
        "private_jwk": {**of.public.jwk, "d": of.private_jwk()["d"]},
        "thumbprint_input": thumbprint_input(of),
        "thumbprint": of.public.thumbprint,
    }


def signed_vectors(of: Signed) -> dict[str, str]:
    return {
        "header": of.header,
        "claims": of.claims,
        "signing_input_sha256": digest(of.input).hex(),
        "signature": of.signature,
        "signature_der": of.der.hex(),
        "jws": of.jws,
    }


def made() -> dict[str, Any]:
    """Make all of it."""
    return {
        "description": (
            "One token request and one call, with everything fixed, to check an implementation by, byte by byte; docs/oauth.md of the source"
            " explains it. The keys are test keys, printed in RFCs and known to everybody: the exchange refuses to register them, and in"
            " production binds no token to one. Texts are ASCII; headers and claims are shown exactly as they are encoded; messages have their"
            " CRLFs. Signatures are made by RFC 6979; one that is not will differ, and verify all the same."
        ),
        "at": f"{AT:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": NOW,
        "issuer": ISSUER,
        "keys": {
            "registered": key_vectors(REGISTERED, "RFC 7515 appendix A.3"),
            "proving": key_vectors(PROVING, "RFC 7517 appendix A.2"),
            "of_the_exchange": key_vectors(OF_THE_EXCHANGE, "RFC 6979 appendix A.2.5"),
        },
        "assertion": signed_vectors(ASSERTION),
        "token_proof": signed_vectors(FIRST_PROOF),
        "token_request": raw(TOKEN_REQUEST),
        "token_answer": raw(TOKEN_ANSWER),
        "access_token": signed_vectors(TOKEN),
        "access_token_sha256": digest(TOKEN.jws).hex(),
        "ath": ATH,
        "call_proof": signed_vectors(SECOND_PROOF),
        "call": raw(CALL),
        "call_answer": raw(CALL_ANSWER),
    }


def read() -> dict[str, Any]:
    """Return what is committed."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="ascii"))
    return found


def block(*lines: str, kind: str = "") -> str:
    return "\n".join((f"```{kind}", *lines, "```"))


def message(text: str) -> str:
    return block(*text.split("\r\n"), kind="http")


def parts(of: dict[str, str]) -> str:
    return block(of["header"], of["claims"])


def table(*rows: tuple[str, str]) -> str:
    return "\n".join(("| | |", "|---|---|", *(f"| {what} | `{value}` |" for what, value in rows)))


def signature_rows(of: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return (
        ("SHA-256 of the signing input, hex", of["signing_input_sha256"]),
        ("signature, as JWS has it: 64 bytes, *r* and *s*", of["signature"]),
        ("the same in DER, as Java and OpenSSL give it, hex", of["signature_der"]),
    )


def section(of: dict[str, Any]) -> str:
    """Return the section of the page."""
    registered, proving, exchange = (of["keys"][name] for name in ("registered", "proving", "of_the_exchange"))
    return f"""{HEADING}
For whoever writes all of this by hand, in whatever language: one token request and one call, with everything fixed, which a test
sends to the service byte by byte. The OpenAPI document holds the same as `x-raw-exchange`, for a program to read. It is
{of["at"]} ({of["seconds"]}); the exchange is `{
        of["issuer"]
    }`. **The keys are printed in RFCs and known to everybody**: the
exchange refuses to register them, and in production binds no token to one. Headers and claims are shown exactly as they are encoded
(UTF-8, no spaces, base64url without `=`); another order of members or other spaces would be as right, but give other digests. An ECDSA
signature differs each time it is made, unless it is made by RFC 6979 as here: so compare the digests of the signing inputs, and see
whether your code verifies these signatures.

**The registered key** ({registered["source"]}), which signs the assertion; its thumbprint (RFC 7638) is its `kid`:

{block(compact(registered["private_jwk"]))}

**The key of the proofs** ({proving["source"]}), to which the token gets bound:

{block(compact(proving["private_jwk"]))}

{
        table(
            ("what is hashed for the first thumbprint", registered["thumbprint_input"]),
            ("the first thumbprint", registered["thumbprint"]),
            ("what is hashed for the second", proving["thumbprint_input"]),
            ("the second thumbprint: `jkt`", proving["thumbprint"]),
        )
    }

**The assertion**, header and claims:

{parts(of["assertion"])}

{table(*signature_rows(of["assertion"]))}

**The proof** for the token request:

{parts(of["token_proof"])}

{table(*signature_rows(of["token_proof"]))}

**The token request.** Lines of the head end in CRLF; the body has no end of line:

{message(of["token_request"])}

**The answer** (beside `date` and `x-request-id`). Your token will have another `jti` and another signature:

{message(of["token_answer"])}

The token's header and claims. To you it is opaque; they are shown to explain it. It is signed by the exchange's key (here {
        exchange["source"]
    }).

{parts(of["access_token"])}

**The proof** for the call, with the token's hash:

{parts(of["call_proof"])}

{
        table(
            ("SHA-256 of the token, hex", of["access_token_sha256"]),
            ("the same in base64url: `ath`", of["ath"]),
            *signature_rows(of["call_proof"]),
        )
    }

**The call**, which ends with an empty line:

{message(of["call"])}

**Its answer:**

{message(of["call_answer"])}

Send either request again, and it is refused: the first with `invalid_client`, since the assertion was used before; the second with
`/problems/dpop-proof-replayed`.

"""


def write() -> None:
    """Make it, and put the section into the page, in the place of the one there."""
    FILE.write_text(json.dumps(made(), indent=1) + "\n", encoding="ascii")
    text = PAGE.read_text()
    before = re.split(rf"^{HEADING}", text, flags=re.MULTILINE)[0]
    before = before.split(NEXT)[0]
    PAGE.write_text(before + section(read()) + NEXT + text.partition(NEXT)[2])


if __name__ == "__main__":
    write()

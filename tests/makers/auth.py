"""Makes agencies, clients and what they send: tokens, assertions and proofs, right ones and every kind of wrong one."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import warnings
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import httpx
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.client import ASSERTION_TYPE, Credentials
from app.foundation.clock import Clock
from auth import jose
from auth.admin import agencies, clients
from auth.jose import SigningKey
from auth.scopes import Scope

EVERY_SCOPE = tuple(str(scope) for scope in Scope)


class _Absent:
    """Reads the same in every process: it stands in the names of tests."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = _Absent()
"""As a header's or claim's value: leave it out."""


def b64(data: bytes | str) -> str:
    """Encode as JOSE does."""
    return urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def without_absent(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


def sign_raw(header: dict[str, Any] | str, claims: dict[str, Any] | str, key: Key | None) -> str:
    """Sign whatever is given by whatever the header says; `header` and `claims` may be JSON text that no encoder would write."""
    head = header if isinstance(header, str) else json.dumps(header)
    body = claims if isinstance(claims, str) else json.dumps(claims)
    signing_input = f"{b64(head)}.{b64(body)}"
    algorithm = json.loads(head).get("alg")
    if key is None or algorithm not in JWSRegistry.algorithms or algorithm == "none":
        return f"{signing_input}."
    if algorithm == "HS256" and not isinstance(key, OctKey):
        secret = json.dumps(key.as_dict(private=False)).encode()
        return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), 'sha256'))}"
    model = JWSRegistry.algorithms[
        "Ed25519" if algorithm == "EdDSA" and getattr(key, "curve_name", "") == "Ed25519" else algorithm
    ]
    return f"{signing_input}.{b64(model.sign(signing_input.encode(), key))}"


@cache
def rsa_key(bits: int = 2048) -> RSAKey:
    """Return an RSA key, the same one for the whole run: they take long to make."""
    with warnings.catch_warnings(action="ignore"):
        return RSAKey.generate_key(bits)


def ec_key(curve: Any = "P-256") -> ECKey:
    return ECKey.generate_key(curve)


def okp_key(curve: Any = "Ed25519") -> OKPKey:
    return OKPKey.generate_key(curve)


async def add_agency(conn: Any, now: datetime, code: str | None = None, **values: Any) -> str:
    """Add an agency and return its code."""
    code = code or f"agency-{secrets.token_hex(4)}"
    await agencies.add_agency(
        conn, code=code, name=f"Agency {code}", kind="trauma_centre", now=now, actor="test", **values
    )
    return code


async def add_client(
    conn: Any,
    now: datetime,
    issuer: str,
    *,
    agencies: tuple[str, ...] | list[str],
    scopes: tuple[str, ...] = EVERY_SCOPE,
    algorithm: str = "ES256",
    agency: str | None = None,
    client_id: str | None = None,
) -> Credentials:
    """Register a client with a new key and return its credentials."""
    credentials = Credentials.generate(
        client_id or f"client-{secrets.token_hex(4)}", issuer, algorithm=algorithm, agency=agency
    )
    await clients.add_client(
        conn,
        client_id=credentials.client_id,
        name="A case-management system",
        agencies=agencies,
        scopes=scopes,
        jwks=credentials.public_jwks(),
        now=now,
        actor="test",
    )
    return credentials


@dataclass
class Party:
    """A client with its agencies, which can send right and wrong things."""

    credentials: Credentials
    agencies: list[str]
    http: httpx.AsyncClient
    clock: Clock
    proof_key: SigningKey = field(default_factory=jose.generate)

    @property
    def client_id(self) -> str:
        return self.credentials.client_id

    @property
    def issuer(self) -> str:
        return self.credentials.issuer

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def assertion(self, *, key: SigningKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign a client assertion; named claims and header members replace the right ones."""
        signer = key or self.credentials.signing_key()
        head = without_absent({"alg": signer.algorithm, "kid": signer.public.kid, **(header or {})})
        right = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return sign_raw(head, without_absent({**right, **claims}), signer.key)

    def proof(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        key: SigningKey | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign a DPoP proof; named claims and header members replace the right ones."""
        signer = key or self.proof_key
        head = without_absent(
            {"typ": "dpop+jwt", "alg": signer.algorithm, "jwk": dict(signer.public.jwk), **(header or {})}
        )
        right: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self.issuer + path,
            "iat": self.now,
        }
        if token is not None:
            right["ath"] = ath(token)
        return sign_raw(head, without_absent({**right, **claims}), signer.key)

    def form(self, **parameters: Any) -> dict[str, Any]:
        """Return the parameters of a token request; named ones replace the right ones."""
        right = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": parameters.pop("client_assertion", None) or self.assertion(),
        }
        return without_absent({**right, **parameters})

    async def ask(
        self, *, proof: Any = None, headers: dict[str, str] | None = None, **parameters: Any
    ) -> httpx.Response:
        """Send a token request."""
        sent = dict(headers or {})
        if proof is not ABSENT:
            sent["DPoP"] = proof or self.proof("POST", "/oauth2/token")
        return await self.http.post("/oauth2/token", data=self.form(**parameters), headers=sent)

    async def about(
        self, path: str, token: Any, *, headers: dict[str, str] | None = None, **parameters: Any
    ) -> httpx.Response:
        """Send a token to the introspection or the revocation endpoint."""
        form = self.form(grant_type=ABSENT, token=token, **parameters)
        return await self.http.post(path, data=form, headers=headers)

    async def introspect(self, token: Any, **parameters: Any) -> httpx.Response:
        """Ask what a token stands for."""
        return await self.about("/oauth2/introspect", token, **parameters)

    async def revoke(self, token: Any, **parameters: Any) -> httpx.Response:
        """End a token."""
        return await self.about("/oauth2/revoke", token, **parameters)

    async def token(self, **parameters: Any) -> str:
        """Return an access token."""
        reply = await self.ask(**parameters)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    async def call(
        self,
        path: str = "/v1/probe",
        *,
        method: str = "GET",
        token: str | None = None,
        proof: Any = None,
        headers: Any = None,
        **options: Any,
    ) -> httpx.Response:
        """Call a protected resource."""
        token = token or await self.token()
        sent = {"Authorization": f"DPoP {token}", **(headers or {})}
        if proof is not ABSENT:
            sent["DPoP"] = proof or self.proof(method, path.partition("?")[0], token)
        return await self.http.request(method, path, headers=without_absent(sent), **options)


def ath(token: str) -> str:
    """Hash a token as proofs name it."""
    return b64(hashlib.sha256(token.encode()).digest())


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a JWT's header and claims without looking at its signature."""
    parsed = jose.parse(token, {None, "jwt", "at+jwt", "dpop+jwt"})
    return parsed.header, parsed.claims

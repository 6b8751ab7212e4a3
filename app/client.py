"""A client of the exchange: tokens by `private_key_jwt`, bound to a key of its own by DPoP, a fresh proof a request.

The command line, the demonstration, the tests and the benchmarks speak to the exchange through this; so may integrators
who write Python.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from app.foundation.clock import Clock
from auth import jose
from auth.jose import SigningKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RENEW_BEFORE: Final = 30
"""Seconds before its end at which a token is not used any more."""


class TokenRefusedError(Exception):
    """The token endpoint refused; `error` is the code of RFC 6749 §5.2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status = status
        self.error = error
        super().__init__(f"{error}: {description}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to be itself. The key never leaves its file but to sign."""

    client_id: str
    issuer: str
    private_jwk: Mapping[str, Any] = field(repr=False)
    agency: str | None = None

    @classmethod
    def generate(
        cls, client_id: str, issuer: str, *, agency: str | None = None, algorithm: str = "ES256"
    ) -> Credentials:
        """Make credentials with a new key; `public_jwks` is what to register."""
        return cls(client_id, issuer, jose.generate(algorithm).private_jwk(), agency)

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Read what `save` wrote. Raises `ValueError` if it is not that, `OSError` if it cannot be read."""
        try:
            stored = json.loads(path.read_text())
            return cls(stored["client_id"], stored["issuer"], stored["private_jwk"], stored.get("agency"))
        except (KeyError, TypeError, AttributeError):
            raise ValueError(f"{path} does not hold a client's credentials") from None

    def save(self, path: Path) -> None:
        """Write the credentials to a file only its owner can read. Raises `FileExistsError` rather than replace one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = {
            "client_id": self.client_id,
            "issuer": self.issuer,
            "agency": self.agency,
            "private_jwk": dict(self.private_jwk),
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(stored, file, indent=1)

    def signing_key(self) -> SigningKey:
        """Return the key to sign assertions by."""
        return jose.import_private(self.private_jwk)

    def public_jwks(self) -> dict[str, Any]:
        """Return the JWK Set to register."""
        return {"keys": [self.signing_key().public_jwk()]}


class ExchangeClient:
    """Calls the exchange as one client, for one agency.

    `scope` narrows the tokens asked for. `clock` and `http` (or `transport`) can be put in; a client that was put in is not
    closed here.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        scope: str | None = None,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        http: httpx.AsyncClient | None = None,
        timeout: float = 30,
    ) -> None:
        self.credentials = credentials
        self.scope = scope
        self._clock = clock or Clock()
        self._own = http is None
        self._http = http or httpx.AsyncClient(
            transport=transport,
            base_url=credentials.issuer,
            timeout=timeout,
            trust_env=urlsplit(credentials.issuer).hostname not in ("127.0.0.1", "localhost", "::1"),
        )
        self._key = credentials.signing_key()
        self._proof_key = jose.generate("ES256")
        self._proof_header = {"typ": "dpop+jwt", "jwk": dict(self._proof_key.public.jwk)}
        self._nonce: str | None = None
        self._token: tuple[str, str, float] | None = None
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open nothing: connections are made when needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._own:
            await self._http.aclose()

    def forget_token(self) -> None:
        """Ask for a new token at the next request."""
        self._token = None

    def assertion(self) -> str:
        """Sign a client assertion (RFC 7523 §2.2)."""
        now = int(self._clock.now().timestamp())
        client_id = self.credentials.client_id
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": self.credentials.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return self._key.sign({"kid": self._key.public.kid, "typ": "JWT"}, claims)

    def authentication(self) -> dict[str, str]:
        """Return the parameters that authenticate one request to an endpoint under `/oauth2` (RFC 7523 §2.2)."""
        return {
            "client_id": self.credentials.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }

    def proof(self, method: str, url: str, ath: str | None = None) -> str:
        """Sign a DPoP proof (RFC 9449 §4.2), with the nonce the exchange gave last if it gives any."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(self._clock.now().timestamp()),
        }
        if ath is not None:
            claims["ath"] = ath
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        return self._proof_key.sign(self._proof_header, claims)

    async def token(self) -> tuple[str, str]:
        """Return an access token and its hash, from memory while it lasts. Raises `TokenRefusedError`, `httpx.HTTPError`."""
        async with self._fetching:
            if self._token is None or self._token[2] <= self._clock.now().timestamp():
                self._token = await self._fetch_token()
            return self._token[0], self._token[1]

    async def _fetch_token(self) -> tuple[str, str, float]:
        url = f"{self.credentials.issuer}/oauth2/token"
        asked = {
            name: value
            for name, value in (("scope", self.scope), ("agency", self.credentials.agency))
            if value is not None
        }
        for _ in range(2):
            form = {"grant_type": "client_credentials", **self.authentication(), **asked}
            reply = self._noting(await self._http.post(url, data=form, headers={"DPoP": self.proof("POST", url)}))
            if not _asks_for_nonce(reply):
                break
        if reply.status_code != 200:
            raise _refusal(reply)
        answer = reply.json()
        access_token: str = answer["access_token"]
        ath = urlsafe_b64encode(hashlib.sha256(access_token.encode("ascii")).digest()).rstrip(b"=").decode()
        return access_token, ath, self._clock.now().timestamp() + answer["expires_in"] - RENEW_BEFORE

    async def authorization(self, method: str, path: str) -> dict[str, str]:
        """Return the two headers that authorize one request; for callers that send it by other means."""
        token, ath = await self.token()
        url = self.credentials.issuer + urlsplit(path).path
        return {"Authorization": f"DPoP {token}", "DPoP": self.proof(method, url, ath)}

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        actor: str | None = None,
        if_match: int | str | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Send one request and return the answer, whatever its status.

        A `POST` gets an `Idempotency-Key` if none is given. A token the exchange does not take any more is replaced, a nonce it
        asks for is used, and the request, which was not begun, sent once more.
        """
        extra = dict(headers or {})
        if actor is not None:
            extra["Rujukan-Actor"] = actor
        if if_match is not None:
            extra["If-Match"] = f'"{if_match}"' if isinstance(if_match, int) else if_match
        if method == "POST":
            extra["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        elif idempotency_key is not None:
            extra["Idempotency-Key"] = idempotency_key
        reply = await self._send(method, path, json, extra)
        if reply.status_code == 401 and 'error="invalid_token"' in reply.headers.get("WWW-Authenticate", ""):
            self.forget_token()
            reply = await self._send(method, path, json, extra)
        return reply

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST."""
        return await self.request("POST", path, **options)

    async def _send(self, method: str, path: str, body: Any, extra: Mapping[str, str]) -> httpx.Response:
        for _ in range(2):
            authorized = {**extra, **await self.authorization(method, path)}
            reply = self._noting(
                await self._http.request(method, self.credentials.issuer + path, json=body, headers=authorized)
            )
            if not _asks_for_nonce(reply):
                break
        return reply

    def _noting(self, reply: httpx.Response) -> httpx.Response:
        """Keep the nonce to use next (RFC 9449 §8.2)."""
        self._nonce = reply.headers.get("DPoP-Nonce", self._nonce)
        return reply


def _asks_for_nonce(reply: httpx.Response) -> bool:
    """Whether the request was not begun for want of a fresh nonce, and the answer brings one (RFC 9449 §8 and §9)."""
    if "DPoP-Nonce" not in reply.headers:
        return False
    if reply.status_code == 401:
        return 'error="use_dpop_nonce"' in reply.headers.get("WWW-Authenticate", "")
    return reply.status_code == 400 and _error_of(reply) == "use_dpop_nonce"


def _error_of(reply: httpx.Response) -> str | None:
    try:
        answer = reply.json()
    except ValueError:
        return None
    return answer.get("error") if isinstance(answer, dict) else None


def _refusal(reply: httpx.Response) -> TokenRefusedError:
    try:
        answer = reply.json()
        return TokenRefusedError(reply.status_code, str(answer["error"]), str(answer.get("error_description", "")))
    except (ValueError, KeyError, TypeError):
        return TokenRefusedError(reply.status_code, "unreadable_answer", f"HTTP {reply.status_code}")

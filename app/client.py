"""A client of the exchange: tokens by `private_key_jwt`, bound to a key of its own by DPoP, a fresh proof a request; or a TLS client
certificate, which takes the place of proofs, and of assertions too where there is no key (RFC 8705).

The command line, the demonstration, the tests and the benchmarks speak to the exchange through this; so may integrators
who write Python.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import ssl
import uuid
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx

from app.foundation.clock import Clock
from auth import jose
from auth.jose import SigningKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Content = bytes | Callable[[], AsyncIterator[bytes]]
RENEW_BEFORE: Final = 30
"""Seconds before its end at which a token is not used any more."""
FOLLOWS_FOR: Final = 25
"""Seconds a request of who follows the feed waits for the next event."""
SHORTEST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds before a request that failed is sent again: twice as long each time, and a part of it by chance."""
PASSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""


class TokenRefusedError(Exception):
    """The token endpoint refused; `error` is the code of RFC 6749 §5.2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status = status
        self.error = error
        super().__init__(f"{error}: {description}")


class FeedRefusedError(Exception):
    """The feed cannot be read from there, or not at all; `reply` is the answer, `problem` its document if it is one."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        try:
            found = reply.json()
        except ValueError:
            found = None
        self.problem: dict[str, Any] = found if isinstance(found, dict) else {}
        super().__init__(f"HTTP {reply.status_code} {self.problem.get('type', '')}".rstrip())


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A TLS client certificate to which tokens are bound (RFC 8705 §3), all in PEM; the first file also has the chain behind it."""

    certificate: Path
    key: Path
    authority: Path | None = None
    """Who vouches for the exchange; None: those the system trusts."""

    def context(self) -> ssl.SSLContext:
        """Return a context whose connections present it. Raises `OSError`, of which `ssl.SSLError` is one."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to be itself: a key that signs its assertions, which never leaves its file but to sign, or a certificate, or both."""

    client_id: str
    issuer: str
    private_jwk: Mapping[str, Any] | None = field(repr=False)
    agency: str | None = None
    certificate: CertificateFiles | None = None
    address: str | None = None
    """Where the exchange is called, if that is not at `issuer`: where it asks for certificates (RFC 8705 §5)."""

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
            "private_jwk": dict(self._private_jwk()),
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(stored, file, indent=1)

    def signing_key(self) -> SigningKey:
        """Return the key to sign assertions by."""
        return jose.import_private(self._private_jwk())

    def _private_jwk(self) -> Mapping[str, Any]:
        if self.private_jwk is None:
            raise ValueError(f"{self.client_id} is known by its certificate and has no key to sign with")
        return self.private_jwk

    def public_jwks(self) -> dict[str, Any]:
        """Return the JWK Set to register."""
        return {"keys": [self.signing_key().public_jwk()]}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and how it is sent."""

    value: str = field(repr=False)
    ath: str
    bound_to_certificate: bool
    renew_at: float


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
        self._address = credentials.address or credentials.issuer
        self._http = http or httpx.AsyncClient(
            transport=transport,
            base_url=self._address,
            timeout=timeout,
            trust_env=urlsplit(self._address).hostname not in ("127.0.0.1", "localhost", "::1"),
            verify=True if credentials.certificate is None else credentials.certificate.context(),
        )
        self._key = None if credentials.private_jwk is None else credentials.signing_key()
        self._proof_key = jose.generate("ES256")
        self._proof_header = {"typ": "dpop+jwt", "jwk": dict(self._proof_key.public.jwk)}
        self._nonce: str | None = None
        self._token: Token | None = None
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

    @property
    def proof_thumbprint(self) -> str:
        """What a token must be bound to: the thumbprint of the key of proofs (RFC 9449 §6.1)."""
        return self._proof_key.public.thumbprint

    def forget_token(self) -> None:
        """Ask for a new token at the next request."""
        self._token = None

    def assertion(self) -> str:
        """Sign a client assertion (RFC 7523 §2.2)."""
        key = self._key or self.credentials.signing_key()
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
        return key.sign({"kid": key.public.kid, "typ": "JWT"}, claims)

    def authentication(self) -> dict[str, str]:
        """Return the parameters that authenticate one request to an endpoint under `/oauth2` (RFC 7523 §2.2, RFC 8705 §2)."""
        if self._key is None:
            return {"client_id": self.credentials.client_id}
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
        token = await self._present_token()
        return token.value, token.ath

    async def _present_token(self) -> Token:
        async with self._fetching:
            if self._token is None or self._token.renew_at <= self._clock.now().timestamp():
                self._token = await self._fetch_token()
            return self._token

    async def _fetch_token(self) -> Token:
        path = "/oauth2/token"
        asked = {
            name: value
            for name, value in (("scope", self.scope), ("agency", self.credentials.agency))
            if value is not None
        }
        for _ in range(2):
            form = {"grant_type": "client_credentials", **self.authentication(), **asked}
            # what tokens are bound to is registered; a proof beside a certificate would be refused
            bound = {} if self.credentials.certificate else {"DPoP": self.proof("POST", self.credentials.issuer + path)}
            reply = self._noting(await self._http.post(self._address + path, data=form, headers=bound))
            if not _asks_for_nonce(reply):
                break
        if reply.status_code != 200:
            raise _refusal(reply)
        answer = reply.json()
        access_token: str = answer["access_token"]
        ath = urlsafe_b64encode(hashlib.sha256(access_token.encode("ascii")).digest()).rstrip(b"=").decode()
        renew_at = self._clock.now().timestamp() + answer["expires_in"] - RENEW_BEFORE
        return Token(access_token, ath, answer["token_type"].lower() == "bearer", renew_at)

    async def authorization(self, method: str, path: str) -> dict[str, str]:
        """Return the headers that authorize one request; for callers that send it by other means."""
        token = await self._present_token()
        if token.bound_to_certificate:
            return {"Authorization": f"Bearer {token.value}"}
        url = self.credentials.issuer + urlsplit(path).path
        return {"Authorization": f"DPoP {token.value}", "DPoP": self.proof(method, url, token.ath)}

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        actor: str | None = None,
        if_match: int | str | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Send one request and return the answer, whatever its status.

        The body is `json`, or `content`, which is not JSON: its bytes, or what yields them anew for each try. A `POST` gets an
        `Idempotency-Key` if none is given. A token the exchange does not take any more is replaced, a nonce it asks for is used, and the
        request, which was not begun, sent once more.
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
        reply = await self._send(method, path, json, extra, content)
        if _refuses_token(reply):
            self.forget_token()
            reply = await self._send(method, path, json, extra, content)
        return reply

    @asynccontextmanager
    async def stream(
        self, path: str, *, actor: str | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send a GET whose answer is to be read as it comes; with a new token, or the nonce it asks for, once more if it was not begun."""
        extra = {**(headers or {}), **({"Rujukan-Actor": actor} if actor is not None else {})}
        for left in (2, 1, 0):
            authorized = {**extra, **await self.authorization("GET", path)}
            async with self._http.stream("GET", self._address + path, headers=authorized) as reply:
                self._noting(reply)
                if left and reply.status_code == 401 and (_asks_for_nonce(reply) or _refuses_token(reply)):
                    if _refuses_token(reply):
                        self.forget_token()
                    continue
                yield reply
                return

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST."""
        return await self.request("POST", path, **options)

    async def events(
        self, after: int | str = 0, *, types: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of `event_pages`, one by one."""
        async for page in self.event_pages(after, types=types, follow=follow):
            for event in page["items"]:
                yield event

    async def event_pages(
        self, after: int | str = 0, *, types: Sequence[str] = (), follow: bool = True, limit: int = 100
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield pages of the events that come after a position (or after what is `acknowledged`), in order; those there are, or all that come.

        Keep a page's `position` in the transaction that handles its `items`: that is where to begin again. Who follows goes on through lost
        connections and restarts. Raises `FeedRefusedError`: of status 410 or 409 the place is lost, and `problem` says what to do.
        """
        chosen = f"&types={quote(','.join(types), safe='.*,_')}" if types else ""
        path, pause = f"/v1/events?after={after}{chosen}", SHORTEST_PAUSE
        while True:
            waits = f"&limit={limit}" + (f"&wait={FOLLOWS_FOR}" if follow else "")
            reply: httpx.Response | None = None
            try:
                reply = await self.get(path + waits)
            except (httpx.TransportError, TokenRefusedError) as error:
                if not follow or (isinstance(error, TokenRefusedError) and error.status not in PASSES):
                    raise
            if reply is not None and reply.status_code == 200:
                page, pause = reply.json(), SHORTEST_PAUSE
                yield page
                path = page["next"]
                if not follow and page["position"] >= page["last"]:
                    return
                continue
            if reply is not None and not (follow and reply.status_code in PASSES):
                raise FeedRefusedError(reply)
            asked = reply.headers.get("Retry-After", "") if reply is not None else ""
            await asyncio.sleep(
                max(pause, float(asked) if asked.isdecimal() else 0) * (1 + secrets.randbelow(500) / 1000)
            )
            pause = min(pause * 2, LONGEST_PAUSE)

    async def acknowledge(self, position: int) -> httpx.Response:
        """Have the exchange keep how far the feed is handled; `events("acknowledged")` begins there."""
        return await self.request("PUT", "/v1/events/position", json={"position": position})

    async def _send(
        self, method: str, path: str, body: Any, extra: Mapping[str, str], content: Content | None = None
    ) -> httpx.Response:
        for _ in range(2):
            authorized = {**extra, **await self.authorization(method, path)}
            given = content() if callable(content) else content
            sent = self._http.request(method, self._address + path, json=body, content=given, headers=authorized)
            reply = self._noting(await sent)
            if not _asks_for_nonce(reply):
                break
        return reply

    def _noting(self, reply: httpx.Response) -> httpx.Response:
        """Keep the nonce to use next (RFC 9449 §8.2)."""
        self._nonce = reply.headers.get("DPoP-Nonce", self._nonce)
        return reply


def _refuses_token(reply: httpx.Response) -> bool:
    return reply.status_code == 401 and 'error="invalid_token"' in reply.headers.get("WWW-Authenticate", "")


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

"""Signing in at an OpenID provider: the exchange as a relying party (OpenID Connect Core 1.0 §3.1, code flow with PKCE).

Authlib's client asks and exchanges, joserfc verifies. What they leave open is decided here: what the provider says of itself is taken
only for the one issuer that is configured, the answer must name it (RFC 9207), and the ID token must be new, for us alone, and
signed by a key of its own.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
import warnings
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from auth import jose
from auth.jose import JoseRefusedError, SigningKey

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)  # it would rather have httpx2, and works with httpx
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client

log = logging.getLogger("rujukan.auth.oidc")

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519", "RS256")
"""Of ID tokens. RS256 is what every provider must have (OpenID Connect Core §15.1); of these, those its metadata lists."""
CALLBACK: Final = "/admin/oidc/callback"
SKEW: Final = timedelta(seconds=10)
"""How far the provider's clock may be ahead or behind."""
TOKEN_AGE: Final = timedelta(minutes=5)
"""Oldest ID token taken: it was made for the code that was exchanged a moment ago."""
KEPT: Final = timedelta(hours=1)
"""How long metadata and keys of the provider are used before they are fetched again."""
KEPT_AT_MOST: Final = timedelta(days=1)
"""How long, where they cannot be fetched."""
REFETCH: Final = timedelta(minutes=1)
"""Least time between two fetches for the sake of an unknown `kid`, or after a failure where there is something to go on with."""
AFTER_FAILURE: Final = timedelta(seconds=5)
"""How long nobody else waits for a provider that has just not answered, and of which nothing is known."""
LARGEST: Final = 65_536
"""Bytes of an answer of the provider."""
SECONDS: Final = 10
"""Time for an answer of the provider, whole."""
_ESCAPES: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)


class ProviderUnavailableError(Exception):
    """The provider cannot be reached, or does not answer as one does; the message names the rule, never a value."""


class SignInRefusedError(Exception):
    """What came back is not a sign-in; the message names the rule, never a value."""


class _Header(JWSRegistry):
    max_header_length = 4096  # some providers put a certificate chain there, which is not looked at


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at the provider, and when they last proved it there."""

    issuer: str
    subject: str
    authenticated_at: datetime


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself (OpenID Connect Discovery §3), as far as it is used."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: frozenset[str]
    auth_methods: frozenset[str]
    says_issuer: bool
    """Whether its answers name it (RFC 9207 §3)."""


class _Assertion(PrivateKeyJWT):  # type: ignore[misc]
    """Authlib's client assertion for one issuer, made anew each time: by itself it would be valid for an hour and keep its `jti`."""

    def __init__(self, issuer: str, key: SigningKey, clock: Callable[[], datetime]) -> None:
        super().__init__(issuer, headers={"kid": key.public.kid}, alg=key.algorithm)
        self._clock = clock

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        """Sign one (RFC 7523 §3): for a minute."""
        self.claims = {"exp": int(self._clock().timestamp()) + 60}
        return super().sign(auth, token_endpoint)


_trusted = lru_cache(maxsize=1)(httpx.create_ssl_context)
"""Who vouches for the provider, read once: it takes long."""


class _Bounded(httpx.AsyncHTTPTransport):
    """A transport that reads no more than `LARGEST` bytes, and takes no compressed answer, which could become more."""

    def __init__(self) -> None:
        super().__init__(verify=_trusted())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and put a bound on what comes back."""
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.ReadError("compressed")
        response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST:
                raise httpx.ReadError("too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@dataclass(slots=True)
class _Fetched:
    """Something of the provider's, and when it was got."""

    value: Any = None
    at: datetime | None = None
    tried_at: datetime | None = None

    def younger_than(self, age: timedelta, now: datetime) -> bool:
        return self.at is not None and now - self.at < age

    def tried_within(self, age: timedelta, now: datetime) -> bool:
        return self.tried_at is not None and now - self.tried_at < age


@dataclass(slots=True)
class RelyingParty:
    """The exchange at its OpenID provider. Keeps what the provider publishes; keeps nothing of who signs in."""

    issuer: str
    client_id: str
    redirect_uri: str
    keyring: Keyring = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    key: SigningKey | None = field(default=None, repr=False)
    _metadata: _Fetched = field(default_factory=_Fetched, repr=False)
    _keys: _Fetched = field(default_factory=_Fetched, repr=False)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    # the beginning

    async def authorization_url(self, state: str, *, max_age: timedelta, prompt: str | None = None) -> str:
        """Return where the browser goes (OpenID Connect Core §3.1.2.1). Raises `ProviderUnavailableError`.

        With `max_age` the provider must say when the person proved who they are, and have them do so if that is longer ago.
        """
        metadata = await self.metadata()
        client = OAuth2Client(
            None,
            client_id=self.client_id,
            scope="openid",
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )
        asked: dict[str, str] = {"prompt": prompt} if prompt is not None else {}
        url, _ = client.create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            code_verifier=self._derived("oidc verifier", state),
            nonce=self._derived("oidc nonce", state),
            max_age=str(int(max_age.total_seconds())),
            **asked,
        )
        return str(url)

    def browser_token(self, state: str) -> str:
        """Return what the browser that began with `state` is known by."""
        return self._derived("oidc browser", state)

    def is_browser_of(self, state: str, token: str) -> bool:
        """Whether this is the browser that began with `state`."""
        return hmac.compare_digest(self.browser_token(state).encode(), token.encode("utf-8", "surrogatepass"))

    def _derived(self, purpose: str, state: str) -> str:
        """Return what belongs to `state` and cannot be told from it: so neither verifier nor nonce is kept anywhere."""
        digest = self.keyring.keyed_hash(purpose, state.encode("utf-8", "surrogatepass"))
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    # the end

    async def check_issuer(self, issuer: str | None) -> None:
        """Refuse the answer of another provider (RFC 9207 §2.4). Raises `SignInRefusedError`, `ProviderUnavailableError`."""
        metadata = await self.metadata()
        if issuer is None and metadata.says_issuer:
            raise SignInRefusedError("the answer does not say whose it is")
        if issuer is not None and issuer != self.issuer:
            raise SignInRefusedError("the answer is another provider's")

    async def identify(self, state: str, code: str, *, proved_since: datetime | None = None) -> Identity:
        """Exchange the code and return who has signed in. Raises `SignInRefusedError`, `ProviderUnavailableError`.

        `proved_since`: refuse somebody who has not proved who they are since then.
        """
        metadata = await self.metadata()
        client = self._client(metadata)
        try:
            async with asyncio.timeout(SECONDS), client:
                answer = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=self._derived("oidc verifier", state),
                    redirect_uri=self.redirect_uri,
                )
        except OAuthError as error:
            raise SignInRefusedError(f"the provider refused the code ({_known(error.error)})") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderUnavailableError(type(error).__name__) from None
        except _ESCAPES as error:
            raise ProviderUnavailableError(f"unreadable answer ({type(error).__name__})") from None
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or len(token) > jose.MAX_TOKEN:
            raise SignInRefusedError("no ID token")
        claims = await self._verified(token, metadata)
        return self._identity(claims, self._derived("oidc nonce", state), proved_since)

    async def _verified(self, token: str, metadata: Metadata) -> Mapping[str, Any]:
        """Return the claims of an ID token that a key of the provider has signed."""
        registry = _Header(algorithms=sorted(metadata.algorithms), strict_check_header=False)
        try:
            try:
                decoded = _decode(token, await self.keys(), registry)
            except InvalidKeyIdError:  # the provider may have a new key
                decoded = _decode(token, await self.keys(anew=True), registry)
        except _ESCAPES as error:
            raise SignInRefusedError(f"the ID token does not verify ({type(error).__name__})") from None
        if str(decoded.header.get("typ", "JWT")).upper() != "JWT":
            raise SignInRefusedError("not an ID token")
        return decoded.claims

    def _identity(self, claims: Mapping[str, Any], nonce: str, proved_since: datetime | None) -> Identity:
        """Check what an ID token says (OpenID Connect Core §3.1.3.7), and return whom it means."""
        now = self.clock()
        subject, audience = claims.get("sub"), claims.get("aud")
        if claims.get("iss") != self.issuer:
            raise SignInRefusedError("issuer")
        if audience not in (self.client_id, [self.client_id]):  # another audience beside us is one we do not trust
            raise SignInRefusedError("audience")
        if claims.get("azp", self.client_id) != self.client_id:
            raise SignInRefusedError("authorized party")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isascii():
            raise SignInRefusedError("subject")
        if _time(claims, "exp") <= now - SKEW:
            raise SignInRefusedError("expired")
        if not now - TOKEN_AGE <= _time(claims, "iat") <= now + SKEW:
            raise SignInRefusedError("not made now")
        if "nbf" in claims and _time(claims, "nbf") > now + SKEW:
            raise SignInRefusedError("not valid yet")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(
            given.encode("utf-8", "surrogatepass"), nonce.encode()
        ):
            raise SignInRefusedError("nonce")
        authenticated_at = min(_time(claims, "auth_time"), now)
        if proved_since is not None and authenticated_at < proved_since - SKEW:
            raise SignInRefusedError("not proved again")
        return Identity(self.issuer, subject, authenticated_at)

    # what the provider publishes

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself, fetched once an hour. Raises `ProviderUnavailableError`."""
        async with self._fetching:
            found: Metadata = await self._kept(self._metadata, self._fetch_metadata)
        return found

    async def keys(self, *, anew: bool = False) -> KeySet:
        """Return the provider's keys; `anew`: fetched now, but for once a minute. Raises `ProviderUnavailableError`."""
        metadata = await self.metadata()
        async with self._fetching:
            found: KeySet = await self._kept(self._keys, lambda: self._fetch_keys(metadata.jwks_uri), anew=anew)
        return found

    async def _kept(self, kept: _Fetched, fetch: Callable[[], Any], *, anew: bool = False) -> Any:
        now = self.clock()
        tried = kept.tried_within(REFETCH, now)
        if kept.younger_than(KEPT, now) and (not anew or tried):
            return kept.value
        if kept.younger_than(KEPT_AT_MOST, now) and tried:
            return kept.value
        if kept.tried_within(AFTER_FAILURE, now):
            raise ProviderUnavailableError("it did not answer a moment ago")
        kept.tried_at = now
        try:
            kept.value = await fetch()
        except ProviderUnavailableError as error:
            log.warning("the OpenID provider: %s", error)
            if not kept.younger_than(KEPT_AT_MOST, now):
                raise
        else:
            kept.at = now
        return kept.value

    async def _fetch_metadata(self) -> Metadata:
        said = await self._get(self.issuer.removesuffix("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != self.issuer:
            raise ProviderUnavailableError("its metadata names another issuer")
        try:
            found = Metadata(
                authorization_endpoint=self._endpoint(said["authorization_endpoint"]),
                token_endpoint=self._endpoint(said["token_endpoint"]),
                jwks_uri=self._endpoint(said["jwks_uri"]),
                algorithms=frozenset(said["id_token_signing_alg_values_supported"]) & set(ALGORITHMS),
                auth_methods=frozenset(said.get("token_endpoint_auth_methods_supported", ("client_secret_basic",))),
                says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
            )
        except (KeyError, TypeError):
            raise ProviderUnavailableError("its metadata lacks what is needed") from None
        if not found.algorithms:
            raise ProviderUnavailableError("it signs by no algorithm that is taken")
        if self._auth_method(found) is None:
            raise ProviderUnavailableError("it takes none of our ways to authenticate")
        return found

    def _endpoint(self, url: object) -> str:
        if not isinstance(url, str):
            raise TypeError
        if urlsplit(url).scheme not in ("https", urlsplit(self.issuer).scheme) or "#" in url:
            raise ProviderUnavailableError("an endpoint of its metadata is not https")
        return url

    async def _fetch_keys(self, url: str) -> KeySet:
        said = await self._get(url)
        try:
            keys = [key for each in said["keys"] if (key := _usable(each)) is not None]
        except _ESCAPES as error:
            raise ProviderUnavailableError(f"its keys cannot be read ({type(error).__name__})") from None
        if not keys:
            raise ProviderUnavailableError("it has no key that is taken")
        return KeySet(keys)

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(SECONDS), httpx.AsyncClient(transport=_Bounded()) as http:
                reply = await http.get(url, headers={"Accept": "application/json"})
            said = json.loads(reply.content) if reply.status_code == 200 else None
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            raise ProviderUnavailableError(type(error).__name__) from None
        if not isinstance(said, dict):
            raise ProviderUnavailableError(f"it answers {reply.status_code}, not with JSON")
        return said

    # how the exchange authenticates there

    def _auth_method(self, metadata: Metadata) -> str | None:
        ways = ("private_key_jwt",) if self.key is not None else ("client_secret_post", "client_secret_basic")
        return next((way for way in ways if way in metadata.auth_methods), None)

    def _client(self, metadata: Metadata) -> Any:
        client = AsyncOAuth2Client(
            self.client_id,
            self.secret if self.key is None else self.key.key,
            token_endpoint_auth_method=self._auth_method(metadata),
            transport=_Bounded(),
        )
        if self.key is not None:
            client.register_client_auth_method(_Assertion(self.issuer, self.key, self.clock))
        return client


def own_key(settings: Settings) -> SigningKey | None:
    """Return the key to authenticate at the provider by, if there is one. Raises `OSError`, or `ValueError` for a file that holds none."""
    if settings.oidc_key_file is None:
        return None
    try:
        return jose.import_private(json.loads(settings.oidc_key_file.read_text()))
    except (JoseRefusedError, *_ESCAPES):
        raise ValueError("RUJUKAN_OIDC_KEY_FILE does not hold a private JWK for ES256, PS256 or Ed25519") from None


def relying_party(settings: Settings, keyring: Keyring, clock: Callable[[], datetime]) -> RelyingParty | None:
    """Return the exchange as its provider knows it; None where there is none. Raises what `own_key` does."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return RelyingParty(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        redirect_uri=settings.admin_origin + CALLBACK,
        keyring=keyring,
        clock=clock,
        secret=None if settings.oidc_client_secret is None else settings.oidc_client_secret.get_secret_value(),
        key=own_key(settings),
    )


def _usable(jwk: Any) -> Key | None:
    """Return a key that may sign ID tokens; None for one of another use, kind or size (RFC 7517 §5: others are passed over)."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("kty") not in ("EC", "OKP", "RSA"):
        return None
    try:
        with _unadvised():
            key = JWKRegistry.import_key({name: value for name, value in jwk.items() if not name.startswith("x5")})
    except _ESCAPES:
        return None
    if isinstance(key, OKPKey) and key.curve_name != "Ed25519":
        return None
    if isinstance(key, RSAKey) and not jose.MIN_RSA_BITS <= key.raw_value.key_size <= jose.MAX_RSA_BITS:
        return None
    return key


def _decode(token: str, keys: KeySet, registry: JWSRegistry) -> jwt.Token:
    with _unadvised():
        return jwt.decode(token, keys, registry=registry)


@contextmanager
def _unadvised() -> Iterator[None]:
    """Let joserfc not warn of what is refused here anyhow (short keys), or what providers still call by its old name (`EdDSA`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    """Return a NumericDate (RFC 7519 §2). Raises `SignInRefusedError` if there is none."""
    value = claims.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value < 1e11
    ):
        raise SignInRefusedError(f"no {name}")
    return datetime.fromtimestamp(value, UTC)


def _known(error: object) -> str:
    """Return an error code of RFC 6749 §5.2 as it may be logged."""
    codes = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope")
    return next((code for code in codes if code == error), "another error")

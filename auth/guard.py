"""The guard an endpoint declares: token and proof are verified in memory, and end in a `Caller` (RFC 9068 §4, RFC 9449 §7, RFC 8705 §3).

Of a verified token only the signature's result and the claims are remembered. Expiry, revocation, the state of client, key and
agency, and the registered scopes are looked at in every request.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2

from app.foundation.http import before_body, refuse_bad_request
from app.foundation.problems import Problem
from auth import jose
from auth.address import Address, address_of
from auth.binding import dpop
from auth.binding.certificate import presented
from auth.caller import Caller
from auth.client_auth.mtls import TLS_CLIENT_AUTH
from auth.directory import AgencyEntry, Snapshot
from auth.jose import JoseRefusedError
from auth.limits.limits import HEADERS, Limits
from auth.problems import (
    InsufficientScope,
    InvalidProof,
    InvalidToken,
    NonceRequired,
    NotLetIn,
    TooManyRequests,
    Unauthenticated,
)
from auth.scopes import DESCRIPTIONS, Scope
from auth.server import TOKEN_PATH

_TYPES = frozenset({"at+jwt"})
REMEMBERED: Final = 4096
CLIENT: Final = "rujukan.client"
"""Where the scope of a request holds the client whose token it carries, once the signature has verified."""
_WHOLE_SECOND: Final = timedelta(seconds=1)
"""What `iat` leaves out."""
_HONEST: Final = frozenset({"expired", "not_yet", "signing_key"})
"""Reasons for which a token of ours is refused too."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a token whose signature verified."""

    signing_kid: str
    client_id: str
    client_kid: str | None
    agency: str
    scopes: frozenset[Scope]
    thumbprint: str | None
    issued_at: datetime
    expires_at: datetime
    jti: str
    ath: str = field(repr=False)
    certificate: str | None = None
    """`x5t#S256` of the certificate it is bound to; else it is bound to the DPoP key of that `thumbprint`."""


class VerifiedTokens:
    """The tokens verified last, by the digest that proofs name them by (`ath`)."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._tokens: OrderedDict[str, AccessToken] = OrderedDict()

    def get(self, ath: str) -> AccessToken | None:
        """Return what is remembered of the token."""
        token = self._tokens.get(ath)
        if token is not None:
            self._tokens.move_to_end(ath)
        return token

    def put(self, token: AccessToken) -> None:
        """Remember a token, forgetting the one not seen for longest."""
        self._tokens[token.ath] = token
        if len(self._tokens) > self._size:
            self._tokens.popitem(last=False)


def verified_tokens(state: Any) -> VerifiedTokens:
    """Return the process's memory of verified tokens."""
    try:
        verified: VerifiedTokens = state.verified_tokens
    except AttributeError:
        verified = state.verified_tokens = VerifiedTokens()
    return verified


async def authenticate(request: Request) -> Caller:
    """Return who sent the request. Raises the problems of `auth.problems`, before anything else wrong with it is told."""
    state = request.app.state
    snapshot = await state.directory.current()
    now = state.clock.now()
    scope = request.scope
    limits: Limits = state.limits
    address = address_of(scope)
    token, agency, bearer = _shown(request, snapshot, now)
    try:
        proof = _check_binding(token, bearer, scope, state, now)
    except (InvalidToken, InvalidProof):
        limits.failed(address, token.jti)
        raise
    # only now, so that nobody else uses up what the client may: who has its token and not its key gets no further
    if (wait := await limits.let_in(scope, token.client_id)) is not None:
        raise TooManyRequests(wait)
    caller = Caller(
        client_id=token.client_id,
        agency=agency,
        scopes=token.scopes & snapshot.clients[token.client_id].scopes_now,
        proof_hash=None if proof is None else proof.hash,
        proof_until=None if proof is None else proof.until,
        expires_at=token.expires_at,
        request_id=scope.get("request_id", ""),
    )
    scope["rujukan.caller"] = caller  # for the handler that logs a refusal by rule
    scope["rujukan.token"] = token
    refuse_bad_request(request)
    return caller


async def look_before_reading(request: Request) -> None:
    """Raise what `authenticate` would of the token alone, before a body is read: anybody may send one, and reading it is what costs."""
    state = request.app.state
    _shown(request, await state.directory.current(), state.clock.now())


before_body(authenticate, look_before_reading)


def _shown(request: Request, snapshot: Snapshot, now: datetime) -> tuple[AccessToken, AgencyEntry, bool]:
    """Return the token the request shows, the agency it speaks for, and whether it came as `Bearer`: all that is told from memory."""
    state, scope = request.app.state, request.scope
    bearer, value = _credentials(scope["headers"])
    if bearer and not state.settings.takes_client_certificates:
        raise InvalidToken("wrong_scheme")
    limits: Limits = state.limits
    address = address_of(scope)
    try:
        token = _verify(
            value, verified_tokens(state), snapshot, issuer=state.settings.public_url, now=now, gate=(limits, address)
        )
    except InvalidToken as refused:
        if refused.reason not in _HONEST:
            limits.failed(address)
        raise
    scope[CLIENT] = token.client_id
    agency = _standing(token, snapshot, now)
    _check_network(token, snapshot, address)
    # by the token, which whoever only knows the client's name does not have: a neighbour's failures at the ways in stop no token
    if (wait := limits.wait_of_claimed(token.jti, address)) is not None:
        raise TooManyRequests(wait)
    if (wait := limits.wait_of_client(token.client_id)) is not None:
        scope[HEADERS] = limits.fields_of(token.client_id)
        raise TooManyRequests(wait)
    return token, agency, bearer


def _check_binding(token: AccessToken, bearer: bool, scope: Any, state: Any, now: datetime) -> dpop.Proof | None:
    """Return the proof that the caller has the key the token is bound to; None where the handshake was the proof."""
    if bearer:
        _check_certificate(token, scope, now)
        return None
    if token.thumbprint is None:
        raise InvalidToken("wrong_scheme")
    try:
        return dpop.check(
            dpop.header_of(scope["headers"]),
            method=scope["method"],
            url=_origin(state.settings.public_url) + dpop.normalise_path(_raw_path(scope)),
            now=now,
            ath=token.ath,
            thumbprint=token.thumbprint,
            nonces=state.nonces,
        )
    except dpop.InvalidProofError as refused:
        raise NonceRequired if refused.reason == "nonce" else InvalidProof(refused.reason) from None


def count_refusal(request: Request, problem: Problem) -> None:
    """Count that a client which is known by its token was not let in."""
    client_id: str | None = request.scope.get(CLIENT)
    if client_id is not None and isinstance(problem, (NotLetIn, TooManyRequests)):
        state = request.app.state
        reason = problem.members.get("reason")
        state.limits.refusals.count(client_id, problem.type if reason is None else f"{problem.type}/{reason}")


def still_let_in(scope: Any, snapshot: Snapshot, now: datetime) -> bool:
    """Whether the token of a request that was let in still counts: for one that waits. `scope` is the request's."""
    token: AccessToken = scope["rujukan.token"]
    try:
        _check_still(token, snapshot, now)
        _standing(token, snapshot, now)
        _check_network(token, snapshot, address_of(scope))
        if token.certificate is not None:
            _check_certificate(token, scope, now)
    except InvalidToken:
        return False
    return True


CurrentCaller = Annotated[Caller, Depends(authenticate)]

oauth2 = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl=TOKEN_PATH, scopes={str(scope): text for scope, text in DESCRIPTIONS.items()}
        )
    ),
    scheme_name="oauth2",
    description="`private_key_jwt` and DPoP-bound access tokens; or, where mutual TLS is on, a client certificate for both.",
    auto_error=False,
)


def requires(*scopes: Scope) -> Any:
    """The caller holds every one of `scopes`, or is told which are needed."""
    needed = frozenset(scopes)

    async def guard(caller: CurrentCaller, _: Annotated[str | None, Security(oauth2)]) -> Caller:
        if not needed <= caller.scopes:
            raise InsufficientScope(scopes=sorted(needed))
        return caller

    return Security(guard, scopes=sorted(needed))


def _credentials(headers: list[tuple[bytes, bytes]]) -> tuple[bool, str]:
    """Return the token of the one `Authorization` header, and whether it came as `Bearer` instead of `DPoP` (RFC 9449 §7.1, RFC 8705 §3)."""
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        raise Unauthenticated
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    if len(found) > 1:
        raise InvalidToken("malformed")
    scheme = scheme.lower()
    if scheme not in ("dpop", "bearer"):
        raise InvalidToken("wrong_scheme")
    token = token.strip(" ")
    if not token or not token.isascii():
        raise InvalidToken("malformed")
    return scheme == "bearer", token


def _check_certificate(token: AccessToken, scope: Any, now: datetime) -> None:
    """Raise unless the token is bound to the certificate this very request came with (RFC 8705 §3)."""
    if token.certificate is None:
        raise InvalidToken("wrong_scheme")
    certificate = presented(scope)
    if certificate is None or certificate.thumbprint != token.certificate or certificate.fault(now) is not None:
        raise InvalidToken("certificate")


def _verify(
    value: str,
    verified: VerifiedTokens,
    snapshot: Snapshot,
    *,
    issuer: str,
    now: datetime,
    gate: tuple[Limits, Address | None] | None = None,
) -> AccessToken:
    """Return the token's claims if it was signed by a key that still counts, for this exchange, and has not expired.

    At the `gate` an address that has failed too often is stopped before a signature is looked at; tokens that are remembered pass.
    """
    if len(value) > jose.MAX_TOKEN:
        raise InvalidToken("malformed")
    ath = dpop.token_hash(value)
    token = verified.get(ath)
    if token is None:
        if gate is not None and (wait := gate[0].wait_of_address(gate[1])) is not None:
            raise TooManyRequests(wait)
        try:
            token = _read(value, ath, snapshot, issuer=issuer, now=now)
        except (JoseRefusedError, KeyError, TypeError, ValueError, AttributeError):
            raise InvalidToken("malformed") from None  # signed by us, and yet no access token of ours
        verified.put(token)
    _check_still(token, snapshot, now)
    return token


def look_at(
    value: str, verified: VerifiedTokens, snapshot: Snapshot, *, issuer: str, now: datetime
) -> tuple[AccessToken, bool]:
    """Return an access token that verifies and has not expired, and whether it is in good standing too. Raises `InvalidToken`."""
    if not value.isascii():
        raise InvalidToken("malformed")
    token = _verify(value, verified, snapshot, issuer=issuer, now=now)
    try:
        _standing(token, snapshot, now)
    except InvalidToken:
        return token, False
    return token, True


def _check_still(token: AccessToken, snapshot: Snapshot, now: datetime) -> None:
    if snapshot.signing.verifying(token.signing_kid, now=now) is None:
        raise InvalidToken("signing_key")
    if token.expires_at <= now:
        raise InvalidToken("expired")


def _read(value: str, ath: str, snapshot: Snapshot, *, issuer: str, now: datetime) -> AccessToken:
    try:
        token = jose.parse(value, _TYPES)
    except JoseRefusedError:
        raise InvalidToken("malformed") from None
    key = snapshot.signing.verifying(token.kid, now=now)
    if key is None:
        raise InvalidToken("signing_key")
    if not token.is_signed_by(key):
        raise InvalidToken("signature")
    claims = token.claims
    if claims.get("iss") != issuer:
        raise InvalidToken("issuer")
    if claims.get("aud") != issuer:
        raise InvalidToken("audience")
    not_before = _check_complete(claims)
    if not_before is not None and not_before > now.timestamp():
        raise InvalidToken("not_yet")
    known = frozenset(Scope)
    return AccessToken(
        signing_kid=key.kid or key.thumbprint,
        client_id=claims["client_id"],
        client_kid=claims.get("client_kid"),
        agency=claims["agency"],
        scopes=frozenset(Scope(name) for name in claims["scope"].split(" ") if name in known),
        thumbprint=claims["cnf"].get("jkt"),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        jti=claims["jti"],
        ath=ath,
        certificate=claims["cnf"].get("x5t#S256"),
    )


def _check_complete(claims: dict[str, Any]) -> float | None:
    """Refuse a token that does not say what each one says (RFC 9068 §2.2), and return its `nbf`."""
    texts = [claims[name] for name in ("client_id", "sub", "agency", "scope", "jti")]
    texts += [claims.get("client_kid", ""), *claims["cnf"].values()]
    expires, issued, not_before = (jose.numeric_date(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None or len(claims["cnf"]) != 1 or not all(isinstance(each, str) for each in texts):
        raise InvalidToken("malformed")
    return not_before


def _check_network(token: AccessToken, snapshot: Snapshot, address: Address | None) -> None:
    """Raise unless the client, which is in good standing, may call from there."""
    if not snapshot.clients[token.client_id].may_call_from(address):
        raise InvalidToken("network")


def _standing(token: AccessToken, snapshot: Snapshot, now: datetime) -> AgencyEntry:
    """Return the agency the token speaks for, if token, client, key and agency are still in good standing."""
    if token.jti in snapshot.revoked:
        raise InvalidToken("revoked")
    client = snapshot.clients.get(token.client_id)
    if client is None or not client.may_sign_in(now):
        raise InvalidToken("client")
    if _is_from_before(token, client.tokens_not_before):
        raise InvalidToken("client")
    if token.client_kid is not None:
        key = client.keys.get(token.client_kid)
        # a key that was replaced under its kid has begun since; iat is in whole seconds
        if key is None or not key.counts(now) or token.issued_at + _WHOLE_SECOND <= key.starts_at:
            raise InvalidToken("client_key")
    elif client.auth_method != TLS_CLIENT_AUTH:  # only there it is not a registered key that asked
        raise InvalidToken("client_key")
    agency = snapshot.by_code.get(token.agency)
    if agency is None or not client.may_speak_for(agency, now) or _is_from_before(token, agency.tokens_not_before):
        raise InvalidToken("agency")
    return agency


def _is_from_before(token: AccessToken, not_before: datetime | None) -> bool:
    return not_before is not None and token.issued_at + _WHOLE_SECOND <= not_before


@lru_cache(maxsize=8)
def _origin(public_url: str) -> str:
    """Return the configured origin, normalised. Never what a `Host` header says (RFC 9449 §4.3 check 9)."""
    url = dpop.normalise(public_url)
    assert url is not None, "the settings take nothing but an origin"
    return url.removesuffix("/")


def _raw_path(scope: Any) -> str:
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw else scope["path"]

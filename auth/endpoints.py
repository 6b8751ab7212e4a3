"""`/oauth2/token`, its neighbours for introspection and revocation, and `/oauth2/jwks`: HTTP in and out.

Errors have OAuth's own form and are never stored by anybody."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import Route

from app.foundation import metrics
from app.foundation.database import UNREACHABLE
from app.foundation.published import cacheable
from auth import jwks_uri, queries
from auth.address import address_of
from auth.binding.certificate import presented
from auth.binding.dpop import Proof
from auth.client_auth.private_key_jwt import Assertion
from auth.errors import AssertionUsedError, ClientRefusedError, ProofRefusedError, TooManyError
from auth.guard import verified_tokens
from auth.introspection import Introspection
from auth.keys import JWKS_MAX_AGE
from auth.limits.limits import Limits, Wait
from auth.problems import TooManyRequests
from auth.queries import TokenToStore
from auth.revocation import Revocation
from auth.server import (
    INTROSPECTION_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
    Headers,
    Server,
    TokenRequest,
    log_detail,
    render,
)
from auth.storing import token_store

log = logging.getLogger("rujukan.auth")
router = APIRouter(include_in_schema=False)
MAX_FORM: Final = 65_536
MAX_FIELDS: Final = 20
_FORM = "application/x-www-form-urlencoded"
_SCHEMES = {"basic": "Basic", "bearer": "Bearer", "dpop": "DPoP"}


class UnavailableError(OAuth2Error):  # type: ignore[misc]
    """The database or the signing key is not there; RFC 6749 §5.2 has no code for it, this is §4.1.2.1's."""

    error = "temporarily_unavailable"
    description = "Try again shortly."
    status_code = 503

    def get_headers(self) -> list[tuple[str, str]]:
        """Say when."""
        return [*super().get_headers(), ("Retry-After", "2")]


async def token(request: Request) -> Response:
    """Issue an access token (RFC 6749 §4.4)."""
    return await _answer(request, "grant_type", _issue)


async def introspect(request: Request) -> Response:
    """Say whether a token still counts, and for what (RFC 7662): the client's own, or anybody's with `admin.read`."""
    return await _answer(request, "token", _introspect)


async def revoke(request: Request) -> Response:
    """End a token (RFC 7009): the client's own, or anybody's with `admin.write`."""
    return await _answer(request, "token", _revoke)


async def _answer(
    request: Request, needed: str, work: Callable[[Request, Server, TokenRequest], Awaitable[Response]]
) -> Response:
    """Read the request, do the work of its endpoint, and answer in OAuth's form whatever happens.

    All three endpoints authenticate in one way, `Server.authenticate_client`, and use up what they were authenticated by. An attempt
    is paid for by its address beforehand, so that whoever fails often is stopped before a signature is looked at.
    """
    state, address = request.app.state, address_of(request.scope)
    limits: Limits = state.limits
    claimed = snapshot = None
    try:
        _pass(limits.wait_of_address(address))
        form = await _read_form(request, needed)
        snapshot = await state.directory.current()
        sent = TokenRequest(form, request.scope["headers"], presented(request.scope), address)
        if (claimed := _claimed_client(sent)) is not None:
            _pass(limits.wait_of_claimed(claimed, address) or limits.wait_of_client(claimed))
        _pass(await limits.attempt(address))
        sent.request_id = request.scope.get("request_id", "")
        server = Server(
            settings=state.settings,
            snapshot=await jwks_uri.keep_fresh(state, snapshot, sent.form, sent.client_assertion, sent.certificate),
            now=state.clock.now(),
            nonces=state.nonces,
        )
        response = await work(request, server, sent)
        limits.succeeded(address)
        _measured(request, "issued" if server.issued is not None else "refused")
        return response
    except UNREACHABLE as error:
        _measured(request, "unavailable")
        log.warning("%s not answered: %s", request.scope["path"], type(error).__name__)
        return _render(UnavailableError())
    except OAuth2Error as error:
        _measured(request, "unavailable" if isinstance(error, UnavailableError) else "refused")
        if isinstance(error, ClientRefusedError):
            limits.failed(address, claimed)
        if snapshot is not None and claimed is not None and claimed in snapshot.clients:
            limits.refusals.count(claimed, _counted_as(error))
        return _render(error)


def _measured(request: Request, outcome: str) -> None:
    if request.scope["path"] == TOKEN_PATH:
        metrics.token_asked(outcome)


def _pass(wait: Wait | None) -> None:
    if wait is not None:
        raise TooManyError(wait)


def _counted_as(error: OAuth2Error) -> str:
    if isinstance(error, TooManyError):
        return TooManyRequests.type
    reason = getattr(error, "reason", None)
    return str(error.error) if reason is None else f"{error.error}/{reason}"


def _claimed_client(sent: TokenRequest) -> str | None:
    """Return who the request says it is from: `client_id`, or the subject of its assertion. Nothing of it is verified."""
    if (given := sent.form.get("client_id")) is not None:
        return str(given)
    subject = None if sent.client_assertion is None else sent.client_assertion.claims.get("sub")
    return subject if isinstance(subject, str) else None


async def _let_in(request: Request, sent: TokenRequest) -> None:
    """Take what the request costs the client, which has proved by now who it is."""
    _pass(await request.app.state.limits.let_in(request.scope, sent.client.get_client_id()))


async def _issue(request: Request, server: Server, sent: TokenRequest) -> Response:
    state = request.app.state
    if server.snapshot.signing.active is None:
        log.error("no active signing key")
        raise UnavailableError
    response: Response = server.create_token_response(sent)
    if server.issued is not None:
        await _let_in(request, sent)
        decision = server.issued.decision
        outcome = await token_store(state).store(
            TokenToStore(
                at=server.now,
                client_id=decision.client.client_id,
                agency_id=decision.agency.id,
                request_id=sent.request_id,
                assertion=_used_once(decision.assertion),
                proof=_used_once(decision.proof),
                detail=log_detail(server.issued, seconds=state.settings.access_token_seconds),
                address=None if sent.address is None else sent.address.ip,
            )
        )
        if outcome == "assertion_used":
            raise AssertionUsedError
        if outcome == "proof_used":
            raise ProofRefusedError("used")
    return response


async def _introspect(request: Request, server: Server, sent: TokenRequest) -> Response:
    state = request.app.state
    server.register_endpoint(Introspection(verified_tokens(state)))
    response: Response = server.create_endpoint_response(Introspection.ENDPOINT_NAME, sent)
    await _let_in(request, sent)
    used = _used_once(sent.credential) if response.status_code == 200 else None
    if used is not None and not await queries.use_assertion(state.database.app, assertion=used):
        raise AssertionUsedError
    return response


async def _revoke(request: Request, server: Server, sent: TokenRequest) -> Response:
    state = request.app.state
    revocation = Revocation(verified_tokens(state))
    server.register_endpoint(revocation)
    response: Response = server.create_endpoint_response(Revocation.ENDPOINT_NAME, sent)
    await _let_in(request, sent)
    if response.status_code == 200:
        ended = revocation.revoked
        first = await queries.store_revocation(
            state.database.app,
            at=server.now,
            client_id=sent.client.get_client_id(),
            request_id=sent.request_id,
            assertion=_used_once(sent.credential),
            token=None if ended is None else (ended.access.jti, ended.access.expires_at),
            holder=None if ended is None or ended.own else ended.access.client_id,
        )
        if not first:
            raise AssertionUsedError
    return response


def _used_once(what: Assertion | Proof | None) -> tuple[bytes, datetime] | None:
    return None if what is None else (what.hash, what.until)


async def by_another_method() -> Response:
    """Refuse, in OAuth's form: these endpoints take POST only (RFC 6749 §3.2)."""
    refused = InvalidRequestError(description="This endpoint takes POST only.")
    refused.status_code = 405
    response = _render(refused)
    response.headers["Allow"] = "POST"
    return response


for _path in (TOKEN_PATH, INTROSPECTION_PATH, REVOCATION_PATH):
    router.add_api_route(_path, by_another_method, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])

routes: Final = [
    Route(path, endpoint, methods=["POST"], include_in_schema=False)
    for path, endpoint in ((TOKEN_PATH, token), (INTROSPECTION_PATH, introspect), (REVOCATION_PATH, revoke))
]
"""What an application has beside `router`, before it: FastAPI would find nothing to solve in them, and take longer than a signature does."""


@router.get("/oauth2/jwks")
async def jwks(request: Request) -> Response:
    """Publish the keys access tokens are verified by (RFC 7517 §5), the next one included."""
    state = request.app.state
    snapshot = await state.directory.current()
    return cacheable(
        request,
        snapshot.signing.jwks(now=state.clock.now()),
        media_type="application/jwk-set+json",
        max_age=JWKS_MAX_AGE,
    )


async def _read_form(request: Request, needed: str) -> dict[str, str]:
    """Return the parameters of a well-formed request (RFC 6749 §3.2 and appendix B) that has the one `needed`. Raises `invalid_request`."""
    if request.scope["query_string"]:
        raise InvalidRequestError(description="Parameters belong into the body, not into the URL.")
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != _FORM or parameters.replace('"', "").strip() not in ("", "charset=utf-8"):
        raise InvalidRequestError(description=f"The body must be {_FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise InvalidRequestError(description="The body is too large.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise InvalidRequestError(description="The body is not a well-formed form of at most 20 fields.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequestError(description="A parameter is repeated.")
    form = {name: value for name, value in form.items() if value}  # RFC 6749 §3.2: without a value is as if omitted
    if needed not in form:
        raise InvalidRequestError(description=f"{needed} is required.")
    _refuse_other_authentication(form, request.scope["headers"])
    return form


def _refuse_other_authentication(form: dict[str, str], headers: Headers) -> None:
    """Refuse a second way of authenticating (RFC 6749 §2.3), and any but ours."""
    used = [value for name, value in headers if name == b"authorization"]
    if "client_assertion" in form and (used or "client_secret" in form):
        raise InvalidRequestError(description="The client must authenticate in one way only.")
    if used:
        scheme = used[0].decode("latin-1").partition(" ")[0].lower()
        raise ClientRefusedError(
            "The client must authenticate by private_key_jwt.", scheme=_SCHEMES.get(scheme, "Basic")
        )


def _render(error: OAuth2Error) -> Response:
    return render(*error())

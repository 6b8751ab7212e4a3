"""`/oauth2/register`: HTTP in and out of registration (RFC 7591 §3) and its management (RFC 7592 §2). Errors have OAuth's own form."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc7591 import InvalidClientMetadataError
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.database import UNREACHABLE
from app.foundation.http import parse_json
from app.foundation.problems import MalformedBody
from auth import jwks_uri
from auth.address import address_of
from auth.endpoints import UnavailableError
from auth.errors import TooManyError
from auth.registration import queries, tokens
from auth.registration.claims import Allowed
from auth.registration.server import Configuration, Managed, Registration, RegistrationRequest
from auth.registration.tokens import RegistrationTokenError
from auth.server import REGISTRATION_PATH, render

log = logging.getLogger("rujukan.auth")
router = APIRouter(include_in_schema=False)
MAX_BODY: Final = 65_536
WAITS_FOR: Final = timedelta(days=30)
"""How long a registration waits for people's yes before they have to be asked again."""
KEYS_COUNT_AFTER: Final = timedelta(hours=1)
"""How long a key waits which a client in use adds by itself: its agency is told at once, and can have it ended."""
_CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")
_ONE: Final = REGISTRATION_PATH + "/{client_id}"


@router.post(REGISTRATION_PATH)
async def register(request: Request) -> Response:
    """Register a client of the agency that invited it; it waits for approval (RFC 7591 §3.1)."""
    return await _answer(request, _register)


@router.get(_ONE)
async def read_registration(request: Request) -> Response:
    """Show a client its registration (RFC 7592 §2.1)."""
    return await _answer(request, _manage)


@router.put(_ONE)
async def replace_registration(request: Request) -> Response:
    """Replace what a client has registered (RFC 7592 §2.2): all of it before its approval, afterwards its name and keys."""
    return await _answer(request, _manage)


@router.delete(_ONE)
async def retire_registration(request: Request) -> Response:
    """End a client for good (RFC 7592 §2.3)."""
    return await _answer(request, _manage)


async def _answer(request: Request, work: Callable[[Any, Request], Awaitable[Response]]) -> Response:
    """Do the work of an endpoint, unless too many attempts from its address have failed, and answer in OAuth's form whatever happens."""
    state, address = request.app.state, address_of(request.scope)
    try:
        if (wait := state.limits.wait_of_address(address) or await state.limits.attempt(address)) is not None:
            raise TooManyError(wait)
        response = await work(state, request)
        state.limits.succeeded(address)
        return response
    except UNREACHABLE as error:
        log.warning("%s not answered: %s", REGISTRATION_PATH, type(error).__name__)
        return render(*UnavailableError()())
    except OAuth2Error as error:
        if isinstance(error, RegistrationTokenError):
            state.limits.failed(address)
        return render(*error())


async def _register(state: Any, request: Request) -> Response:
    token = tokens.hash_of(tokens.bearer(request.scope["headers"], tokens.INITIAL))
    now = state.clock.now()
    invitation = await queries.initial_access_token(state.database.app, token, at=now)
    if invitation is None:
        raise RegistrationTokenError
    endpoint = Registration(
        uri=state.settings.public_url + REGISTRATION_PATH,
        invitation=invitation,
        allowed=Allowed(frozenset(invitation["scopes"]), state.settings),
        now=now,
    )
    status, body, headers = endpoint(RegistrationRequest("POST", await _read_body(request)))
    assert endpoint.registered is not None, "an endpoint that does not raise has registered"
    stored = await queries.register(
        state.database.app,
        token=token,
        management=tokens.hash_of(endpoint.registered.token),
        at=now,
        waits=WAITS_FOR,
        request_id=request.scope.get("request_id", ""),
        client=endpoint.registered.client,
    )
    if not stored:
        raise RegistrationTokenError  # used up, or ended, a moment ago
    return render(status, body, headers)


async def _manage(state: Any, request: Request) -> Response:
    sent = tokens.bearer(request.scope["headers"], tokens.MANAGEMENT)
    token, client_id = sent.encode("ascii"), str(request.path_params["client_id"])
    row = None
    if _CLIENT_ID.fullmatch(client_id):
        row = await queries.registration(state.database.app, client_id, token)
    if row is None:
        raise RegistrationTokenError
    managed = Managed(row, sent)
    invited = row["scopes"] if managed.approved else row["invited"]
    endpoint = Configuration(
        uri=state.settings.public_url + REGISTRATION_PATH,
        managed=managed,
        allowed=Allowed(frozenset(invited), state.settings),
    )
    if request.scope["query_string"]:
        raise InvalidRequestError(description="Parameters belong into the body, not into the URL.")
    body = await _read_body(request) if request.method == "PUT" else None
    status, answer, headers = endpoint(RegistrationRequest(request.method, body))
    if endpoint.replaced is not None:
        await _store(state, request, endpoint, token)
    if endpoint.retired:
        retired = await queries.retire(
            state.database.app,
            client_id,
            token=token,
            at=state.clock.now(),
            request_id=request.scope.get("request_id", ""),
        )
        if not retired:
            raise RegistrationTokenError
        return Response(status_code=status, headers=dict(headers))
    return render(status, answer, headers)


async def _store(state: Any, request: Request, endpoint: Configuration, token: bytes) -> None:
    assert endpoint.replaced is not None, "asked only then"
    client, before, now = endpoint.replaced.client, endpoint.managed, state.clock.now()
    outcome = await queries.replace(
        state.database.app,
        before.get_client_id(),
        token=token,
        management=tokens.hash_of(endpoint.replaced.token),
        at=now,
        delay=KEYS_COUNT_AFTER,
        waits=WAITS_FOR,
        request_id=request.scope.get("request_id", ""),
        status=before.row["status"],
        client=client,
    )
    if outcome == "gone":
        raise RegistrationTokenError
    if outcome == "kid_taken":
        raise InvalidClientMetadataError(
            "A key that has ended, or another key under the kid of one, cannot be added. Make a new one."
        )
    if outcome == "changed":
        raise InvalidRequestError(description="The registration was approved or refused a moment ago. Read it again.")
    if before.approved and client["jwks_uri"] not in (None, before.row["jwks_uri"]):
        # now, so that its keys are told to the agency before they count, and not when somebody first uses one
        await jwks_uri.refresh(
            before.get_client_id(),
            client["jwks_uri"],
            client["auth_method"],
            unknown=True,
            settings=state.settings,
            pool=state.database.app,
            directory=state.directory,
            now=now,
        )


async def _read_body(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent (RFC 7591 §3.1). Raises `invalid_request`."""
    if request.scope["query_string"]:
        raise InvalidRequestError(description="Parameters belong into the body, not into the URL.")
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json" or parameters.replace('"', "").strip() not in ("", "charset=utf-8"):
        raise InvalidRequestError(description="The body must be application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidRequestError(description="The body is too large.")
    try:
        found = parse_json(bytes(body))
    except MalformedBody:
        raise InvalidRequestError(description="The body is not strict JSON in UTF-8.") from None
    if not isinstance(found, dict) or not found:
        raise InvalidRequestError(description="The body must be a JSON object with the metadata of the client.")
    return found


async def by_another_method(request: Request) -> Response:
    """Refuse, in OAuth's form: the endpoint takes POST, a registration GET, PUT and DELETE."""
    allowed = "GET, PUT, DELETE" if "client_id" in request.path_params else "POST"
    refused = InvalidRequestError(description=f"Here only {allowed} can be used.")
    refused.status_code = 405
    response = render(*refused())
    response.headers["Allow"] = allowed
    return response


router.add_api_route(REGISTRATION_PATH, by_another_method, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
router.add_api_route(_ONE, by_another_method, methods=["POST", "HEAD", "PATCH", "OPTIONS"])

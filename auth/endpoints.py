"""`/oauth2/token` and `/oauth2/jwks`: HTTP in and out. Errors have OAuth's own form and are never stored by anybody."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.database import UNREACHABLE
from app.foundation.published import cacheable
from auth import queries
from auth.binding.certificate import presented
from auth.binding.dpop import Proof
from auth.client_auth.private_key_jwt import Assertion
from auth.errors import ClientRefusedError, ProofRefusedError
from auth.keys import JWKS_MAX_AGE
from auth.server import TOKEN_PATH, Headers, Server, TokenRequest, log_detail, render

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


@router.post(TOKEN_PATH)
async def token(request: Request) -> Response:
    """Issue an access token (RFC 6749 §4.4)."""
    state = request.app.state
    now = state.clock.now()
    try:
        form = await _read_form(request)
        snapshot = await state.directory.current()
        if snapshot.signing.active is None:
            log.error("no active signing key")
            raise UnavailableError
        server = Server(settings=state.settings, snapshot=snapshot, now=now)
        response: Response = server.create_token_response(
            TokenRequest(form, request.scope["headers"], presented(request.scope))
        )
        if server.issued is not None:
            decision = server.issued.decision
            outcome = await queries.store_token(
                state.database.app,
                at=now,
                client_id=decision.client.client_id,
                agency_id=decision.agency.id,
                request_id=request.scope.get("request_id", ""),
                assertion=_used_once(decision.assertion),
                proof=_used_once(decision.proof),
                detail=log_detail(server.issued, seconds=state.settings.access_token_seconds),
            )
            if outcome == "assertion_used":
                raise ClientRefusedError("The assertion was used before.")
            if outcome == "proof_used":
                raise ProofRefusedError("used")
    except UNREACHABLE as error:
        log.warning("token not issued: %s", type(error).__name__)
        return _render(UnavailableError())
    except OAuth2Error as error:
        return _render(error)
    return response


def _used_once(what: Assertion | Proof | None) -> tuple[bytes, datetime] | None:
    return None if what is None else (what.hash, what.until)


@router.api_route(TOKEN_PATH, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def token_by_another_method() -> Response:
    """Refuse, in OAuth's form: the token endpoint takes POST only (RFC 6749 §3.2)."""
    refused = InvalidRequestError(description="The token endpoint takes POST only.")
    refused.status_code = 405
    response = _render(refused)
    response.headers["Allow"] = "POST"
    return response


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


async def _read_form(request: Request) -> dict[str, str]:
    """Return the parameters of a well-formed request (RFC 6749 §3.2 and appendix B). Raises `invalid_request`."""
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
    if "grant_type" not in form:
        raise InvalidRequestError(description="grant_type is required.")
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

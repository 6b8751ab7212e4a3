"""`/admin/oidc`: signing in at the OpenID provider. A browser is sent there, and comes back with a code.

The session cookie is `SameSite=Strict`, so a page of ours stands between each way: what the provider sends here by a redirect would
not carry the cookie, and a form that is answered by a redirect elsewhere would be stopped by `form-action` (CSP 3).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.admin.pages.endpoints import provider_page
from app.foundation.database import Connection
from auth.address import address_of
from auth.people import oidc_sign_in, sessions
from auth.people.guard import PATIENCE
from auth.people.oidc import Identity, ProviderUnavailableError, RelyingParty, SignInRefusedError
from auth.people.oidc_sign_in import (
    AnotherPersonError,
    Begun,
    LinkedAlreadyError,
    NotAnAdministratorError,
    NotInvitedError,
)
from auth.people.person import Person
from auth.people.sessions import LONGEST

log = logging.getLogger("rujukan.auth.oidc")
router = APIRouter(prefix="/oidc", include_in_schema=False)

BROWSER: Final = "__Host-rujukan-oidc"
"""Cookie that binds what a browser begins to that browser. `Lax`: it must come back from the provider's site."""
AFTERWARDS: Final = "/admin/sessions"
SIGN_IN: Final = "/admin/sign-in"
CONFIRM_WITHIN: Final = timedelta(0)
MAX_FORM: Final = 4096
_STATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_REFUSED: Final[dict[type[Exception], str]] = {
    NotAnAdministratorError: "unknown",
    AnotherPersonError: "another",
    NotInvitedError: "invitation",
    LinkedAlreadyError: "linked",
}


def _page(request: Request, says: str) -> Response:
    return provider_page(request, says, to=SIGN_IN)


def _going(request: Request, to: str) -> Response:
    return provider_page(request, "going", to=to, going=True)


@router.get("/start")
async def start(request: Request) -> Response:
    """Send the browser to the provider: to sign in, or with `confirm=1` to prove again who they are."""
    if request.query_params.get("confirm") != "1":
        return await _begin(request)
    token = request.cookies.get(sessions.COOKIE)
    async with _transaction(request) as conn:
        person = await sessions.find(conn, token, now=_now(request)) if token else None
    return _page(request, "session") if person is None else await _begin(request, confirming=person)


@router.post("/start")
async def start_invited(request: Request) -> Response:
    """Send the browser to the provider, to link an account to the administrator of `invitation`, which may take a `code`: fields of the form."""
    if not _is_from_own_page(request):
        return _page(request, "elsewhere")
    form = await _form(request)
    if not {"invitation"} <= set(form) <= {"invitation", "code"}:
        return _page(request, "invitation")
    return await _begin(request, invitation=form["invitation"], code=form.get("code"))


async def _begin(
    request: Request, *, invitation: str | None = None, code: str | None = None, confirming: Person | None = None
) -> Response:
    party = _party(request)
    if party is None:
        return _page(request, "none")
    limits, address = request.app.state.limits, address_of(request.scope)
    if (wait := limits.wait_of_address(address) or await limits.attempt(address)) is not None:
        answer = _page(request, "slowly")
        answer.headers["Retry-After"] = wait.retry_after
        return answer
    state = secrets.token_urlsafe(32)
    try:
        url = await party.authorization_url(
            state,
            max_age=LONGEST if confirming is None else CONFIRM_WITHIN,
            prompt=None if confirming is None else "login",
        )
        async with _transaction(request) as conn:
            await oidc_sign_in.begin(
                conn,
                state,
                now=_now(request),
                invitation=invitation,
                code=code,
                confirming=confirming,
                earlier=request.cookies.get(sessions.COOKIE),
            )
    except ProviderUnavailableError as error:
        log.warning("no sign-in: %s", error)
        return _page(request, "unavailable")
    except NotInvitedError:
        limits.failed(address)
        return _page(request, "invitation")
    answer = _going(request, url)
    answer.set_cookie(
        BROWSER, party.browser_token(state), max_age=300, path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.get("/callback")
async def callback(request: Request) -> Response:
    """Take what the provider answered (OpenID Connect Core §3.1.2.5), and go on as somebody who has signed in."""
    party = _party(request)
    if party is None:
        return _page(request, "none")
    given = dict(request.query_params)
    state, browser = given.get("state", ""), request.cookies.get(BROWSER, "")
    if len(given) != len(request.query_params.multi_items()):
        return _page(request, "refused")
    if not _STATE.fullmatch(state) or not party.is_browser_of(state, browser):
        return _page(request, "again")
    async with _transaction(request) as conn:
        begun = await oidc_sign_in.take(conn, state, now=_now(request))
    if begun is None:
        return _page(request, "again")
    try:
        who = await _identify(party, given, state, begun)
    except ProviderUnavailableError as error:
        log.warning("no sign-in: %s", error)
        return _page(request, "unavailable")
    except SignInRefusedError as error:
        log.warning("no sign-in: %s", error)
        return _page(request, "refused")
    if who is None:
        return _page(request, "denied")
    return await _finish(request, begun, who)


async def _identify(party: RelyingParty, given: dict[str, str], state: str, begun: Begun) -> Identity | None:
    await party.check_issuer(given.get("iss"))
    if "error" in given:
        return None
    code = given.get("code", "")
    if not code.isascii() or not 0 < len(code) <= 2048:
        raise SignInRefusedError("no code")
    return await party.identify(state, code, proved_since=begun.at if begun.session_id is not None else None)


async def _finish(request: Request, begun: Begun, who: Identity) -> Response:
    now = _now(request)
    try:
        async with _transaction(request) as conn:
            token = await oidc_sign_in.finish(
                conn, begun, who, address=_address(request), user_agent=request.headers.get("user-agent"), now=now
            )
    except tuple(_REFUSED) as refused:
        why = _REFUSED[type(refused)]
        async with _transaction(request) as conn:
            await oidc_sign_in.log_refused(conn, request.app.state.keyring, who, why, now=now)
        return _page(request, why)
    answer = _going(request, AFTERWARDS)
    sessions.hand_over(answer, token)
    answer.delete_cookie(BROWSER, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _party(request: Request) -> RelyingParty | None:
    found: RelyingParty | None = request.app.state.oidc
    return found


def _now(request: Request) -> Any:
    return request.app.state.clock.now()


@asynccontextmanager
async def _transaction(request: Request) -> AsyncIterator[Connection]:
    """Open a transaction whose log entries name the request."""
    async with request.app.state.database.admin.acquire(timeout=PATIENCE) as conn, conn.transaction():
        await conn.execute("SELECT set_config('rujukan.request_id', $1, true)", request.scope.get("request_id") or "")
        yield conn


def _address(request: Request) -> str | None:
    address = address_of(request.scope)
    return None if address is None else str(address.ip)


def _is_from_own_page(request: Request) -> bool:
    """Whether a form of our own pages sent this. With `no-referrer`, which they have, browsers write `Origin: null` (Fetch §3.2)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = origin == request.app.state.settings.admin_origin
    return own if site is None else site == "same-origin" and (own or origin == "null")


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form, each once; nothing if it is none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            return {}
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=4, errors="strict")
    except ValueError:
        return {}
    return dict(pairs) if len(dict(pairs)) == len(pairs) else {}

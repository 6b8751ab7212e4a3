"""`/admin/sign-in`, `/enrol`, `/confirm`, `/sessions`, `/command-line`: shells that our own script fills from `/admin/v1`.

The pages on the way to the OpenID provider and back (`app.admin.oidc`) have no script, and are made here too.

A shell holds nothing of anybody. Every address in it is relative to `/admin/`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined

import app.pages.endpoints as common
from app.admin.pages.words import PROVIDER, WORDS
from app.foundation.i18n import language_of
from auth.people import sessions
from auth.people.guard import PATIENCE

router = APIRouter(include_in_schema=False)
HERE = Path(__file__).parent / "static"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), microphone=(), geolocation=(), "
        "display-capture=(), payment=(), usb=(), serial=(), hid=(), clipboard-read=()"
    ),
    "Vary": "Accept-Language",
}


def static_files() -> dict[str, StaticFiles]:
    """Return the folders to mount, by path."""
    return {"/static/common": StaticFiles(directory=common.HERE), "/static": StaticFiles(directory=HERE)}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("app.admin.pages"), autoescape=True, undefined=StrictUndefined)


def page(
    request: Request, name: str, *, status: int = 200, sends_form: bool = False, up: str = "", **context: Any
) -> Response:
    """Return a page from its template. `up`: what leads from its address to `/admin/`; `sends_form`: it has a form for us."""
    language = language_of(request)
    headers = {**HEADERS, "Content-Language": language}
    if sends_form:
        policy = headers["Content-Security-Policy"]
        headers["Content-Security-Policy"] = policy.replace("form-action 'none'", "form-action 'self'")
    text = _environment().get_template(f"{name}.html")
    html = text.render(page=name, lang=language, words=WORDS[language], up=up, **context)
    return Response(html, status_code=status, media_type="text/html; charset=utf-8", headers=headers)


def provider_page(request: Request, says: str, *, to: str, going: bool = False) -> Response:
    """Return a page of one sentence (`words.PROVIDER`) and one link; with `going` it follows its link by itself, without a script."""
    status, sentence = PROVIDER[says]
    said = sentence[language_of(request)]
    return page(request, "provider", status=status, up="../", sentence=said, to=to, going=going)


def _provider(request: Request) -> bool:
    """Whether people can sign in at an OpenID provider."""
    return request.app.state.settings.oidc_issuer is not None


@router.get("/")
async def home(request: Request) -> Response:
    """Lead to one's sessions, or to where one signs in."""
    state = request.app.state
    token = request.cookies.get(sessions.COOKIE)
    person = None
    if token:
        async with state.database.admin.acquire(timeout=PATIENCE) as conn:
            person = await sessions.find(conn, token, now=state.clock.now())
    return Response(status_code=303, headers={**HEADERS, "Location": "sessions" if person else "sign-in"})


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Sign in, by a passkey or at the OpenID provider."""
    return page(request, "sign-in", provider=_provider(request))


@router.get("/enrol")
async def enrol_page(request: Request) -> Response:
    """Make a passkey, by a one-time link."""
    provider = _provider(request)
    return page(request, "enrol", provider=provider, sends_form=provider)


@router.get("/confirm")
async def confirm_page(request: Request) -> Response:
    """Prove again who you are."""
    return page(request, "confirm", provider=_provider(request))


@router.get("/sessions")
async def sessions_page(request: Request) -> Response:
    """See and end one's sessions, and see to one's passkeys."""
    return page(request, "sessions")


@router.get("/command-line")
async def command_line_page(request: Request) -> Response:
    """Allow the command line a session."""
    return page(request, "command-line", provider=_provider(request))

"""Assembly of the administrative application, mounted at `/admin`: an OpenAPI document, routes and handlers of its own."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import Response

from app import openapi
from app.admin import (
    administrators,
    agencies,
    agreements,
    approvals,
    breach,
    client_life,
    clients,
    command_line,
    encryption_keys,
    jobs,
    log,
    notices,
    offboarding,
    oidc,
    published,
    registrations,
    service_points,
    sessions,
    signing_in,
    signing_keys,
    webhooks,
)
from app.admin.pages import endpoints as pages
from app.admin.problems import MayNotApprove, NotPossible, NotRight, NotThere
from app.foundation import http
from app.foundation.problems import Problem
from auth.address import address_of
from auth.admin.errors import (
    AdministratorStateError,
    ClientMoveError,
    MayNotApproveError,
    OpenDutiesError,
    TakenError,
)
from auth.guard import count_refusal
from auth.keys import NextKeyTooYoungError
from auth.people.problems import CeremonyOver, CodeRequired, LinkOver, PasskeyRefused

ROUTERS: list[APIRouter] = [
    approvals.router,
    agencies.router,
    encryption_keys.router,
    service_points.router,
    clients.router,
    client_life.router,
    breach.router,
    registrations.router,
    webhooks.router,
    offboarding.router,
    agreements.router,
    notices.router,
    signing_keys.router,
    log.router,
    jobs.router,
    published.router,
    signing_in.router,
    sessions.router,
    administrators.router,
    command_line.router,
    oidc.router,
    pages.router,
]
PATH = "/admin"


def create_admin(state: Any) -> FastAPI:
    """Build the application; it shares the `state` of the one it is mounted in."""
    admin = FastAPI(
        title="Rujukan: administration",
        version=version("rujukan"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        middleware=[Middleware(http.LastResort)],  # under its own catch-all, which would answer in plain text
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    admin.state = state
    admin.openapi = partial(openapi.document, admin, openapi.ADMINISTRATION)  # type: ignore[method-assign]
    http.install(admin, on_refusal=_on_refusal, missing_headers={})
    admin.add_exception_handler(LookupError, _not_there)
    admin.add_exception_handler(ValueError, _not_possible)
    for router in ROUTERS:
        admin.include_router(router)
    for path, files in pages.static_files().items():
        admin.mount(path, files)
    return admin


async def to_admin(request: Request) -> Response:
    """Lead from `/admin` to `/admin/`: a mounted application has no path without its slash."""
    return Response(status_code=308, headers={"Location": f"{PATH}/"})


async def _on_refusal(request: Request, problem: Problem) -> None:
    """Log nothing: refusals here are of administrators, who are told why, and nothing of a case is at stake. Whoever guesses pays for it."""
    count_refusal(request, problem)
    if isinstance(problem, (CeremonyOver, CodeRequired, LinkOver, PasskeyRefused)):
        request.app.state.limits.failed(address_of(request.scope))


async def _not_there(request: Request, error: Exception) -> Response:
    if type(error).__module__ != TakenError.__module__:
        raise error
    return NotThere(str(error)).response(request)


async def _not_possible(request: Request, error: Exception) -> Response:
    if isinstance(error, MayNotApproveError):
        return MayNotApprove(str(error)).response(request)
    if isinstance(error, (TakenError, OpenDutiesError, ClientMoveError, AdministratorStateError, NextKeyTooYoungError)):
        return NotPossible(str(error)).response(request)
    if not type(error).__module__.startswith("auth."):
        raise error
    return NotRight(str(error)).response(request)

"""Assembly of the administrative application, mounted at `/admin`: an OpenAPI document, routes and handlers of its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from app.admin import approvals
from app.admin.problems import MayNotApprove, NotPossible, NotRight, NotThere
from app.foundation import http
from app.foundation.problems import Problem
from auth.admin.errors import ClientMoveError, MayNotApproveError, OpenDutiesError, TakenError
from auth.guard import count_refusal

ROUTERS: list[APIRouter] = [approvals.router]
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
        telemetry={"tracing": False},
    )
    admin.state = state
    http.install(admin, on_refusal=_on_refusal, missing_headers={})
    admin.add_exception_handler(LookupError, _not_there)
    admin.add_exception_handler(ValueError, _not_possible)
    for router in ROUTERS:
        admin.include_router(router)
    return admin


async def _on_refusal(request: Request, problem: Problem) -> None:
    """Log nothing: refusals here are of administrators, who are told why, and nothing of a case is at stake."""
    count_refusal(request, problem)


async def _not_there(request: Request, error: Exception) -> Response:
    if type(error).__module__ != TakenError.__module__:
        raise error
    return NotThere(str(error)).response(request)


async def _not_possible(request: Request, error: Exception) -> Response:
    if isinstance(error, MayNotApproveError):
        return MayNotApprove(str(error)).response(request)
    if isinstance(error, (TakenError, OpenDutiesError, ClientMoveError)):
        return NotPossible(str(error)).response(request)
    if not type(error).__module__.startswith("auth."):
        raise error
    return NotRight(str(error)).response(request)

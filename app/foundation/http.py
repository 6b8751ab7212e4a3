"""How requests are read: strict JSON, no unknown query parameters, a request id, one handler for every error.

Everything here is plain ASGI or a route class; there is no middleware that would copy the body or start a thread.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Final, get_args

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Header, Query
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel, RootModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.foundation import metrics
from app.foundation.database import GONE, UNREACHABLE
from app.foundation.problems import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    Problem,
    ServiceUnavailable,
    UnsupportedMediaType,
)

log = logging.getLogger("rujukan.http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_UNREADABLE = object()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedBody("duplicate_member")
    return members


def _no_constant(_: str) -> None:
    raise MalformedBody("not_a_number")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)


MAX_VALUES: Final = 10_000
"""Values in a document, far more than a right one has: each wrong one gets a message of its own, and nobody else is served meanwhile."""
_STRING: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL
)  # one without its end is taken whole: or each quote in it would be tried


def parse_json(body: bytes) -> Any:
    """Return what `body` says as strict JSON (RFC 8259, I-JSON's unique members). Raises `MalformedBody`."""
    # the commas of a text count only where there are so many that it matters
    if body.count(b",") >= MAX_VALUES and _STRING.sub(b"", body).count(b",") >= MAX_VALUES:
        raise MalformedBody("too_many_values")
    try:
        return _decoder.decode(body.decode())
    except UnicodeDecodeError:
        raise MalformedBody("not_utf8") from None
    except RecursionError:
        raise MalformedBody("too_deep") from None
    except ValueError:
        raise MalformedBody("not_json") from None


class StrictRequest(Request):
    """A request whose JSON is strict. What is wrong with it is kept until the caller is known, so that 401 comes first."""

    async def body(self) -> bytes:
        """Return the body, or nothing after noting that it is too large; no more of it is read then."""
        if not hasattr(self, "_body"):
            self._body = await self._read(self.app.state.settings.max_body_bytes)
        return self._body

    async def _read(self, most: int) -> bytes:
        declared = self.headers.get("content-length", "0")
        if declared.isdecimal() and (len(declared) > 15 or int(declared) > most):
            return self._too_large()
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > most:
                return self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> bytes:
        self.scope["rujukan.body_problem"] = BodyTooLarge()
        return b""

    async def json(self) -> Any:
        """Return the parsed body, or a value no model accepts after noting the problem."""
        try:
            return parse_json(await self.body())
        except MalformedBody as problem:
            self.scope["rujukan.body_problem"] = problem
            return _UNREADABLE


Check = Callable[[Request], Awaitable[None]]
_BEFORE_BODY: dict[Callable[..., Any], Check] = {}


def before_body(dependency: Callable[..., Any], check: Check) -> None:
    """Have every route that depends on `dependency` make this check before it reads a body, which FastAPI does before anything else."""
    _BEFORE_BODY[dependency] = check


def _dependencies(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        if each.call is not None:
            yield each.call
        yield from _dependencies(each)


class StrictRoute(APIRoute):
    """A route that reads strict JSON, and refuses query parameters it does not declare and whatever comes twice that must not."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()
        parameters = get_flat_params(self.dependant)
        queries = [field for field in parameters if isinstance(field.field_info, Query)]
        declared = {field.alias for field in queries}
        single = {field.alias for field in queries if "list" not in str(field.field_info.annotation)}
        headers = {
            field.alias.lower().encode(): field.alias
            for field in parameters
            if isinstance(field.field_info, Header) and field.field_info.is_required()
        } | {b"content-type": "Content-Type"}
        checks = {_BEFORE_BODY[call] for call in _dependencies(self.dependant) if call in _BEFORE_BODY}
        checks = checks if self.body_field is not None else set()

        async def strict(request: Request) -> Response:
            scope = request.scope
            wrong: list[dict[str, str]] = []
            if scope["query_string"]:
                given = [name for name, _ in request.query_params.multi_items()]
                # the name of an unknown parameter is the caller's text: not repeated
                wrong += [{"code": "unknown_parameter"} for name in given if name not in declared]
                wrong += [{"parameter": name, "code": "repeated"} for name in single if given.count(name) > 1]
            sent = [name for name, _ in scope["headers"] if name in headers]
            if len(sent) != len(set(sent)):
                wrong += [{"header": headers[name], "code": "repeated"} for name in headers if sent.count(name) > 1]
            if wrong:
                scope["rujukan.request_problem"] = InvalidRequest(wrong)
            for check in checks:
                await check(request)
            return await handler(StrictRequest(scope, request.receive))

        return strict


def refuse_bad_request(request: Request) -> None:
    """Raise what `StrictRoute` found wrong with query and headers; called once the caller is known."""
    if problem := request.scope.get("rujukan.request_problem"):
        raise problem


class RequestContext:
    """Outermost ASGI layer: a request id, security headers, no answer about cases kept by any cache; and each answer counted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        began = time.perf_counter()
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        scope["request_id"] = request_id
        extra = [
            (b"x-request-id", request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                headers.extend(extra)
                headers.extend(scope.get("rujukan.headers", ()))
                metrics.request_answered(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, send_with_headers)


_UNREPEATED = "…"


def _pointer(body: Any, location: Sequence[Any], names: Set[str], *, missing: bool) -> str:
    """Return the JSON Pointer (RFC 6901) to `location`; parts that only say which of several models was tried are left out.

    A member whose name no model has is the caller's own text, and stays unsaid.
    """
    parts: list[str] = []
    for place, part in enumerate(location, start=1):
        if isinstance(body, dict) and (part in body or (missing and place == len(location))):
            parts.append(str(part) if part in names else _UNREPEATED)
            body = body.get(part)
        elif isinstance(body, list) and isinstance(part, int) and part < len(body):
            parts.append(str(part))
            body = body[part]
    return "".join(f"/{part}" for part in parts)


def invalid(error: RequestValidationError, names: Set[str]) -> InvalidRequest:
    """Turn Pydantic's errors into pointers and codes; inputs and contexts are dropped. `names` are those of members that there are."""
    errors: list[dict[str, str]] = []
    for fault in error.errors()[:50]:
        where, *rest = fault["loc"]
        code = str(fault["type"])
        entry = {"code": code}
        if where == "body":
            entry["pointer"] = _pointer(error.body, rest, names, missing=code == "missing")
        elif where == "header":
            entry["header"] = str(rest[0]) if rest else ""
        else:
            entry["parameter"] = str(rest[0]) if rest else ""
        if (message := str(fault.get("msg", ""))) and code == "value_error":
            entry["detail"] = message.removeprefix("Value error, ")
        errors.append(entry)
    return InvalidRequest(errors)


def member_names(app: FastAPI) -> Set[str]:
    """Return the name of every member that a body of a request may have, at whatever depth."""
    return names_in(
        route.body_field.field_info.annotation for route in iter_route_contexts(app.routes) if _takes_body(route)
    )


def names_in(kinds: Iterable[Any]) -> Set[str]:
    """Return the name of every member that models of these kinds have, at whatever depth."""
    names: set[str] = set()
    seen: set[Any] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            waiting += [field.annotation for field in kind.model_fields.values()]
            if not issubclass(kind, RootModel):
                names |= {field.alias or name for name, field in kind.model_fields.items()}
    return names


def _takes_body(route: RouteContext) -> bool:
    return getattr(route, "body_field", None) is not None


def install(
    app: FastAPI,
    *,
    on_refusal: Callable[[Request, Problem], Awaitable[None]],
    missing_headers: Mapping[str, type[Problem]],
) -> None:
    """Register the one handler for each way a request can end badly.

    `on_refusal` logs the refusal of an authenticated caller; `missing_headers` names the problem of each required header (lower case).
    """
    names: Set[str] = frozenset()

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        try:
            await on_refusal(request, error)
        except UNREACHABLE as unreachable:
            return await unavailable(request, unreachable)
        return error.response(request)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if found := request.scope.get("rujukan.body_problem"):
            return found.response(request)  # type: ignore[no-any-return]
        faults = error.errors()
        for fault in faults:
            if (
                fault["loc"][0] == "header"
                and fault["type"] == "missing"
                and (missing := missing_headers.get(str(fault["loc"][1]).lower()))
            ):
                return missing().response(request)
        if any(fault["loc"] == ("body",) for fault in faults):
            kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if all(fault["type"] == "missing" for fault in faults if fault["loc"] == ("body",)):
                return MalformedBody("missing").response(request)
            if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
                return UnsupportedMediaType().response(request)
        nonlocal names
        names = names or member_names(app)
        return invalid(error, names).response(request)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        problems: dict[int, Problem] = {404: NotFound(), 400: MalformedBody("not_readable")}
        if error.status_code == 405:
            path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
            return MethodNotAllowed(headers={"Allow": ", ".join(allowed_methods(app, path))}).response(request)
        return problems.get(error.status_code, InternalError()).response(request)

    async def unavailable(request: Request, error: Exception) -> Response:
        log.warning("database unreachable: %s request_id=%s", type(error).__name__, request.scope.get("request_id"))
        if isinstance(
            error, GONE
        ):  # so are its neighbours: the next request has a new one, and does not learn the same
            await request.app.state.database.expire()
        return ServiceUnavailable().response(request)

    for kind in UNREACHABLE:
        app.add_exception_handler(kind, unavailable)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Return every method that is documented for `path` (RFC 9110 §10.2.1): the router itself knows only the first route that matches."""
    found = {
        method
        for route in iter_route_contexts(app.routes)
        if getattr(route, "include_in_schema", False) and compile_path(str(route.path))[0].match(path)
        for method in route.methods or ()
    }
    return sorted(found) or ["GET"]


class LastResort:
    """ASGI layer under `RequestContext`: an unforeseen error becomes a 500 problem, logged by type and place, never by value."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
            log.error("internal error: %s at %s request_id=%s", type(error).__name__, place, scope.get("request_id"))
            await InternalError().response(Request(scope))(scope, receive, send)

"""/v1/imports and /v1/exports."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.dependencies import CaseConnection, IdempotencyKey, IdempotencyKeyRequired, KeyValue
from app.exchange.bulk import imports, uploads
from app.exchange.bulk.exports import KINDS, Bounded, Export, Wanted
from app.exchange.bulk.problems import (
    ExportRunning,
    ImportIncomplete,
    ImportNotOpen,
    ImportTooLarge,
    LinesElsewhere,
    TooManyImports,
)
from app.exchange.passing import http
from app.exchange.passing.problems import IdempotencyKeyReused
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import MalformedBody, NotFound, UnsupportedMediaType, answers
from auth.caller import Caller
from auth.guard import requires, still_let_in
from auth.scopes import Scope
from schemas.base import Moment
from schemas.exchange import bulk as wire

NDJSON: Final = "application/x-ndjson"
CanRead = Annotated[Caller, requires(Scope.referrals_read)]
CanAct = Annotated[Caller, requires(Scope.referrals_write)]
ImportId = Annotated[UUID, Path(description="The import's id.")]

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=StrictRoute)
exports_router = APIRouter(prefix="/v1/exports", tags=["exports"], route_class=StrictRoute)

_LINES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "One JSON document a line, in UTF-8: a body of `POST /v1/referrals` with a member `key`."
        " At most 100,000 lines, each at most 1 MiB; not compressed.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}
_EXPORTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One JSON document a line: first what it is (`ExportHead`), then what may be read (`ExportLine`), last how many there were"
        " (`ExportEnd`). A file without that last line was cut off.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}

_UPLOADED = (MalformedBody, UnsupportedMediaType, IdempotencyKeyRequired, ImportTooLarge)


async def _still_let_in(request: Request) -> bool:
    """Whether who sent a long request may go on with it."""
    state = request.app.state
    return still_let_in(request.scope, await state.directory.current(), state.clock.now())


async def _lines_of(request: Request) -> uploads.Chunks:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind != NDJSON or encoding != "identity":  # compressed, every line would be a wrong one
        raise UnsupportedMediaType
    return request.stream()


@router.post(
    "",
    status_code=201,
    response_model=wire.Import,
    responses=answers(*http.ALWAYS, *_UPLOADED, IdempotencyKeyReused, ImportIncomplete, TooManyImports),
    openapi_extra=_LINES,
)
async def import_referrals(request: Request, caller: CanAct, db: CaseConnection, key: KeyValue) -> Response:
    """Send many referrals at once. They are handled afterwards, one by one, exactly as if each had been sent by `POST /v1/referrals`.

    `Idempotency-Key` names the import; each line has a `key` of its own, so that nothing is sent twice. The body is taken in as it comes: of one
    that breaks off, whole lines are kept. Find it by `GET /v1/imports?key=`, go on by `/lines`, and start it. A line that is wrong is a result
    of that line, and ends nothing else.
    """
    row = await uploads.create(db, key, await _lines_of(request), partial(_still_let_in, request))
    reply = http.json_response(await imports.shown(db, row))
    reply.status_code = 201
    reply.headers["Location"] = f"/v1/imports/{row['id']}"
    return reply


@router.post(
    "/{import_id}/lines",
    response_model=wire.Import,
    responses=answers(*http.ALWAYS, *_UPLOADED, NotFound, LinesElsewhere, ImportNotOpen),
    openapi_extra=_LINES,
)
async def add_lines_to_import(
    request: Request,
    import_id: ImportId,
    caller: CanAct,
    db: CaseConnection,
    key: KeyValue,
    after: Annotated[int, Query(ge=0, le=wire.MOST_LINES, description="How many lines the import holds.")],
) -> Response:
    """Go on with an upload that was broken off. `Idempotency-Key` is needed as with every POST; it is `after` that keeps a line from coming twice."""
    still = partial(_still_let_in, request)
    row = await uploads.go_on(db, import_id, after, await _lines_of(request), still)
    return http.json_response(await imports.shown(db, row))


@router.post(
    "/{import_id}/start",
    response_model=wire.Import,
    responses=answers(*http.ALWAYS, IdempotencyKeyRequired, NotFound, ImportNotOpen),
)
async def start_import(import_id: ImportId, caller: CanAct, db: CaseConnection, key: IdempotencyKey) -> Response:
    """Have the lines handled that were received. Repeated, it changes nothing."""
    return http.json_response(await imports.shown(db, await uploads.start(db, import_id)))


@router.post(
    "/{import_id}/cancel",
    response_model=wire.Import,
    responses=answers(*http.ALWAYS, IdempotencyKeyRequired, NotFound, ImportNotOpen),
)
async def cancel_import(import_id: ImportId, caller: CanAct, db: CaseConnection, key: IdempotencyKey) -> Response:
    """Look at no more line, and destroy what is left of them. Referrals that were sent stay sent. By any system of the agency."""
    return http.json_response(await imports.cancel_import(db, import_id))


@router.get("", response_model=wire.ImportPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_imports(
    caller: CanRead,
    db: CaseConnection,
    key: Annotated[
        str | None, Query(pattern=wire.LINE_KEY, description="Only what was sent with this `Idempotency-Key`.")
    ] = None,
    state: Annotated[wire.ImportState | None, Query(description="Only this state.")] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List the agency's imports, newest first."""
    return http.json_response(await imports.list_imports(db, key=key, state=state, cursor=cursor, limit=limit))


@router.get("/{import_id}", response_model=wire.Import, responses=answers(*http.ALWAYS, NotFound))
async def read_import(import_id: ImportId, caller: CanRead, db: CaseConnection) -> Response:
    """Read how far an import is."""
    return http.json_response(await imports.read_import(db, import_id))


@router.get(
    "/{import_id}/results",
    response_model=wire.LineResultPage,
    responses=answers(*http.ALWAYS, NotFound, InvalidCursor),
)
async def list_import_results(
    import_id: ImportId,
    caller: CanRead,
    db: CaseConnection,
    outcome: Annotated[
        list[wire.LineOutcome] | None,
        Query(max_length=5, description="Only these outcomes; repeat the parameter for several."),
    ] = None,
    cursor: http.Cursor = None,
    limit: Annotated[int, Query(ge=1, le=wire.MOST_RESULTS, description="How many at most.")] = 200,
) -> Response:
    """List what became of the lines, in their order; of those that have been handled so far."""
    found = await imports.list_results(db, import_id, outcomes=outcome, cursor=cursor, limit=limit)
    return http.json_response(found)


@exports_router.get(
    "",
    response_class=StreamingResponse,
    responses=_EXPORTED | answers(*http.ALWAYS, InvalidCursor, ExportRunning),
)
async def export_everything(
    request: Request,
    caller: Annotated[
        Caller, requires(Scope.exports_read, Scope.cases_read, Scope.referrals_read, Scope.transfers_read)
    ],
    db: CaseConnection,
    kinds: Annotated[
        list[wire.ExportKind] | None,
        Query(max_length=4, description="Only these kinds; repeat the parameter for several."),
    ] = None,
    since: Annotated[Moment | None, Query(description="Only what changed since.")] = None,
    after: Annotated[
        str | None,
        Query(
            max_length=400,
            description="`after` of the last line you have, to go on from there with the same `kinds` and `since`.",
        ),
    ] = None,
) -> Response:
    """Take everything the agency may read now, as the single readings would give it. Each document is logged as read.

    It ends with the token: go on with a new one after the last line. One at a time for each client and agency.
    """
    state = request.app.state
    wanted = Wanted(tuple(kind for kind in KINDS if not kinds or kind in kinds), since)
    export = Export(
        db, wanted, after=after, current=state.directory.current, still_let_in=partial(_still_let_in, request)
    )
    await export.begin()
    return Bounded(export.lines(), seconds=export.seconds, media_type=NDJSON)

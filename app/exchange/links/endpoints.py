"""/v1/cases/{case_id}/links and /v1/case-links."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey, IfMatch
from app.exchange.links import service
from app.exchange.passing import http, problems
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import link as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1", tags=["links"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
LinkId = Annotated[UUID, Path(description="The link's id.")]


@router.post(
    "/cases/{case_id}/links",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.NotLead,
        problems.CaseClosed,
        problems.UnknownCase,
        problems.SameCase,
        problems.LinkedAlready,
    ),
)
async def propose_link(
    case_id: Annotated[UUID, Path(description="The case's id.")],
    response: Response,
    body: wire.NewLink,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Say that the case belongs together with another, by that one's reference. The other's lead is asked to confirm it.

    Neither side learns more than the kind of the link and who leads the other case. Who leads both has confirmed it with this.
    """
    return http.created(response, "/v1/case-links", await service.propose(db, case_id, body, key))


@router.get("/case-links", response_model=wire.LinkPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_links(
    caller: CanRead,
    db: CaseConnection,
    state: Annotated[
        list[Literal["proposed", "confirmed", "refused", "ended"]] | None,
        Query(max_length=4, description="Only these states; repeat the parameter for several."),
    ] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List the links of the cases the caller's agency leads now, newest first."""
    return http.json_response(await service.list_links(db, states=state, cursor=cursor, limit=limit))


@router.get("/case-links/{link_id}", response_model=wire.Link, responses=answers(*http.ALWAYS, NotFound))
async def read_link(link_id: LinkId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a link, as the lead of either case."""
    found = await service.read_link(db, link_id)
    return http.json_response(found, version=found["version"])


@router.post("/case-links/{link_id}/confirm", responses=answers(*http.ALWAYS, *http.MOVED))
async def confirm_link(
    link_id: LinkId, body: wire.ConfirmLink, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Confirm that the cases belong together, as the lead of the one that was named."""
    return await service.move(db, "confirm", link_id=link_id, seen=seen, key=key, body=body)


@router.post("/case-links/{link_id}/refuse", responses=answers(*http.ALWAYS, *http.MOVED))
async def refuse_link(
    link_id: LinkId, body: wire.RefuseLink, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Refuse a link, as the lead of the case that was named. The reason stays with your side."""
    return await service.move(db, "refuse", link_id=link_id, seen=seen, key=key, body=body, reason=body.reason)


@router.post("/case-links/{link_id}/end", responses=answers(*http.ALWAYS, *http.MOVED))
async def end_link(
    link_id: LinkId, body: wire.EndLink, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """End a link, or take its proposal back, as the lead of either case. The reason stays with your side."""
    return await service.move(db, "end", link_id=link_id, seen=seen, key=key, body=body, reason=body.reason)

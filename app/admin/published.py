"""`/admin/openapi.json`: the document of this API, for anyone: it describes no secrets."""

from __future__ import annotations

import asyncio

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.published import cacheable

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def admin_openapi_document(request: Request) -> Response:
    """Publish the contract, made when it is first asked for: in a thread, since it takes a while that nobody else should wait."""
    state = request.app.state
    if (written := getattr(state, "admin_openapi_json", None)) is None:
        written = state.admin_openapi_json = orjson.dumps(await asyncio.to_thread(request.app.openapi))
    return cacheable(request, written)

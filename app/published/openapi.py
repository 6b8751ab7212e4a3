"""`/openapi.json`: the OpenAPI document, for anyone."""

from __future__ import annotations

import asyncio

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.published import cacheable

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    """Publish the contract, made when it is first asked for: in a thread, since it takes a second or two that nobody else should wait."""
    state = request.app.state
    if (written := getattr(state, "openapi_json", None)) is None:
        written = state.openapi_json = orjson.dumps(await asyncio.to_thread(request.app.openapi))
    return cacheable(request, written)

"""`/admin/openapi.json`: the document of this API, for anyone: it describes no secrets."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.published import made_once

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def admin_openapi_document(request: Request) -> Response:
    """Publish the contract."""
    return await made_once(request, "admin_openapi_json", request.app.openapi)

"""`/v1/record-fields`: what each field is called and means, for anyone."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.http import StrictRoute, refuse_bad_request
from app.foundation.published import cacheable
from schemas.documents.record_fields import record_fields
from schemas.exchange.record_fields import RecordFields

router = APIRouter(prefix="/v1/record-fields", tags=["schemas"], route_class=StrictRoute)


@cache
def _as_json() -> bytes:
    return record_fields().model_dump_json().encode()


@router.get("", response_model=RecordFields)
async def list_record_fields(request: Request) -> Response:
    """List the fields of the record and of the preview.

    Each has its path, labels and meanings in Indonesian and English, its code list and its names in HTCDS. In FHIR the address of
    this list is the system of an Observation's code. Needs no token. Ask again with `If-None-Match`; it changes with a release only.
    """
    refuse_bad_request(request)
    return cacheable(request, _as_json())

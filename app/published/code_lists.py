"""`/v1/code-lists`: what each code is called and means, for anyone, as JSON or CSV."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.foundation.http import StrictRoute, refuse_bad_request
from app.foundation.problems import NotFound, answers
from app.foundation.published import cacheable
from schemas import SCHEMA_VERSION
from schemas.codes import code_list, list_names
from schemas.codes.labels import attribution
from schemas.documents.code_lists import as_csv, as_json
from schemas.exchange.code_lists import CodeListIndex, CodeListRef, PublishedCodeList

router = APIRouter(prefix="/v1/code-lists", tags=["code lists"], route_class=StrictRoute)
CSV: Final = "text/csv; charset=utf-8; header=present"

ListName = Annotated[str, Path(description="The name of a list, as the index has it.", max_length=64)]
Format = Annotated[
    Literal["json", "csv"] | None,
    Query(description="`csv` or `json`, whatever `Accept` says."),
]
_AS_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The list; as CSV, its codes (RFC 4180, UTF-8).",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@cache
def index() -> CodeListIndex:
    """Return what lists there are."""
    return CodeListIndex(
        schema_version=SCHEMA_VERSION, attribution=attribution(), items=[_ref(name) for name in list_names()]
    )


def _ref(name: str) -> CodeListRef:
    found = code_list(name)
    return CodeListRef(
        name=name,
        title_id=found.title_id,
        title_en=found.title_en,
        codes=len(found.codes),
        digest=hashlib.sha256(as_json(name)).hexdigest(),
        href=f"{router.prefix}/{name}",
    )


@cache
def _index_as_json() -> bytes:
    return index().model_dump_json().encode()


def prefers_csv(accept: str) -> bool:
    """Whether a caller who sent this `Accept` would rather have CSV than JSON (RFC 9110 §12.5.1); JSON where it is open."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for given in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in given.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if media_type in weights:
            weights[media_type] = float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0
    return weights["text/csv"] > weights["application/json"]


@router.get("", response_model=CodeListIndex)
async def list_code_lists(request: Request) -> Response:
    """List the code lists.

    Needs no token: codes are what everyone has to agree on before they exchange anything. Ask again with `If-None-Match`; the
    lists change with a release only.
    """
    refuse_bad_request(request)
    return cacheable(request, _index_as_json())


@router.get("/{name}", response_model=PublishedCodeList, responses={**_AS_CSV, **answers(NotFound)})
async def read_code_list(request: Request, name: ListName, format: Format = None) -> Response:
    """Read a code list.

    Each code has labels and definitions in Indonesian and English, its status, and what it is in other standards. As JSON, or as
    CSV with `Accept: text/csv` or `?format=csv`. Needs no token.
    """
    refuse_bad_request(request)
    if name not in list_names():
        raise NotFound
    vary = {"Vary": "Accept"}
    if format == "csv" or (format is None and prefers_csv(request.headers.get("accept", ""))):
        named = {"Content-Disposition": f'attachment; filename="rujukan-{name}.csv"'}
        return cacheable(request, as_csv(name), media_type=CSV, headers=vary | named)
    return cacheable(request, as_json(name), headers=vary)

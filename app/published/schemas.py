"""`/v1/schemas`: the record's JSON Schema, for anyone."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.foundation.http import StrictRoute, refuse_bad_request
from app.foundation.problems import NotFound, answers
from app.foundation.published import cacheable
from schemas import SCHEMA_VERSION
from schemas.documents.json_schema import ADDRESS, DOCUMENTS, HTCDS, written
from schemas.exchange.schema_index import SchemaIndex, SchemaRef

router = APIRouter(prefix=ADDRESS, tags=["schemas"], route_class=StrictRoute)
MEDIA_TYPE: Final = "application/schema+json"

FileName = Annotated[str, Path(description="The name of a schema, as the index has it.", max_length=64)]
_A_SCHEMA: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The schema, JSON Schema 2020-12.", "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
}


@cache
def _index() -> bytes:
    return (
        SchemaIndex(schema_version=SCHEMA_VERSION, attribution=HTCDS, items=tuple(_ref(name) for name in DOCUMENTS))
        .model_dump_json()
        .encode()
    )


def _ref(name: str) -> SchemaRef:
    document = DOCUMENTS[name]()
    return SchemaRef(
        name=name,
        title=document["title"],
        describes=document["description"].split("\n\n")[0],
        digest=hashlib.sha256(_file(name)).hexdigest(),
        href=document["$id"],
    )


@cache
def _file(name: str) -> bytes:
    return written(name).encode()


@router.get("", response_model=SchemaIndex)
async def list_schemas(request: Request) -> Response:
    """List the JSON Schemas.

    Needs no token. Ask again with `If-None-Match`; they change with a release only.
    """
    refuse_bad_request(request)
    return cacheable(request, _index())


@router.get("/{name}", response_class=Response, responses={**_A_SCHEMA, **answers(NotFound)})
async def read_schema(request: Request, name: FileName) -> Response:
    """Read a JSON Schema: what a record may say, or what a preview is made of.

    The record's is closed, for checking before sending; the preview's is open, since codes and members may be added. Rules
    that JSON Schema cannot say stand in `x-rules`, each with the code of its error. Needs no token.
    """
    refuse_bad_request(request)
    if name not in DOCUMENTS:
        raise NotFound
    return cacheable(request, _file(name), media_type=MEDIA_TYPE)

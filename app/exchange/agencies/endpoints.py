"""/v1/agencies and /v1/me."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from app.dependencies import Acting, ActorRequired, CallerConnection, CaseConnection, MayNotActFor
from app.exchange.agencies import service
from app.exchange.agencies.problems import NotOwnAgency
from app.exchange.passing.http import Cursor, json_response
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import (
    InvalidRequest,
    MalformedBody,
    NotFound,
    ServiceUnavailable,
    UnsupportedMediaType,
    answers,
)
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.codes.agencies import AgencyKind
from schemas.exchange import directory as wire
from schemas.exchange.common import Limit
from schemas.text import AgencyCode, RegionCode

router = APIRouter(prefix="/v1", tags=["directory"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.directory_read)]
CanWrite = Annotated[Caller, requires(Scope.directory_write)]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=200, description="The `ETag` you have.")]
Code = Annotated[AgencyCode, Path(description="The agency's code.")]


async def _unless_known(db: Acting, known: str | None) -> Response | None:
    if known is None or service.etag(db) not in {tag.strip() for tag in known.split(",")}:
        return None
    async with db.transaction():
        pass  # uses up the proof
    return Response(status_code=304, headers=_kept(db))


def _kept(db: Acting) -> dict[str, str]:
    return {"ETag": service.etag(db), "Cache-Control": "private, no-cache"}


@router.get(
    "/agencies",
    response_model=wire.AgencyPage,
    responses={
        **answers(InvalidRequest, InvalidCursor, MayNotActFor, ServiceUnavailable),
        304: {"description": "Unchanged."},
    },
)
async def list_agencies(
    caller: CanRead,
    db: CallerConnection,
    kind: Annotated[AgencyKind | None, Query(description="Only this kind.")] = None,
    region: Annotated[RegionCode | None, Query(description="Only in this region, by Kemendagri code.")] = None,
    cursor: Cursor = None,
    limit: Annotated[Limit, Query(description="How many at most.")] = 100,
    known: IfNoneMatch = None,
) -> Response:
    """List the agencies that take part, by code: whom they accept, as far as it is known."""
    if (unchanged := await _unless_known(db, known)) is not None:
        return unchanged
    response = json_response(await service.list_agencies(db, kind=kind, region=region, cursor=cursor, limit=limit))
    response.headers.update(_kept(db))
    return response


@router.get(
    "/agencies/{code}",
    response_model=wire.Agency,
    responses={
        **answers(InvalidRequest, NotFound, MayNotActFor, ServiceUnavailable),
        304: {"description": "Unchanged."},
    },
)
async def read_agency(code: Code, caller: CanRead, db: CallerConnection, known: IfNoneMatch = None) -> Response:
    """Read one agency."""
    if (unchanged := await _unless_known(db, known)) is not None:
        return unchanged
    response = json_response(await service.read_agency(db, code))
    response.headers.update(_kept(db))
    return response


@router.get(
    "/agencies/{code}/service-points",
    response_model=wire.ServicePointPage,
    responses=answers(InvalidRequest, NotFound, MayNotActFor, ServiceUnavailable),
)
async def list_service_points(code: Code, caller: CanRead, db: CallerConnection) -> Response:
    """List where an agency gives services. Confidential places are listed to the agency itself alone."""
    return json_response(await service.list_service_points(db, code))


@router.get(
    "/agencies/{code}/duty-contacts",
    response_model=wire.DutyContacts,
    responses=answers(InvalidRequest, MayNotActFor, NotFound, ServiceUnavailable),
)
async def list_duty_contacts(code: Code, caller: CanRead, db: CallerConnection) -> Response:
    """List whom to call at an agency, by function, when something must not wait."""
    return json_response(await service.list_duty_contacts(db, code))


@router.put(
    "/agencies/{code}/duty-contacts",
    response_model=wire.DutyContacts,
    responses=answers(
        ActorRequired,
        MayNotActFor,
        MalformedBody,
        UnsupportedMediaType,
        InvalidRequest,
        NotFound,
        NotOwnAgency,
        ServiceUnavailable,
    ),
)
async def replace_duty_contacts(code: Code, body: wire.DutyContacts, caller: CanWrite, db: CaseConnection) -> Response:
    """Say whom to call at your own agency: the whole list, the first to be called first. Functions, never people's names."""
    return json_response(await service.replace_duty_contacts(db, code, body))


@router.get(
    "/agencies/{code}/encryption-keys",
    response_model=wire.EncryptionKeys,
    response_model_exclude_none=True,
    responses={
        **answers(InvalidRequest, MayNotActFor, NotFound, ServiceUnavailable),
        304: {"description": "Unchanged."},
    },
)
async def list_encryption_keys(
    code: Code, caller: Annotated[Caller, requires()], db: CallerConnection, known: IfNoneMatch = None
) -> Response:
    """List the public keys that sections for an agency can be sealed to now, as a JWK Set. Fetch it before sealing. Needs no scope."""
    response = json_response(await service.list_encryption_keys(db, code))
    tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    kept = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if known is not None and tag in {each.strip() for each in known.split(",")}:
        return Response(status_code=304, headers=kept)
    response.headers.update(kept)
    return response


@router.get("/me", response_model=wire.Me, responses=answers(MayNotActFor, ServiceUnavailable))
async def read_me(caller: Annotated[Caller, requires()], db: CallerConnection) -> Response:
    """Say who the caller is taken for: agency, scopes, the server's time, when the token and the key end. Needs no scope."""
    return json_response(await service.me(db))

"""/v1/me/keys and /v1/me/encryption-keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.dependencies import CallerConnection, IdempotencyKey, IdempotencyKeyRequired, MayNotActFor
from app.exchange.own_client import sealing_keys, service
from app.exchange.own_client.problems import KeyKnown, KeysElsewhere, KeyUnusable, LastKey, TooManyKeys
from app.exchange.passing.http import json_response
from app.exchange.passing.problems import IdempotencyKeyReused, RequestInProgress
from app.foundation.http import StrictRoute
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
from schemas.exchange import own_client as wire

router = APIRouter(prefix="/v1/me/keys", tags=["directory"], route_class=StrictRoute)
encryption_router = APIRouter(prefix="/v1/me/encryption-keys", tags=["directory"], route_class=StrictRoute)
CanWrite = Annotated[Caller, requires(Scope.keys_write)]
KeyId = Annotated[UUID, Path(description="The key's id, from the list.")]
_POSTED = (
    MayNotActFor,
    InvalidRequest,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    RequestInProgress,
    ServiceUnavailable,
)


@router.get("", response_model=wire.OwnKeys, responses=answers(MayNotActFor, ServiceUnavailable))
async def list_own_keys(caller: Annotated[Caller, requires()], db: CallerConnection) -> Response:
    """List the client's own keys: from when to when each works, and who added it. Needs no scope."""
    return json_response(await service.list_keys(db))


@router.post(
    "",
    status_code=201,
    response_model=wire.OwnKey,
    responses=answers(*_POSTED, MalformedBody, UnsupportedMediaType, KeyUnusable, KeyKnown, TooManyKeys, KeysElsewhere),
)
async def add_own_key(body: wire.NewKey, caller: CanWrite, db: CallerConnection, key: IdempotencyKey) -> Response:
    """Add a public key. It works in one hour; every agency of the client is told at once (`client.key_added`), so that a thief is seen."""
    made = json_response(await service.add_key(db, body, key))
    made.status_code = 201
    return made


@router.post("/{key_id}/end", response_model=wire.OwnKey, responses=answers(*_POSTED, NotFound, LastKey))
async def end_own_key(key_id: KeyId, caller: CanWrite, db: CallerConnection, key: IdempotencyKey) -> Response:
    """End a key at once, with every token that was asked for with it. Never the last that works."""
    return json_response(await service.end_key(db, key_id, key))


@encryption_router.get("", response_model=wire.OwnEncryptionKeys, responses=answers(MayNotActFor, ServiceUnavailable))
async def list_own_encryption_keys(caller: Annotated[Caller, requires()], db: CallerConnection) -> Response:
    """List the agency's own encryption keys: from when to when sections can be sealed to each, and who added it. Needs no scope."""
    return json_response(await sealing_keys.list_keys(db))


@encryption_router.post(
    "",
    status_code=201,
    response_model=wire.OwnEncryptionKey,
    responses=answers(*_POSTED, MalformedBody, UnsupportedMediaType, NotFound, KeyUnusable, KeyKnown, TooManyKeys),
)
async def add_own_encryption_key(
    body: wire.NewKey, caller: CanWrite, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Publish a public key that others seal sections to (P-256 or X25519, `ECDH-ES+A256KW`).

    It counts in one hour; the agency is told at once (`agency.encryption_key_added`), so that a thief is seen. Keys overlap: end the earlier
    one when nobody seals to it any more, and keep its private half as long as what was sealed to it may be read.
    """
    made = json_response(await sealing_keys.add_key(db, body, key))
    made.status_code = 201
    return made


@encryption_router.post(
    "/{key_id}/end",
    response_model=wire.SealedToKey,
    responses=answers(*_POSTED, MalformedBody, UnsupportedMediaType, NotFound),
)
async def end_own_encryption_key(
    key_id: KeyId, body: wire.EndEncryptionKey, caller: CanWrite, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """End an encryption key at once, for good.

    The answer lists what is open and sealed to it alone, so that each sender can be asked.
    """
    return json_response(await sealing_keys.end_key(db, key_id, body, key))


@encryption_router.get(
    "/{key_id}/sealed",
    response_model=wire.SealedToKey,
    responses=answers(InvalidRequest, MayNotActFor, NotFound, ServiceUnavailable),
)
async def list_sealed_to_own_key(
    key_id: KeyId, caller: Annotated[Caller, requires(Scope.referrals_read)], db: CallerConnection
) -> Response:
    """List what is open with sections sealed to this key alone.

    The referrals and transfers that have come to the agency.
    """
    return json_response(await sealing_keys.sealed_only_to(db, key_id))

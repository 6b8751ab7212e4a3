"""/v1/webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.delivery import subscriptions
from app.delivery.problems import KeyRotationRunning, TooManyWebhooks, WebhookOutOfService, WebhookUrlUnusable
from app.dependencies import (
    CallerConnection,
    IdempotencyKey,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    MayNotActFor,
    RequestInProgress,
)
from app.foundation import json
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
from app.outbox.problems import CursorTooOld
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import webhook as wire

router = APIRouter(prefix=subscriptions.PATH, tags=["webhooks"], route_class=StrictRoute)
CanManage = Annotated[Caller, requires(Scope.webhooks_write, Scope.events_read)]
"""Whoever has events sent could read them too."""
WebhookId = Annotated[UUID, Path(description="The webhook's id.")]
MessageId = Annotated[UUID, Path(description="The message's id: the event's, and `webhook-id`.")]
DeliveryState = Annotated[
    Literal["waiting", "delivered", "failed", "dropped"] | None, Query(description="Only those in this state.")
]
Cursor = Annotated[str | None, Query(max_length=400, description="Taken from `next`.")]
PageLimit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
_ALWAYS = (MayNotActFor, InvalidRequest, ServiceUnavailable)
_POSTED = (*_ALWAYS, IdempotencyKeyRequired, IdempotencyKeyReused, RequestInProgress)
_WITH_BODY = (MalformedBody, UnsupportedMediaType)


def _answer(document: dict[str, Any], status: int = 200) -> Response:
    """Write what is the owner's alone: nobody on the way keeps it."""
    return Response(json.dumps(document), status, {"Cache-Control": "no-store"}, "application/json")


@router.get("", response_model=wire.WebhookList, responses=answers(MayNotActFor, ServiceUnavailable))
async def list_webhooks(caller: CanManage, db: CallerConnection) -> Response:
    """List the client's own webhooks for its agency: how each stands, since when it fails, how many messages wait."""
    return _answer(await subscriptions.list_webhooks(db))


@router.post(
    "",
    status_code=201,
    response_model=wire.Webhook,
    responses=answers(*_POSTED, *_WITH_BODY, WebhookUrlUnusable, TooManyWebhooks, CursorTooOld),
)
async def add_webhook(body: wire.NewWebhook, caller: CanManage, db: CallerConnection, key: IdempotencyKey) -> Response:
    """Have your agency's events sent to an address, from now on. The answer has the public key that verifies them.

    Your agency is told (`webhook.added`), so that a thief is seen.
    """
    made = await subscriptions.add_webhook(db, body, key)
    answer = _answer(made, 201)
    answer.headers["Location"] = f"{subscriptions.PATH}/{made['id']}"
    return answer


@router.get("/{webhook_id}", response_model=wire.Webhook, responses=answers(*_ALWAYS, NotFound))
async def read_webhook(webhook_id: WebhookId, caller: CanManage, db: CallerConnection) -> Response:
    """Read one of the client's own webhooks."""
    return _answer(await subscriptions.read_webhook(db, webhook_id))


@router.patch(
    "/{webhook_id}",
    response_model=wire.Webhook,
    responses=answers(*_ALWAYS, *_WITH_BODY, NotFound, WebhookUrlUnusable),
)
async def change_webhook(
    webhook_id: WebhookId, body: wire.WebhookChange, caller: CanManage, db: CallerConnection
) -> Response:
    """Change its address, types or description; what is left out stays. There is no version to name: the last one who changes it is right.

    Your agency is told of another address or other types (`webhook.changed`).
    """
    return _answer(await subscriptions.change_webhook(db, webhook_id, body))


@router.delete("/{webhook_id}", status_code=204, responses=answers(*_ALWAYS, NotFound))
async def remove_webhook(webhook_id: WebhookId, caller: CanManage, db: CallerConnection) -> Response:
    """Remove it with its keys, what waited for it, and what is known of its attempts. Every event stays in the feed."""
    await subscriptions.remove_webhook(db, webhook_id)
    return Response(status_code=204)


@router.post("/{webhook_id}/enable", response_model=wire.Webhook, responses=answers(*_POSTED, NotFound))
async def enable_webhook(
    webhook_id: WebhookId, caller: CanManage, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Put it into service again. What waited, what was given up since it began to fail, and what came meanwhile is sent, in order."""
    return _answer(await subscriptions.switch_webhook(db, webhook_id, key, on=True))


@router.post("/{webhook_id}/disable", response_model=wire.Webhook, responses=answers(*_POSTED, NotFound))
async def disable_webhook(
    webhook_id: WebhookId, caller: CanManage, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Take it out of service. It keeps its place in the feed."""
    return _answer(await subscriptions.switch_webhook(db, webhook_id, key, on=False))


@router.post(
    "/{webhook_id}/keys",
    status_code=201,
    response_model=wire.Webhook,
    responses=answers(*_POSTED, *_WITH_BODY, NotFound, KeyRotationRunning),
)
async def rotate_webhook_key(
    webhook_id: WebhookId, body: wire.NewWebhookKey, caller: CanManage, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Let a new key sign. Until the earlier one ends, a message has a signature by each. Your agency is told (`webhook.key_added`)."""
    return _answer(await subscriptions.rotate_key(db, webhook_id, body, key), 201)


@router.post(
    "/{webhook_id}/test",
    status_code=201,
    response_model=wire.Delivery,
    responses=answers(*_POSTED, NotFound, WebhookOutOfService),
)
async def test_webhook(webhook_id: WebhookId, caller: CanManage, db: CallerConnection, key: IdempotencyKey) -> Response:
    """Have a message of type `webhook.test` sent, signed and tried like any other. What came of it stands among the deliveries."""
    return _answer(await subscriptions.test_webhook(db, webhook_id, key), 201)


@router.get(
    "/{webhook_id}/deliveries", response_model=wire.DeliveryPage, responses=answers(*_ALWAYS, NotFound, InvalidCursor)
)
async def list_webhook_deliveries(
    webhook_id: WebhookId,
    caller: CanManage,
    db: CallerConnection,
    state: DeliveryState = None,
    cursor: Cursor = None,
    limit: PageLimit = 25,
) -> Response:
    """List what it was or is to be sent, the newest event first, with the attempts: status, latency, and the first bytes of each answer."""
    return _answer(await subscriptions.list_deliveries(db, webhook_id, state=state, cursor=cursor, limit=limit))


@router.post(
    "/{webhook_id}/deliveries/{message_id}/replay",
    response_model=wire.Delivery,
    responses=answers(*_POSTED, NotFound),
)
async def replay_webhook_delivery(
    webhook_id: WebhookId, message_id: MessageId, caller: CanManage, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Have a message sent again, whatever became of it, under the same `webhook-id`."""
    return _answer(await subscriptions.replay_delivery(db, webhook_id, message_id, key))


@router.post(
    "/{webhook_id}/replay",
    response_model=wire.Replayed,
    responses=answers(*_POSTED, *_WITH_BODY, NotFound, CursorTooOld),
)
async def replay_webhook(
    webhook_id: WebhookId, body: wire.Replay, caller: CanManage, db: CallerConnection, key: IdempotencyKey
) -> Response:
    """Have what was given up sent again, or all from a time or place in the feed on.

    As far back as the feed is kept: from further back it is refused, with the oldest that is kept. At most 10,000 at once; `more` says whether to
    ask again. Receivers know by `webhook-id` what they have.
    """
    return _answer(await subscriptions.replay(db, webhook_id, body, key))

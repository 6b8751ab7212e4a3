"""Webhooks: where a client has its agency's events sent, and what became of them."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.base import WHOLE, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.exchange.event import EVENT_FAMILIES, EVENT_TYPES, Event

TEST: Final = "webhook.test"
"""The type of a test message. No feed has it, and it need not be subscribed to."""
OVERLAP_DEFAULT, OVERLAP_AT_MOST = 24 * 3600, 7 * 24 * 3600
_KNOWN: Final = EVENT_TYPES.keys() | EVENT_FAMILIES


def _known(value: str) -> str:
    if value not in _KNOWN:
        raise PydanticCustomError("event_type_unknown", "There is no such type of event")
    return value


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


_LEFT_OUT: Any = Field(default=None, json_schema_extra=_without_default)
"""A member of a change that may be left out but is never null."""

Url = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
"""An https address on the public Internet. Only its owner ever reads it whole."""
Description = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u2029\u202a-\u202e\u2066-\u2069]*$"),
]
"""What it is for, in your own words; never anything of a person."""
EventTypes = Annotated[
    list[
        Annotated[
            str,
            StringConstraints(max_length=64, pattern=r"^[a-z_]+\.(?:[a-z_]+|\*)$"),
            AfterValidator(_known),
        ]
    ],
    Field(max_length=200),
    AfterValidator(lambda names: list(dict.fromkeys(names))),
]
"""Types of events: named whole, or by their first part as `referral.*`. None: every type, also those that are added later."""
Position = Annotated[int, Field(strict=True, ge=0, le=9_223_372_036_854_775_806), WHOLE]
"""A place in the agency's feed."""
State = Literal["active", "disabled", "paused", "gone"]


class NewWebhook(RequestBody):
    """A webhook to be added."""

    url: Url
    types: EventTypes = Field(default_factory=list)
    description: Description = ""
    after_position: Position | None = None
    """Events after this place in the feed are sent; left out: those that come from now on. To change over from the feed, the position of the last
    event that was read there. Refused where the feed does not keep all that comes after it any more."""


class WebhookChange(RequestBody):
    """What to change; what is left out stays as it is."""

    url: Url = _LEFT_OUT
    types: EventTypes = _LEFT_OUT
    """The whole list that is wanted. Other types count from the next event on."""
    description: Description = _LEFT_OUT


class NewWebhookKey(RequestBody):
    """How long the earlier key still signs beside the new one."""

    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=OVERLAP_AT_MOST), WHOLE] = OVERLAP_DEFAULT
    """A day if not said; 0 ends it at once."""


class Replay(RequestBody):
    """What is to be sent again: exactly one of these."""

    failed: Literal[True] = _LEFT_OUT
    """All that were given up."""
    since: Moment = _LEFT_OUT
    """All the webhook wants of what was recorded from then on, also from before the webhook was there. Refused where the feed does not keep
    all of it any more."""
    after_position: Position = _LEFT_OUT
    """The same, of what comes after a place in the feed."""


class WebhookKey(Wire):
    """A key that messages are signed with."""

    id: UUID
    public_key: str
    """`whpk_` and the base64 of the 32 bytes of an Ed25519 public key, as Standard Webhooks writes it."""
    created_at: Moment
    ends_at: Moment | None
    """Signs until then; None: until another takes over."""


class Webhook(Wire):
    """A webhook, as its own client reads it."""

    id: UUID
    url: str
    description: str
    types: list[str]
    """Empty: every type."""
    state: State
    """`active`; `disabled` by its client, by an administrator or when the client was stopped; `paused` by the exchange after days of failure;
    `gone`: its address answered 410."""
    state_at: Moment
    keys: list[WebhookKey]
    """Those that sign now, the newest first: a message has a signature by each."""
    position: int
    """Events of the feed up to here are sent, or wait to be."""
    behind: int
    """How many events of the feed come after that, whatever their types: more than a few only while it is out of service."""
    lost: int
    """How many events after `position` the feed does not keep any more, since it was out of service for too long: they are never sent. More than
    none: read the lists before it is enabled, as where a place in the feed is lost (`cursor-too-old`)."""
    waiting: int
    """How many messages wait to be sent, or sent again."""
    oldest_waiting_at: Moment | None
    """When the event of the oldest of them was recorded."""
    failed: int
    """How many were given up; they can be replayed."""
    failing_since: Moment | None
    """The first failure since the last success."""
    last_success_at: Moment | None
    created_at: Moment
    changed_at: Moment
    """When its client last changed address, types or state."""


class WebhookList(Wire):
    """The client's own webhooks, oldest first."""

    items: list[Webhook]


class Attempt(Wire):
    """One try to send a message."""

    at: Moment
    number: int
    """Since the message was made or last replayed."""
    status: int | None
    """The status that was answered; None: there was no answer."""
    fault: str | None
    """Why there was none."""
    says: str | None
    """The same in words."""
    milliseconds: int
    answer: str | None
    """The first bytes of the answer's body, as text; whatever cannot be shown is U+FFFD."""


class Delivery(Wire):
    """One event for one webhook."""

    message_id: UUID
    """The event's id, and `webhook-id` however often it is sent: by it, receivers know what they have."""
    type: str
    position: int | None
    """Its place in the feed; None of a test."""
    subject: str
    subject_id: UUID
    case_id: UUID | None
    time: Moment
    """When the event was recorded."""
    state: Literal["waiting", "delivered", "failed", "dropped"]
    """`failed`: given up after three days; `dropped`: out of service for longer than messages are kept."""
    due_at: Moment | None
    """When it is tried next, while it waits."""
    attempts: int
    """Since it was made or last replayed."""
    ended_at: Moment | None
    replayed_at: Moment | None
    tries: list[Attempt]
    """The newest fifteen, the newest first."""


class DeliveryPage(Wire):
    """Messages, the newest event first; tests before all others."""

    items: list[Delivery]
    next: str | None


class Replayed(Wire):
    """What is sent again."""

    replayed: int
    """How many messages."""
    last_position: int | None
    """The place in the feed of the last of them, where a time or place was named."""
    more: bool
    """Whether that was the most that is taken at once and more are left: ask again, with `after_position` as `last_position`, or with `failed`."""


class WebhookMessage(Wire):
    """The body of a message."""

    type: str
    """The event's type, or `webhook.test`."""
    timestamp: Moment
    """When the event was recorded."""
    data: Event
    """The event exactly as the feed has it; of a test, position 0 and the webhook as its subject."""

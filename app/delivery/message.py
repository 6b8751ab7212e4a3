"""What a receiver is sent: the event as the feed has it, in the envelope of Standard Webhooks. It names what changed and says nothing of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.foundation import json

TEST: Final = "webhook.test"
"""The type of a test event, which stands in no feed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one webhook."""

    id: UUID
    """What receivers know it by (`webhook-id`): the event's id, the same however often it is sent."""
    position: int | None
    """In the feed; None for a test event."""
    type: str
    subject: str
    subject_id: UUID
    case_id: UUID | None
    state: str
    time: datetime


def body(message: Message) -> bytes:
    """Return the body: `type`, `timestamp` of the event, and as `data` the feed's event. The same bytes however often it is sent."""
    data: dict[str, Any] = {
        "id": message.id,
        "position": message.position or 0,
        "type": message.type,
        "subject": message.subject,
        "subject_id": message.subject_id,
        "case_id": message.case_id,
        "state": message.state,
        "time": message.time,
    }
    return json.dumps({"type": message.type, "timestamp": message.time, "data": data})

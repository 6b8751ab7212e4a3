"""Where to and when: what an acceptance says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.dependencies import Acting
from app.exchange.passing.problems import ServicePointUnknown
from app.foundation.problems import Problem
from schemas.exchange.referral import Accept


def place(db: Acting, body: Accept) -> UUID | Problem | None:
    """Return the service point, if one is named; a problem if it is not the caller's, or confidential without a meeting point."""
    if body.service_point is None:
        return None
    point = db.directory.service_points.get(body.service_point)
    if point is None or point.agency_id != db.agency_id:
        return ServicePointUnknown("unknown")
    if point.confidential and body.meeting_point is None:
        return ServicePointUnknown("meeting_point_required")
    return point.id


def acceptance(body: Accept) -> dict[str, Any]:
    """Return what both parties may know of it."""
    return body.model_dump(
        mode="json", include={"ready_to_receive_from", "meeting_point", "contact"}, exclude_none=True
    )

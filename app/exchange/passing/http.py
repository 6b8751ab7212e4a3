"""HTTP of referrals and transfers: parameters and answers they share."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response

from app.dependencies import ActorRequired, IdempotencyKeyRequired, MayNotActFor, VersionRequired
from app.exchange.passing import problems
from app.foundation import json
from app.foundation.problems import InvalidRequest, MalformedBody, NotFound, ServiceUnavailable, UnsupportedMediaType
from schemas.base import Moment
from schemas.codes.referral import Urgency
from schemas.exchange.common import Limit, Moved

Role = Annotated[
    str, Query(pattern="^(sender|receiver)$", description="As whom: `receiver` (what came) or `sender` (what went).")
]
RoleOrLead = Annotated[
    str,
    Query(
        pattern="^(sender|receiver|lead)$",
        description="As whom: `receiver` (what came), `sender` (what went), or `lead` (all of one case, with `case_id`, also what others sent).",
    ),
]
States = Annotated[
    list[str] | None, Query(max_length=15, description="Only these states; repeat the parameter for several.")
]
Urgencies = Annotated[list[Urgency] | None, Query(max_length=3, description="Only these urgencies.")]
CaseFilter = Annotated[UUID | None, Query(alias="case_id", description="Only of this case.")]
UpdatedSince = Annotated[
    Moment | None, Query(description="Only what changed since; then the oldest change comes first.")
]
Cursor = Annotated[str | None, Query(max_length=400, description="Taken from `next`.")]
PageLimit = Annotated[Limit, Query(description="How many at most.")]

MoveId = Annotated[UUID, Path(description="The move's id, from the history.")]

ALWAYS = (ActorRequired, InvalidRequest, MayNotActFor, ServiceUnavailable)
POSTED = (
    MalformedBody,
    UnsupportedMediaType,
    IdempotencyKeyRequired,
    problems.IdempotencyKeyReused,
    problems.RequestInProgress,
)
MOVED = (*POSTED, NotFound, problems.MoveNotAllowed, problems.OutOfOrder, problems.StaleVersion, VersionRequired)
"""What every move may be answered with."""


def json_response(document: dict[str, Any], *, version: int | None = None) -> Response:
    """Write a document as JSON; its version is its `ETag`."""
    headers = {"ETag": f'"{version}"'} if version is not None else None
    return Response(json.dumps(document), media_type="application/json", headers=headers)


def created(response: Response, path: str, moved: Moved) -> Moved:
    """Answer 201 with the address of what was made."""
    response.status_code = 201
    response.headers["Location"] = f"{path}/{moved.id}"
    response.headers["ETag"] = f'"{moved.version}"'
    return moved

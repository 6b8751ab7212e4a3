"""`/admin/v1/clients/{client_id}/breach`: what a stolen client had, read and did; its moves disputed, its consents in doubt."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.admin.dependencies import Admin
from app.admin.problems import NotRight, NotThere
from app.admin.wire import ClientInPath
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, MalformedBody, UnsupportedMediaType, answers
from auth.admin import breach
from auth.admin.breach_notice import notice
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import NotSignedIn, RoleRequired
from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody

router = APIRouter(prefix="/v1/clients/{client_id}/breach", tags=["clients"], route_class=StrictRoute)
CanAsk = Annotated[Person, requires_role(Role.protection_officer, Role.auditor)]
CanDispute = Annotated[Person, requires_role(Role.protection_officer)]
_ACTED = (NotThere, NotRight, InvalidRequest, MalformedBody, UnsupportedMediaType, NotSignedIn, RoleRequired)


class Notices(Wire):
    """Drafts of the notice of UU 27/2022 art 46, as plain text with blanks for what only people know."""

    id: str
    """In Indonesian."""
    en: str
    """In English."""


class BreachReport(breach.Breach):
    """What a client had, read and did in a time: references, never content."""

    notice: Notices


class Dispute(RequestBody):
    """Which moves of a client may not have been its agency's."""

    since: Moment
    """Those recorded from then on."""
    until: Moment | None = None
    """Those before then; left out: all since."""
    moves: Annotated[tuple[UUID, ...], Field(max_length=10_000)] = ()
    """Only these; none named: all."""
    doubt_consents: bool = False
    """The consents it recorded since then count only when reconfirmed, too."""


class Doubt(RequestBody):
    """Which consents count only when reconfirmed."""

    since: Moment
    """Those recorded or reconfirmed from then on."""


class Doubted(Wire):
    """What is in doubt now that was not before."""

    consents: int
    cases: list[UUID]


@router.get(
    "", response_model=BreachReport, responses=answers(NotThere, NotRight, InvalidRequest, NotSignedIn, RoleRequired)
)
async def report_breach(
    response: Response,
    client_id: ClientInPath,
    who: CanAsk,
    admin: Admin,
    since: Annotated[Moment, Query(description="Since when its keys may have been another's.")],
    until: Annotated[Moment | None, Query(description="Until before then; left out: until now.")] = None,
    writes: Annotated[bool, Query(description="Also what it did besides reading.")] = False,
) -> dict[str, Any]:
    """Say what a stolen client read, could have read and did. With whose data it was, and what is still to be done; that you asked is logged."""
    response.headers["Cache-Control"] = "no-store"
    async with admin.transaction() as conn:
        found = await breach.report(
            conn, client_id, since=since, until=until, writes=writes, now=admin.now, actor=who.reference
        )
    return {**found.model_dump(), "notice": {"id": notice(found, "id"), "en": notice(found, "en")}}


@router.post("/dispute", response_model=breach.Disputed, responses=answers(*_ACTED))
async def dispute_moves_of_client(
    client_id: ClientInPath, body: Dispute, who: CanDispute, admin: Admin
) -> breach.Disputed:
    """Mark what a client moved since then as disputed. It stands, and both parties and the lead are told; nothing is undone or opened.

    The answer lists what is still open: have its parties confirm or undo it.
    """
    async with admin.transaction() as conn:
        return await breach.dispute(
            conn,
            client_id,
            since=body.since,
            until=body.until,
            moves=body.moves,
            doubt=body.doubt_consents,
            now=admin.now,
            actor=who.reference,
        )


@router.post("/doubt-consents", response_model=Doubted, responses=answers(*_ACTED))
async def doubt_consents_of_client(client_id: ClientInPath, body: Doubt, who: CanDispute, admin: Admin) -> Doubted:
    """Let the consents a client recorded since then count only when the person was asked again. What rests on them is locked at once."""
    async with admin.transaction() as conn:
        count, cases = await breach.doubt_consents(
            conn, client_id, since=body.since, now=admin.now, actor=who.reference
        )
    return Doubted(consents=count, cases=list(cases))

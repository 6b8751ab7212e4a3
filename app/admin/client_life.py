"""`/admin/v1/clients/{client_id}/…`: the kill switch, whom it leaves waiting, and a key in an emergency."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from app.admin.approvals import Approval, wire
from app.admin.dependencies import Admin
from app.admin.problems import MayNotApprove, NotPossible, NotRight, NotThere
from app.admin.webhooks import AdministeredWebhook
from app.admin.wire import ClientInPath, Jwk
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, MalformedBody, UnsupportedMediaType, answers
from auth.admin import kill_switch
from auth.admin.client_life import give_emergency_key
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired, NotSignedIn, PersonRequired, RoleRequired
from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody
from schemas.text import AgencyCode

router = APIRouter(prefix="/v1/clients/{client_id}", tags=["clients"], route_class=StrictRoute)
CanRead = Annotated[Person, requires_role()]
CanStop = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
CanLetIn = Annotated[Person, requires_role(Role.operator, person=True, confirmed=True)]
_ACTED = (
    NotThere,
    NotPossible,
    NotRight,
    InvalidRequest,
    MalformedBody,
    UnsupportedMediaType,
    NotSignedIn,
    RoleRequired,
)


class Stop(RequestBody):
    """Why a client is stopped, and since when its keys may have been another's."""

    reason: Annotated[str, Field(max_length=kill_switch.REASON_AT_MOST)]
    """In words, for the log; never a name."""
    compromised_since: Moment | None = None
    """Everything that was added for it or asked for by it since then is undone too."""


class Stranded(Wire):
    """A referral or transfer that waits on an agency none of whose clients works: never content."""

    kind: Literal["referral", "transfer"]
    id: UUID
    reference: str
    case_id: UUID
    state: str
    urgency: str
    respond_by: Moment
    deadline_at: Moment | None
    """When its present state is late; None while it pauses."""
    agency: str
    """Code of the agency that hears of nothing now. Call its duty contact."""
    agency_is: Literal["sender", "receiver"]
    other: str
    """Code of the other side, which can refer elsewhere."""
    turn: Literal["sender", "receiver"] | None
    """Who is to act next."""
    escalation: Literal["none", "open", "taken"]
    """Whether somebody is being asked to see to it, or sees to it."""


class StrandedPage(Wire):
    """What waits, the most urgent first."""

    items: list[Stranded]


class Stopped(Wire):
    """What was stopped, and what waits because of it."""

    client_id: str
    was: str
    """Its state before; `suspended` if it was stopped already."""
    keys: list[str]
    """The `kid` of each key that was ended."""
    registrations: list[str]
    """Clients that had registered themselves for its agencies since then, now shut out too."""
    tokens_ended: int
    """Initial access tokens of its agencies that were ended."""
    approvals_withdrawn: int
    webhooks: list[AdministeredWebhook]
    """Those it made, led elsewhere or put into service since then: out of service now."""
    stranded: list[Stranded]


class Escalated(Wire):
    """How many escalations were opened, or are asked about again at once."""

    escalated: int


class EmergencyKey(RequestBody):
    """A new key for a client that cannot wait."""

    jwk: Jwk
    """Its public JWK; with `x5c` if it authenticates by its certificate."""
    called_back: Annotated[str, Field(min_length=1, max_length=100)]
    """Role, or place in the list, of the registered duty contact who was called at the registered number."""
    agency: AgencyCode | None = None
    """Code of that contact's agency, if the client acts for several."""


class Emergency(Wire):
    """What an emergency key has changed."""

    kid: str
    ended: list[str]
    """The `kid` of each key that was ended: all there were."""
    until: Moment | None
    """When the client is out again unless another person says yes; None: nobody else is needed."""
    approval: Approval


@router.post("/suspend", response_model=Stopped, responses=answers(*_ACTED))
async def stop_client(client_id: ClientInPath, body: Stop, who: CanStop, admin: Admin) -> dict[str, Any]:
    """Stop a client: first this, then the questions. One person is enough. It is out within a second, everywhere.

    The answer lists the referrals and transfers that wait for an agency which has no other client.
    """
    async with admin.transaction() as conn:
        stopped = await kill_switch.stop(
            conn,
            client_id,
            reason=body.reason,
            compromised_since=body.compromised_since,
            now=admin.now,
            actor=who.reference,
        )
    async with admin.transaction() as conn:  # another: it is stopped, whatever becomes of the list
        waiting = await kill_switch.stranded(conn, client_id, now=admin.now)
    return {**asdict(stopped), "stranded": [asdict(each) for each in waiting]}


@router.get("/stranded", response_model=StrandedPage, responses=answers(NotThere, NotSignedIn, RoleRequired))
async def list_stranded(client_id: ClientInPath, who: CanRead, admin: Admin) -> dict[str, Any]:
    """List what waits on agencies that have no other client; of a client that works: what would, if it were stopped."""
    async with admin.transaction() as conn:
        return {"items": [asdict(each) for each in await kill_switch.stranded(conn, client_id, now=admin.now)]}


@router.post("/escalate-stranded", response_model=Escalated, responses=answers(*_ACTED))
async def escalate_stranded(client_id: ClientInPath, who: CanStop, admin: Admin) -> Escalated:
    """Escalate at once what waits on agencies that have no other client, so that nobody is lost.

    The other side of each is asked first, then its lead, then the ministry's desk.
    """
    async with admin.transaction() as conn:
        count = await kill_switch.escalate_stranded(conn, client_id, now=admin.now, actor=who.reference)
    return Escalated(escalated=count)


@router.post(
    "/emergency-key",
    response_model=Emergency,
    responses=answers(*_ACTED, MayNotApprove, PersonRequired, ConfirmationRequired),
)
async def add_emergency_key(client_id: ClientInPath, body: EmergencyKey, who: CanLetIn, admin: Admin) -> Emergency:
    """End all of a client's keys and let it in for a day with a new one and narrow scopes.

    Only after a call back to its duty contact. Another person's yes within the day gives it its whole scopes; without it, it is out again by itself.
    """
    async with admin.transaction() as conn:
        made = await give_emergency_key(
            conn,
            client_id,
            jwk=body.jwk,
            called_back=body.called_back,
            agency=body.agency,
            by=who,
            now=admin.now,
            two_people=admin.settings.needs_two_people,
        )
    return Emergency(kid=made.kid, ended=list(made.ended), until=made.until, approval=wire(made.approval))

"""`/admin/v1/webhooks`: where clients have events sent, to look at and to stop. Never an address beyond its host, nor anything that was sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query

from app.admin.dependencies import Admin
from app.admin.problems import NotThere
from app.admin.wire import ClientId, Cursor, Limit, after, next_page
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.admin import webhooks
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import NotSignedIn, RoleRequired
from schemas.base import Moment, Wire
from schemas.text import AgencyCode

router = APIRouter(prefix="/v1/webhooks", tags=["clients"], route_class=StrictRoute)
PATH = "/admin/v1/webhooks"
CanRead = Annotated[Person, requires_role()]
CanStop = Annotated[Person, requires_role(Role.operator, Role.protection_officer)]
State = Literal["active", "disabled", "paused", "gone"]


class AdministeredWebhook(Wire):
    """A webhook, as administrators see it."""

    id: UUID
    client_id: str
    agency: str
    """Code of the agency whose events are sent."""
    host: str
    """Of its address the host, with the port if one is named; the rest is its client's alone."""
    state: State
    state_at: Moment
    failing_since: Moment | None
    """The first failure since the last success."""
    created_at: Moment
    changed_at: Moment
    """When its client last changed address, types or state."""


class AdministeredWebhooks(Wire):
    """Webhooks, oldest first."""

    items: list[AdministeredWebhook]
    next: str | None


def wire(found: webhooks.ListedWebhook) -> AdministeredWebhook:
    """Return a webhook as it crosses the wire."""
    return AdministeredWebhook.model_validate(found, from_attributes=True)


@router.get(
    "",
    response_model=AdministeredWebhooks,
    responses=answers(InvalidRequest, InvalidCursor, NotSignedIn, RoleRequired),
)
async def list_webhooks(
    who: CanRead,
    admin: Admin,
    client: Annotated[ClientId | None, Query(description="Only this client's.")] = None,
    agency: Annotated[AgencyCode | None, Query(description="Only for this agency, by its code.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AdministeredWebhooks:
    """List webhooks: whose they are, to which host they lead, how they stand, since when they fail."""
    filters: dict[str, Any] = {"client": client, "agency": agency, "state": state}
    async with admin.transaction() as conn:
        found = await webhooks.page_of_webhooks(
            conn,
            client_id=client,
            agency=agency,
            state=state,
            after=after(admin, PATH, filters, cursor),
            limit=limit + 1,
        )
    return AdministeredWebhooks(
        items=[wire(each) for each in found[:limit]], next=next_page(admin, PATH, filters, found, limit, "id")
    )


@router.post(
    "/{webhook_id}/disable",
    response_model=AdministeredWebhook,
    responses=answers(NotThere, InvalidRequest, NotSignedIn, RoleRequired),
)
async def stop_webhook(
    webhook_id: Annotated[UUID, Path(description="The webhook's id.")], who: CanStop, admin: Admin
) -> AdministeredWebhook:
    """Take a webhook out of service. Its agency is told. Its client may put it into service again: one that may not is to be stopped itself."""
    async with admin.transaction() as conn:
        return wire(await webhooks.disable_webhook(conn, webhook_id, now=admin.now, actor=who.reference))

"""`/admin/v1/clients`: the systems that call the exchange, what they may do, and their keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints

from app.admin.approvals import Approval, wire
from app.admin.dependencies import Admin, Administering
from app.admin.problems import NotPossible, NotRight, NotThere
from app.admin.wire import (
    LEFT_OUT,
    ClientId,
    ClientInPath,
    Cursor,
    Jwk,
    Limit,
    Network,
    ScopeName,
    after,
    next_page,
)
from app.foundation.database import Connection
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, answers
from auth.admin import client_changes, client_life, clients
from auth.admin.client_changes import Wish
from auth.admin.clients import ListedClient
from auth.people.guard import requires_role
from auth.people.person import Person, Role
from auth.people.problems import ConfirmationRequired
from schemas.base import WHOLE, Flag, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.text import AgencyCode, Name

router = APIRouter(prefix="/v1/clients", tags=["clients"], route_class=StrictRoute)
PATH = "/admin/v1/clients"
CanRead = Annotated[Person, requires_role()]
CanRun = Annotated[Person, requires_role(Role.operator)]
CanChangeKeys = Annotated[Person, requires_role(Role.operator, confirmed=True)]
KeyId = Annotated[UUID, Path(description="The key's id.")]
Status = Literal["sandbox", "requested", "approved", "active", "suspended", "retired"]
Method = Literal["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
NameKind = Literal["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]
Scopes = Annotated[list[ScopeName], Field(min_length=1, max_length=40)]
Agencies = Annotated[list[AgencyCode], Field(min_length=1, max_length=1000)]
Networks = Annotated[list[Network], Field(max_length=client_life.NETWORKS_AT_MOST)]
Seconds = Annotated[int, Field(strict=True, ge=0, le=int(client_changes.OVERLAP_AT_MOST.total_seconds())), WHOLE]


class Key(Wire):
    """A client's public key, or certificate."""

    id: UUID
    kid: str
    starts_at: Moment
    ends_at: Moment | None
    added_at: Moment
    added_by: Literal["admin", "client", "jwks_uri"]


class KeyList(Wire):
    """A client's keys, also those that have ended, by when they start."""

    items: list[Key]


class CertifiedName(Wire):
    """The one name by which a client's certificate is known (RFC 8705 §2.1.2)."""

    kind: NameKind
    value: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Client(Wire):
    """A client."""

    client_id: str
    name: str
    status: Status
    status_before: Status | None
    """What a suspended client was before."""
    scopes: list[str]
    agencies: list[str]
    """The codes of the agencies it acts for."""
    auth_method: Method
    certificate_bound: bool
    """Whether its access tokens are bound to its certificate instead of a DPoP key."""
    tls_name: CertifiedName | None
    jwks_uri: str | None
    networks: list[str]
    """The only networks it may call from; none: any."""
    keys: list[Key]
    created_at: Moment
    last_used_at: Moment | None
    """When it last got a token, to the hour."""
    last_used_from: str | None
    emergency_until: Moment | None
    """After an emergency rotation: it has few scopes, and is shut out from then on."""


class ClientInFull(Client):
    """A client, with how it fares."""

    refused: dict[str, int]
    """How often it was refused in the last 24 hours, by reason."""


class ClientPage(Wire):
    """Clients by id."""

    items: list[Client]
    next: str | None


class JwkSet(Wire):
    """A JWK Set (RFC 7517 §5) of public keys."""

    keys: Annotated[list[Jwk], Field(min_length=1, max_length=10)]


class NewClient(RequestBody):
    """A client to be registered: with its public keys, with its certificates (`x5c` in each key), or with the name an authority certifies."""

    client_id: ClientId
    name: Name
    agencies: Agencies
    scopes: Scopes
    auth_method: Method = "private_key_jwt"
    jwks: JwkSet | None = None
    jwks_uri: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https://[\x21-\x7e]+$")] | None = None
    """Where it publishes its keys."""
    tls_name: CertifiedName | None = None
    certificate_bound: Flag | None = None
    """Unset: as it authenticates."""
    networks: Networks = Field(default_factory=list)


class Asked(Wire):
    """A client, and what of it waits for people's yes."""

    client: Client
    approval: Approval | None


class ClientChange(RequestBody):
    """What to change; what is left out stays as it is. Each list is the whole list that is wanted."""

    name: Name = LEFT_OUT
    scopes: Scopes = LEFT_OUT
    agencies: Agencies = LEFT_OUT
    networks: Networks = LEFT_OUT
    """The only networks it may call from; an empty list: any."""


class NewKey(RequestBody):
    """A public key to be added."""

    jwk: Jwk
    starts_at: Moment | None = None
    """From when it counts; unset, or past by then: as soon as it is approved."""
    overlap_seconds: Seconds | None = None
    """How much longer the present keys count from then on; unset: as long as they did."""


def _wire(found: ListedClient) -> Client:
    return Client(
        client_id=found.client_id,
        name=found.name,
        status=found.status,
        status_before=found.status_before,
        scopes=list(found.scopes),
        agencies=list(found.agencies),
        auth_method=found.auth_method,
        certificate_bound=found.certificate_bound,
        tls_name=None if found.tls_name is None else CertifiedName(kind=found.tls_name_kind, value=found.tls_name),
        jwks_uri=found.jwks_uri,
        networks=list(found.networks),
        keys=_keys(found),
        created_at=found.created_at,
        last_used_at=found.last_used_at,
        last_used_from=found.last_used_from,
        emergency_until=found.emergency_until,
    )


def _keys(found: ListedClient) -> list[Key]:
    return [Key.model_validate(key, from_attributes=True) for key in found.keys]


async def _read(conn: Connection, client_id: str) -> Client:
    return _wire(await client_changes.read_client(conn, client_id))


async def _move(client_id: str, move: str, who: Person, admin: Administering) -> Client:
    async with admin.transaction() as conn:
        await clients.change_client(conn, client_id, move, now=admin.now, actor=who.reference)
        return await _read(conn, client_id)


@router.get("", response_model=ClientPage, responses=answers(InvalidRequest, InvalidCursor))
async def list_clients(
    who: CanRead,
    admin: Admin,
    status: Annotated[Status | None, Query(description="Only those in this state.")] = None,
    agency: Annotated[AgencyCode | None, Query(description="Only those that act for this agency.")] = None,
    scope: Annotated[ScopeName | None, Query(description="Only those with this scope.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ClientPage:
    """List clients by id."""
    filters = {"status": status, "agency": agency, "scope": scope}
    start = after(admin, PATH, filters, cursor)
    async with admin.transaction() as conn:
        found = await client_changes.page_of_clients(conn, **filters, after=start or "", limit=limit + 1)
    return ClientPage(
        items=[_wire(each) for each in found[:limit]], next=next_page(admin, PATH, filters, found, limit, "client_id")
    )


@router.post("", status_code=202, response_model=Asked, responses=answers(NotThere, NotPossible, NotRight))
async def register_client(body: NewClient, who: CanRun, admin: Admin) -> Asked:
    """Register a client and ask that it be approved. Until then it may practise at practice agencies, and nothing else."""
    values = body.model_dump(exclude={"tls_name", "networks"})
    async with admin.transaction() as conn:
        approval = await client_life.register(
            conn,
            **values,
            tls_name=None if body.tls_name is None else (body.tls_name.kind, body.tls_name.value),
            networks=client_life.read_networks(body.networks),
            by=who,
            now=admin.now,
            settings=admin.settings,
        )
        return Asked(client=await _read(conn, body.client_id), approval=None if approval is None else wire(approval))


@router.get("/{client_id}", response_model=ClientInFull, responses=answers(NotThere))
async def read_client(client_id: ClientInPath, who: CanRead, admin: Admin) -> ClientInFull:
    """Read one client: its keys, when and from where it was last used, how often it was refused."""
    async with admin.transaction() as conn:
        found = await _read(conn, client_id)
        refused = await client_changes.refused_lately(conn, client_id, now=admin.now)
    return ClientInFull(**{name: getattr(found, name) for name in Client.model_fields}, refused=refused)


@router.patch("/{client_id}", response_model=Asked, responses=answers(NotThere, NotPossible, NotRight))
async def change_client(client_id: ClientInPath, body: ClientChange, who: CanRun, admin: Admin) -> Asked:
    """Change a client's name, scopes, agencies or networks. What takes something away is done at once; what gives more is asked for."""
    networks = None if body.networks is None else client_life.read_networks(body.networks)
    wish = Wish(name=body.name, scopes=body.scopes, agencies=body.agencies, networks=networks)
    async with admin.transaction() as conn:
        approval = await client_life.change(
            conn, client_id, wish, by=who, now=admin.now, two_people=admin.settings.needs_two_people
        )
        return Asked(client=await _read(conn, client_id), approval=None if approval is None else wire(approval))


@router.post("/{client_id}/activate", response_model=Client, responses=answers(NotThere, NotPossible))
async def activate_client(client_id: ClientInPath, who: CanRun, admin: Admin) -> Client:
    """Let an approved client speak for its agencies from now on."""
    return await _move(client_id, "activate", who, admin)


@router.post("/{client_id}/retire", response_model=Client, responses=answers(NotThere, NotPossible))
async def retire_client(client_id: ClientInPath, who: CanRun, admin: Admin) -> Client:
    """End a client for good. Its id is never given again."""
    async with admin.transaction() as conn:
        await client_life.retire(conn, client_id, now=admin.now, actor=who.reference)
        return await _read(conn, client_id)


@router.post("/{client_id}/resume", status_code=202, response_model=Approval, responses=answers(NotThere, NotPossible))
async def resume_client(client_id: ClientInPath, who: CanRun, admin: Admin) -> Approval:
    """Ask that a suspended client be let in again, or one whose emergency has lapsed. Keys that have ended stay ended."""
    async with admin.transaction() as conn:
        return wire(
            await client_life.ask_to_resume(
                conn, client_id, by=who, now=admin.now, two_people=admin.settings.needs_two_people
            )
        )


@router.get("/{client_id}/keys", response_model=KeyList, responses=answers(NotThere))
async def list_client_keys(client_id: ClientInPath, who: CanRead, admin: Admin) -> KeyList:
    """List a client's keys, also those that have ended."""
    async with admin.transaction() as conn:
        return KeyList(items=_keys(await client_changes.read_client(conn, client_id)))


@router.post(
    "/{client_id}/keys",
    status_code=202,
    response_model=Approval,
    responses=answers(NotThere, NotPossible, NotRight, ConfirmationRequired),
)
async def add_client_key(client_id: ClientInPath, body: NewKey, who: CanChangeKeys, admin: Admin) -> Approval:
    """Ask that a client get another key, from when, and how long its present ones still count."""
    overlap = None if body.overlap_seconds is None else timedelta(seconds=body.overlap_seconds)
    async with admin.transaction() as conn:
        _, asked = await client_life.ask_for_key(
            conn,
            client_id,
            jwk=body.jwk,
            starts_at=body.starts_at,
            overlap=overlap,
            by=who,
            now=admin.now,
            two_people=admin.settings.needs_two_people,
        )
        return wire(asked)


@router.post(
    "/{client_id}/keys/{key_id}/end", response_model=KeyList, responses=answers(NotThere, ConfirmationRequired)
)
async def end_client_key(client_id: ClientInPath, key_id: KeyId, who: CanChangeKeys, admin: Admin) -> KeyList:
    """End a key now, and with it every token that was asked for with it."""
    async with admin.transaction() as conn:
        await client_changes.end_key(conn, client_id, key_id, now=admin.now, actor=who.reference)
        return KeyList(items=_keys(await client_changes.read_client(conn, client_id)))

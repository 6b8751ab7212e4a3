"""A client's life as people lead it: what one of them does at once, and what waits for another's yes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any, Final

from app.foundation.database import Connection
from app.foundation.outbound import OutboundError, check_url
from app.foundation.settings import Settings
from auth.admin import approvals, client_queries, queries, webhooks
from auth.admin.approvals import Approval
from auth.admin.client_changes import Network, Wish, end_key, narrow_client, read_client
from auth.admin.client_keys import one_key
from auth.admin.client_lifecycle import CLIENT
from auth.admin.clients import add_client, change_client
from auth.admin.errors import (
    ClientMoveError,
    InvalidValueError,
    MayNotApproveError,
    TakenError,
    UnknownKeyError,
    UnusableKeyError,
)
from auth.admin.found_client import find_client, log_client
from auth.people.person import Person, Role

EMERGENCY_FOR: Final = timedelta(hours=24)
"""How long a client works with an emergency key before a second person must have agreed."""
NETWORKS_AT_MOST: Final = 50


async def register(
    conn: Connection, *, sandbox: bool = False, by: Person, now: datetime, settings: Settings, **values: Any
) -> Approval | None:
    """Register a client (`values`: as of `add_client`) and ask for its approval; in the sandbox, only register it.

    Where one person is enough it is approved and works at once. Raises what `add_client` raises, and `UnusableKeyError` for a
    `jwks_uri` that must not be asked.
    """
    if values.get("jwks_uri") is not None:
        try:
            check_url(values["jwks_uri"], settings)
        except OutboundError as error:
            raise UnusableKeyError(f"that jwks_uri cannot be asked: {error}") from None
    async with conn.transaction():
        await add_client(conn, **values, status="sandbox" if sandbox else "requested", now=now, actor=by.reference)
        if sandbox:
            return None
        return await _ask_for_approval(conn, values["client_id"], by=by, now=now, two_people=settings.needs_two_people)


async def request(conn: Connection, client_id: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask for the approval of a client in the sandbox. Raises `UnknownClientError`, `ClientMoveError`."""
    async with conn.transaction():
        await change_client(conn, client_id, "request", now=now, actor=by.reference)
        return await _ask_for_approval(conn, client_id, by=by, now=now, two_people=two_people)


async def _ask_for_approval(
    conn: Connection, client_id: str, *, by: Person, now: datetime, two_people: bool
) -> Approval:
    client = await read_client(conn, client_id)
    shown = ("name", "agencies", "scopes", "auth_method", "tls_name", "jwks_uri", "networks")
    detail = {name: value for name in shown if (value := getattr(client, name)) is not None}
    detail["kids"] = [key.kid for key in client.keys]
    asked = await approvals.ask(conn, "client:approve", client_id, detail, by=by, now=now, two_people=two_people)
    if asked.done:
        await change_client(conn, client_id, "activate", now=now, actor=by.reference)
    return asked


async def ask_to_resume(conn: Connection, client_id: str, *, by: Person, now: datetime, two_people: bool) -> Approval:
    """Ask to let a suspended client in again, or one whose emergency has lapsed. Raises `UnknownClientError`, `ClientMoveError`, `TakenError`."""
    async with conn.transaction():
        row = await find_client(conn, client_id)
        if row["status"] in CLIENT["resume"].from_states:
            act = "client:resume"
        elif row["emergency_until"] is not None and row["status"] != "retired":
            act = "client:emergency"
        else:
            raise ClientMoveError(f"{client_id} is {row['status']}: {CLIENT['resume'].refusal}")
        return await approvals.ask(conn, act, client_id, by=by, now=now, two_people=two_people)


async def retire(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """End a client for good: its id is never given again. Raises `UnknownClientError`, `ClientMoveError`."""
    async with conn.transaction():
        # before the client's row, as whoever says yes; and again, for what was asked meanwhile
        await client_queries.withdraw_about(conn, client_id, now, "the client is retired")
        await change_client(conn, client_id, "retire", now=now, actor=actor)
        await queries.end_client_keys(conn, client_id=client_id, kid=None, but=None, ends_at=now)
        await client_queries.forget_registration(conn, [client_id])
        await webhooks.stop_changed_since(conn, client_id, datetime.min.replace(tzinfo=UTC), now)
        await client_queries.withdraw_about(conn, client_id, now, "the client is retired")


# what it may do, for whom, from where


async def change(
    conn: Connection, client_id: str, wish: Wish, *, by: Person, now: datetime, two_people: bool
) -> Approval | None:
    """Do at once what of a wish narrows, and ask for the rest; None: there is nothing to ask for.

    Raises `UnknownClientError`, `ClientMoveError`, `InvalidValueError`, `UnknownScopeError`, `UnknownAgencyError`, `TakenError`.
    """
    async with conn.transaction():
        more = await narrow_client(conn, client_id, wish, now=now, actor=by.reference)
        if not more:
            return None
        return await approvals.ask(conn, "client:widen", client_id, more, by=by, now=now, two_people=two_people)


def read_networks(networks: Iterable[str]) -> list[Network]:
    """Return networks (CIDR, RFC 4632) in order, without those that another holds. Raises `InvalidValueError`."""
    try:
        found = {ip_network(each) for each in networks}
    except ValueError:
        raise InvalidValueError(
            "a network is an address and the length of its prefix, such as 203.0.113.0/24 or 2001:db8::/48, with no bit set after it"
        ) from None
    if len(found) > NETWORKS_AT_MOST:
        raise InvalidValueError(f"a client calls from at most {NETWORKS_AT_MOST} networks")
    fours = collapse_addresses(each for each in found if isinstance(each, IPv4Network))
    sixes = collapse_addresses(each for each in found if isinstance(each, IPv6Network))
    return [*fours, *sixes]


# keys


async def ask_for_key(
    conn: Connection,
    client_id: str,
    *,
    jwk: Mapping[str, Any],
    starts_at: datetime | None = None,
    overlap: timedelta | None = None,
    ends_at: datetime | None = None,
    by: Person,
    now: datetime,
    two_people: bool,
) -> tuple[str, Approval]:
    """Ask for another key (`add_client_key`), whose overlap begins when it is approved; return its `kid` and how far that is.

    Raises `UnknownClientError`, `ClientMoveError`, `UnusableKeyError`, `TakenError`, `InvalidValueError`.
    """
    async with conn.transaction():
        kid, public = one_key((await find_client(conn, client_id))["auth_method"], jwk)
        detail = {
            "jwk": public,
            "starts_at": None if starts_at is None else starts_at.isoformat(),
            "overlap_seconds": None if overlap is None else int(overlap.total_seconds()),
            "ends_at": None if ends_at is None else ends_at.isoformat(),
        }
        return kid, await approvals.ask(
            conn, "client:add_key", client_id, detail, by=by, now=now, two_people=two_people
        )


async def end_key_of(conn: Connection, client_id: str, kid: str, *, now: datetime, actor: str) -> None:
    """End one key now, with every token that was asked for with it, and tell the agencies. Raises `UnknownClientError`, `UnknownKeyError`."""
    async with conn.transaction():
        await find_client(conn, client_id)
        ids = await client_queries.key_ids(conn, client_id, [kid])
        if not ids:
            raise UnknownKeyError(f"{client_id} has no such key that has not ended")
        await end_key(conn, client_id, ids[0], now=now, actor=actor)


@dataclass(frozen=True, slots=True)
class Emergency:
    """What an emergency key has changed."""

    kid: str
    ended: tuple[str, ...]
    called_back: str
    """Code of the agency and place of the contact that was called."""
    until: datetime | None
    """When the client is out again unless another person agrees; None: nobody else is needed."""
    approval: Approval


async def give_emergency_key(
    conn: Connection,
    client_id: str,
    *,
    jwk: Mapping[str, Any],
    called_back: str,
    agency: str | None = None,
    by: Person,
    now: datetime,
    two_people: bool,
) -> Emergency:
    """End all of a client's keys and let it in at once with a new one: with narrow scopes, for a day, by one operator.

    `called_back`: the role, or the place in the list, of the registered duty contact (of `agency`, if the client has several) who was
    called at the registered number and asked for it. A second person's yes gives the client its whole scopes; without it, it is out
    after `EMERGENCY_FOR` by itself. Another key in the same emergency does not prolong it, and after one that was refused, stopped or
    has lapsed it takes two people again: nobody goes on alone, day after day.

    Raises `UnknownClientError`, `ClientMoveError`, `InvalidValueError`, `UnusableKeyError`, `TakenError`, `MayNotApproveError`.
    """
    if Role.operator not in by.roles or (two_people and (by.admin_id is None or not by.confirmed(now))):
        raise MayNotApproveError(
            "an emergency key is given by an operator who has signed in within the last ten minutes"
        )
    async with conn.transaction():
        # before the client's row: whoever says yes locks the approval first, and neither shall wait for the other
        await client_queries.withdraw_about(conn, client_id, now, "a newer emergency key", act="client:emergency")
        row = await find_client(conn, client_id)
        if row["status"] == "retired":
            raise ClientMoveError(f"{client_id} is retired: register another")
        until = row["emergency_until"] or now + EMERGENCY_FOR
        if until <= now or (row["emergency_until"] is not None and row["status"] == "suspended"):
            raise ClientMoveError(
                f"the last emergency of {client_id} was refused, stopped or has lapsed: two people let it in first"
            )
        kid, public = one_key(row["auth_method"], jwk)
        contact = await _contact(conn, client_id, called_back, agency)
        ended = await queries.end_client_keys(conn, client_id=client_id, kid=None, but=None, ends_at=now)
        if not await queries.insert_client_key(conn, client_id=client_id, kid=kid, jwk=public, at=now):
            raise TakenError("the client has or had this key, or one of that kid: an emergency takes a new one")
        await client_queries.forget_jwks_uri(conn, client_id)
        await client_queries.forget_registration(conn, [client_id])
        await client_queries.set_emergency(conn, client_id, until)
        if row["status"] == "suspended":
            await queries.set_client_status(conn, client_id, row["status_before"], before=None, at=now)
        await log_client(
            conn,
            client_id,
            "client:emergency_key",
            now,
            by.reference,
            kid=kid,
            ended=ended,
            called_back=contact,
            was=row["status"],
        )
        await _tell_of_keys(conn, client_id, ended, "client.key_ended", "ended", now)
        await _tell_of_keys(conn, client_id, [kid], "client.key_added", "added", now)
        if row["status"] == "suspended":
            await queries.tell_agencies_of(
                conn,
                client_id,
                "client.resumed",
                subject="client",
                subject_id=row["id"],
                state=row["status_before"],
                at=now,
            )
        asked = await approvals.ask(
            conn,
            "client:emergency",
            client_id,
            {"kid": kid, "called_back": contact},
            by=by,
            now=now,
            two_people=two_people,
            waits_for=until - now,
        )
    return Emergency(kid, tuple(ended), contact, None if asked.done else until, asked)


async def _tell_of_keys(
    conn: Connection, client_id: str, kids: Sequence[str], type: str, state: str, now: datetime
) -> None:
    for id in await client_queries.key_ids(conn, client_id, kids):
        await queries.tell_agencies_of(conn, client_id, type, subject="client_key", subject_id=id, state=state, at=now)


async def _contact(conn: Connection, client_id: str, called_back: str, agency: str | None) -> str:
    known = [
        row for row in await client_queries.duty_contacts(conn, client_id) if agency is None or row["agency"] == agency
    ]
    if not known:
        raise InvalidValueError("no duty contact is registered there whom you could have called back")
    wanted = called_back.strip().casefold()
    found = [row for row in known if wanted in (row["role"].strip().casefold(), str(row["place"]))]
    if not found:
        raise InvalidValueError(
            "call back one of the registered duty contacts, and name them by role or place in the list"
        )
    if len(found) > 1:
        raise InvalidValueError(
            "several duty contacts are called that: name the agency too, or their place in its list"
        )
    return f"{found[0]['agency']} {found[0]['place']}"

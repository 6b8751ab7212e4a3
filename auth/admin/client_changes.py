"""What a client may do, changed: less at once, by one person; more when two people have said yes (`client:widen`, `client:add_key`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import change_queries as queries
from auth.admin.agencies import agency_id_of, check_name
from auth.admin.client_keys import end_client_key, one_key
from auth.admin.clients import ListedClient, known_scopes, listed
from auth.admin.errors import InvalidValueError, TakenError, UnknownClientError, UnknownKeyError, UnusableKeyError
from auth.admin.found_client import find_unretired_client, log_client
from auth.admin.queries import end_client_keys, insert_client_key, tell_agencies_of

Network = IPv4Network | IPv6Network
REFUSED_WITHIN: Final = timedelta(hours=24)
OVERLAP_AT_MOST: Final = timedelta(days=90)
STARTS_WITHIN: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client shall be registered for. None: as it is. Lists are whole lists; no network means any."""

    name: str | None = None
    scopes: Sequence[str] | None = None
    agencies: Sequence[str] | None = None
    networks: Sequence[Network] | None = None


async def page_of_clients(
    conn: Connection,
    *,
    status: str | None = None,
    agency: str | None = None,
    scope: str | None = None,
    after: str = "",
    limit: int,
) -> list[ListedClient]:
    """Return at most `limit` clients by id, from behind the id `after`."""
    return [
        listed(row)
        for row in await queries.clients(conn, status=status, agency=agency, scope=scope, after=after, limit=limit)
    ]


async def read_client(conn: Connection, client_id: str) -> ListedClient:
    """Return one client. Raises `UnknownClientError`."""
    row = await queries.client(conn, client_id)
    if row is None:
        raise UnknownClientError(f"there is no client {client_id}")
    return listed(row)


async def refused_lately(conn: Connection, client_id: str, *, now: datetime) -> dict[str, int]:
    """Return how often a client was refused within a day, by reason."""
    return await queries.refusals(conn, client_id, since=now - REFUSED_WITHIN)


async def narrow_client(
    conn: Connection, client_id: str, wish: Wish, *, now: datetime, actor: str
) -> dict[str, list[str]]:
    """Do of a wish what takes something from the client, or changes its name, and return the rest, as the detail of `client:widen`.

    Raises `UnknownClientError`, `ClientMoveError` (it is retired), `InvalidValueError`, `UnknownScopeError`, `UnknownAgencyError`.
    """
    async with conn.transaction():
        await find_unretired_client(conn, client_id)
        before = await read_client(conn, client_id)
        if wish == Wish():
            raise InvalidValueError("say what to change")
        changed: dict[str, Any] = {}
        more: dict[str, list[str]] = {}
        if wish.name is not None and wish.name != before.name:
            check_name(wish.name)
            await queries.set_client_name(conn, client_id, wish.name)
            changed["name"] = True
        if wish.scopes is not None:
            less, added = _difference(before.scopes, sorted(known_scopes(wish.scopes)), "scope")
            if less:
                await queries.set_client_scopes(conn, client_id, [each for each in before.scopes if each not in less])
                changed["scopes_removed"] = less
            if added:
                more["scopes"] = added
        if wish.agencies is not None:
            for code in wish.agencies:
                await agency_id_of(conn, code)
            less, added = _difference(before.agencies, list(dict.fromkeys(wish.agencies)), "agency")
            if less:
                await queries.remove_client_agencies(conn, client_id, less)
                changed["agencies_removed"] = less
            if added:
                more["agencies"] = added
        if wish.networks is not None:
            now_allowed = [ip_network(each) for each in before.networks]
            within = [each for each in wish.networks if not now_allowed or _inside(each, now_allowed)]
            if within and set(within) != set(now_allowed):
                await queries.set_client_networks(conn, client_id, within)
                changed["networks"] = [str(each) for each in within]
            if len(within) < len(wish.networks) or (now_allowed and not wish.networks):
                more["networks"] = [str(each) for each in wish.networks]
        if changed:
            await log_client(conn, client_id, "client:change", now, actor, **changed)
    return more


async def widen_client(
    conn: Connection, client_id: str, detail: Mapping[str, Sequence[str]], *, now: datetime, actor: str
) -> None:
    """Let a client do more: `scopes` and `agencies` are added, `networks` are all it may call from (none: any).

    Raises `UnknownClientError`, `ClientMoveError`, `UnknownScopeError`, `UnknownAgencyError`.
    """
    async with conn.transaction():
        await find_unretired_client(conn, client_id)
        before = await read_client(conn, client_id)
        if scopes := detail.get("scopes"):
            await queries.set_client_scopes(conn, client_id, sorted({*before.scopes, *known_scopes(scopes)}))
        if agencies := detail.get("agencies"):
            await queries.add_client_agencies(conn, client_id, [await agency_id_of(conn, code) for code in agencies])
        if (networks := detail.get("networks")) is not None:
            await queries.set_client_networks(conn, client_id, [ip_network(each) for each in networks])
        await log_client(conn, client_id, "client:widen", now, actor, **detail)


async def add_client_key(
    conn: Connection,
    client_id: str,
    *,
    jwk: Mapping[str, Any],
    starts_at: datetime | None = None,
    overlap: timedelta | None = None,
    ends_at: datetime | None = None,
    now: datetime,
    actor: str,
) -> str:
    """Add a key that counts from `starts_at` (unset or past: now) to `ends_at` (unset: as long as nobody ends it), and return its `kid`.

    The client's other keys count for `overlap` longer than that, or as long as they did if it is unset.
    Raises `UnknownClientError`, `ClientMoveError`, `UnusableKeyError`, `TakenError`, `InvalidValueError`.
    """
    if overlap is not None and not timedelta() <= overlap <= OVERLAP_AT_MOST:
        raise InvalidValueError(f"keys overlap for at most {OVERLAP_AT_MOST.days} days")
    if starts_at is not None and starts_at > now + STARTS_WITHIN:
        raise InvalidValueError("a key starts within a year")
    if ends_at is not None and ends_at <= max(starts_at or now, now):
        raise InvalidValueError("a key ends after it starts, and not in the past")
    async with conn.transaction():
        found = await find_unretired_client(conn, client_id)
        if found["jwks_uri"] is not None:
            raise UnusableKeyError("this client publishes its keys at its jwks_uri: it adds and ends them there itself")
        kid, public = one_key(found["auth_method"], jwk)
        start = max(starts_at or now, now)
        added = await insert_client_key(
            conn, client_id=client_id, kid=kid, jwk=public, at=now, starts_at=start, ends_at=ends_at
        )
        if added is None:
            raise TakenError("the client has or had this key, or one of that kid")
        ended: list[str] = []
        if overlap is not None:
            ended = await end_client_keys(conn, client_id=client_id, kid=None, but=kid, ends_at=start + overlap)
        await log_client(
            conn, client_id, "client:add_key", now, actor, kid=kid, starts_at=start.isoformat(), ended=ended
        )
        await tell_agencies_of(
            conn, client_id, "client.key_added", subject="client_key", subject_id=added, state="added", at=now
        )
    return kid


async def end_key(conn: Connection, client_id: str, key_id: UUID, *, now: datetime, actor: str) -> None:
    """End a key now, with every token that was asked for with it, and tell the client's agencies. Raises `UnknownKeyError`."""
    async with conn.transaction():
        kid = await queries.kid_of(conn, client_id, key_id)
        if kid is None:
            raise UnknownKeyError(f"{client_id} has no such key that has not ended")
        await end_client_key(conn, client_id, kid, now=now, actor=actor)
        await tell_agencies_of(
            conn, client_id, "client.key_ended", subject="client_key", subject_id=key_id, state="ended", at=now
        )


def _difference(before: Sequence[str], wanted: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Return what is taken away and what is added."""
    if not set(before) & set(wanted):
        raise InvalidValueError(
            f"at least one {what} stays until more are approved; a wholly other client is another one"
        )
    return [each for each in before if each not in wanted], [each for each in wanted if each not in before]


def _inside(network: Network, allowed: Sequence[Network]) -> bool:
    """Whether it is part of one of the networks."""
    return any(
        network.version == each.version and network.subnet_of(each)  # type: ignore[arg-type]
        for each in allowed
    )

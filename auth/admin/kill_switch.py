"""The kill switch: stops a client first, by one person, and explains then; and what to do about whom that leaves waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import client_queries, queries, sealing_keys, webhooks
from auth.admin.client_lifecycle import CLIENT
from auth.admin.clients import change_client
from auth.admin.errors import ClientMoveError, InvalidValueError
from auth.admin.found_client import find_client, log_client
from auth.admin.webhooks import ListedWebhook

REASON_AT_MOST: Final = 500
_CLOCKS_APART: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Stranded:
    """A referral or transfer that waits on an agency none of whose clients works: never content."""

    kind: str
    """`referral` or `transfer`."""
    id: UUID
    reference: str
    case_id: UUID
    state: str
    urgency: str
    respond_by: datetime
    deadline_at: datetime | None
    """When the present state is late; None while it pauses."""
    agency: str
    """Code of the agency that hears of nothing now."""
    agency_is: str
    """What it is to it: `sender` or `receiver`."""
    other: str
    """Code of the other side, which can re-route it."""
    turn: str | None
    """Who is to act next: `sender` or `receiver`."""
    escalation: str
    """`none`, `open` (somebody is being asked), or `taken` (somebody sees to it)."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was stopped."""

    client_id: str
    was: str
    """Its state before; `suspended` if it was stopped already."""
    keys: tuple[str, ...]
    """The `kid` of each key that was ended, its own and those that sections were sealed to."""
    registrations: tuple[str, ...]
    """Clients that registered themselves for its agencies since then, now shut out too."""
    tokens_ended: int
    """Initial access tokens of its agencies that were ended."""
    approvals_withdrawn: int
    webhooks: tuple[ListedWebhook, ...]
    """Those it made, led elsewhere or put into service since then: out of service now."""


async def stop(
    conn: Connection,
    client_id: str,
    *,
    reason: str,
    compromised_since: datetime | None = None,
    now: datetime,
    actor: str,
) -> Stopped:
    """Shut a client out within a second, everywhere; and undo what may not have been its own since `compromised_since`.

    That is: keys added since then end, also those that sections are sealed to;
    an address for keys which it has named since then is asked no more;
    webhooks it made or changed since then go out of service; registrations made for its
    agencies since then are shut out, and initial access tokens given since then end; what was asked for through it or about it since then
    is withdrawn. All in one transaction. A client that is shut out already stays so, and the rest is done; nobody's earlier yes to let it
    in again counts. Whom it leaves waiting is `stranded`, asked for after this is committed: nothing may hold up a stop.

    Raises `UnknownClientError`, `InvalidValueError`, `ClientMoveError` (it is retired).
    """
    check_reason(reason)
    if compromised_since is not None and compromised_since > now + _CLOCKS_APART:
        raise InvalidValueError("a key cannot have been stolen in the future")
    async with conn.transaction():
        # before the client's row too: whoever says yes locks the approval first, and neither shall wait for the other
        withdrawn = await _withdraw(conn, client_id, compromised_since, now)
        row = await find_client(conn, client_id)
        was: str = row["status"]
        if was == "retired":
            raise ClientMoveError(f"{client_id} is retired: it is shut out for good")
        if was != "suspended":
            await change_client(conn, client_id, "suspend", now=now, actor=actor)
        withdrawn += await _withdraw(conn, client_id, compromised_since, now)
        kids: list[str] = []
        registrations: list[str] = []
        tokens: list[UUID] = []
        led: list[ListedWebhook] = []
        if compromised_since is not None:
            for key in await client_queries.end_keys_added_since(conn, client_id, compromised_since, now):
                kids.append(key["kid"])
                await queries.tell_agencies_of(
                    conn,
                    client_id,
                    "client.key_ended",
                    subject="client_key",
                    subject_id=key["id"],
                    state="ended",
                    at=now,
                )
            kids += await sealing_keys.end_added_since(conn, client_id, compromised_since, now)
            led = await webhooks.stop_changed_since(conn, client_id, compromised_since, now)
            tokens = await client_queries.end_initial_access_tokens(conn, client_id, compromised_since, now)
            for other in await client_queries.registered_since(conn, client_id, compromised_since):
                if (await find_client(conn, other))["status"] in CLIENT["suspend"].from_states:
                    await change_client(conn, other, "suspend", now=now, actor=actor)
                    registrations.append(other)
            await client_queries.forget_registration(conn, [client_id, *registrations])
            await client_queries.forget_jwks_uri_named_since(conn, client_id, compromised_since)
        await log_client(
            conn,
            client_id,
            "client:stop",
            now,
            actor,
            was=was,
            reason=reason,
            compromised_since=None if compromised_since is None else compromised_since.isoformat(timespec="seconds"),
            ended=kids,
            registrations=registrations,
            tokens=[str(each) for each in tokens],
            webhooks=[str(each.id) for each in led],
            withdrawn=[str(each) for each in withdrawn],
        )
    return Stopped(client_id, was, tuple(kids), tuple(registrations), len(tokens), len(withdrawn), tuple(led))


async def _withdraw(conn: Connection, client_id: str, since: datetime | None, now: datetime) -> list[UUID]:
    # a yes to letting it in was given before whoever stops it now knew more
    for act in ("client:emergency", "client:resume"):
        await client_queries.withdraw_about(conn, client_id, now, "the client was stopped", act=act)
    if since is None:
        return []
    return await client_queries.withdraw_asked_since(conn, client_id, since, now, "its client was stolen")


async def stranded(conn: Connection, client_id: str, *, now: datetime) -> Sequence[Stranded]:
    """Return what waits on agencies that have no other client that works, the most urgent first. Raises `UnknownClientError`.

    Of a client that works: what would.
    """
    async with conn.transaction():
        await find_client(conn, client_id)
        return [Stranded(**dict(row)) for row in await client_queries.stranded(conn, client_id, now)]


async def escalate_stranded(conn: Connection, client_id: str, *, now: datetime, actor: str) -> int:
    """Have the other side of each asked now, so that it can re-route; the worker climbs on. Returns how many; what is taken stays so.

    Raises `UnknownClientError`, and `ClientMoveError` for a client that works.
    """
    async with conn.transaction():
        row = await find_client(conn, client_id)
        out = row["emergency_until"] is not None and row["emergency_until"] <= now
        if row["status"] not in ("suspended", "retired") and not out:
            raise ClientMoveError(f"{client_id} is {row['status']}: nothing is stranded by it")
        count = await client_queries.escalate_stranded(conn, client_id, now)
        await log_client(conn, client_id, "client:escalate_stranded", now, actor, escalated=count)
    return count


def check_reason(reason: str) -> None:
    """Raise `InvalidValueError` unless it is 1 to 500 printable characters."""
    if not reason.strip() or len(reason) > REASON_AT_MOST or not reason.isprintable():
        raise InvalidValueError(f"a reason is 1 to {REASON_AT_MOST} printable characters")

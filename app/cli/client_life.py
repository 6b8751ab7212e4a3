"""`clients`, the rest of their life: activated, bounded, stopped, let in again, retired; and whom a stop leaves waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from app.cli.administering import Administration, administer
from app.cli.approving import Waiting, show_waiting, waiting
from app.cli.clients import ClientId, app, name_of, parse_duration
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.cli.failures import Failure
from app.foundation.outbound import FAULTS as OUTBOUND_FAULTS
from app.foundation.settings import Settings
from auth.admin import client_life, client_queries, kill_switch
from auth.admin.client_changes import Wish, read_client, refused_lately
from auth.admin.clients import ListedClient, ListedKey, change_client
from auth.admin.kill_switch import Stopped, Stranded
from auth.admin.webhooks import ListedWebhook, page_of_webhooks
from auth.client_auth import mtls
from auth.jwks_uri import FAULTS as SET_FAULTS
from auth.scopes import AGENCY_SCOPES

__all__ = ["app"]

Reason = Annotated[str, typer.Option(help="Why, in words, for the log; never a name.")]


@dataclass(frozen=True)
class Shown:
    """A client with what happened to it lately."""

    client: ListedClient
    refused: dict[str, int]
    """How often it was refused within a day, by reason."""
    waits: tuple[dict[str, Any], ...]
    """What about it waits for approval."""
    webhooks: tuple[ListedWebhook, ...]


@app.command()
def show(client_id: ClientId, as_json: Json = False) -> None:
    """Show one client: its state, whom it acts for and from where, its keys and webhooks, when it was used last, what waits for approval."""
    settings = load_settings()
    found, now = asyncio.run(_show(settings, client_id))
    client = found.client
    if as_json:
        show_json(
            {
                **asdict(client),
                "refused": found.refused,
                "waits": list(found.waits),
                "webhooks": [asdict(each) for each in found.webhooks],
            }
        )
        return
    rows = [
        ("name", client.name),
        ("status", _status(client, now)),
        ("agencies", client.agencies),
        ("scopes", "all" if set(client.scopes) == AGENCY_SCOPES else client.scopes),
        ("calls from", client.networks or "any network"),
        ("authenticates by", client.auth_method),
        ("known by", name_of(client)),
        ("publishes its keys at", client.jwks_uri),
        ("keys fetched", client.keys_fetched_at),
        ("keys' fault", client.keys_fault and {**OUTBOUND_FAULTS, **SET_FAULTS}.get(client.keys_fault)),
        ("tokens bound to", "its certificate (RFC 8705)" if client.certificate_bound else "a DPoP key (RFC 9449)"),
        *(("certificate" if client.auth_method == mtls.SELF_SIGNED else "key", _key(key, now)) for key in client.keys),
        ("registered", client.created_at),
        ("last used", client.last_used_at),
        ("last used from", client.last_used_from),
        ("refused within a day", ", ".join(f"{reason}: {count}" for reason, count in found.refused.items()) or None),
        *(("webhook", _webhook(each)) for each in found.webhooks),
        *(("waits for approval", f"{each['id']} ({each['act']})") for each in found.waits),
    ]
    show_table((client.client_id, ""), [row for row in rows if row[1] is not None], empty="")
    if client.auth_method not in ("private_key_jwt", *mtls.methods(settings)):
        typer.echo(f"{client.auth_method} is switched off here: `rujukan doctor` says why.", err=True)


def _status(client: ListedClient, now: datetime) -> str:
    if client.status_before is not None:
        return f"{client.status}, was {client.status_before}"
    if client.emergency_until is None:
        return client.status
    until = f"{client.emergency_until:%Y-%m-%d %H:%M}Z"
    if client.emergency_until <= now:
        return f"{client.status}, but out since {until}: nobody has agreed to its emergency key"
    return f"{client.status}, in an emergency: narrow scopes, and out from {until} unless another person agrees"


def _webhook(webhook: ListedWebhook) -> str:
    failing = "" if webhook.failing_since is None else f", failing since {webhook.failing_since:%Y-%m-%d %H:%M}Z"
    return f"{webhook.id} to {webhook.host} for {webhook.agency}: {webhook.state}{failing}"


def _key(key: ListedKey, now: datetime) -> str:
    end = "" if key.ends_at is None else f" {'ended' if key.ends_at <= now else 'until'} {key.ends_at:%Y-%m-%d %H:%M}Z"
    by = {"admin": "", "client": ", added by itself", "jwks_uri": ", from its jwks_uri"}[key.added_by]
    return f"{key.kid} from {key.starts_at:%Y-%m-%d %H:%M}Z{end}{by}"


async def _show(settings: Settings, client_id: str) -> tuple[Shown, datetime]:
    async with administer(settings) as the:
        client = await read_client(the.conn, client_id)
        refused = await refused_lately(the.conn, client_id, now=the.now)
        waits = await client_queries.waiting_about(the.conn, client_id, the.now)
        led = await page_of_webhooks(the.conn, client_id=client_id)
        return Shown(client, refused, tuple(dict(row) for row in waits), tuple(led)), the.now


# let in


@app.command()
def request(client_id: ClientId, actor: Actor = None, as_json: Json = False) -> None:
    """Ask for the approval of a client in the sandbox."""
    settings = load_settings()
    waits, status = asyncio.run(_ask(settings, client_life.request, client_id, actor))
    _answer(client_id, status, waits, as_json=as_json, then=f"rujukan clients activate {client_id}")


@app.command()
def activate(client_id: ClientId, actor: Actor = None, as_json: Json = False) -> None:
    """Let an approved client work, on the agreed day."""
    status = asyncio.run(_move(load_settings(), client_id, "activate", actor))
    _answer(client_id, status, None, as_json=as_json)


@app.command()
def resume(client_id: ClientId, actor: Actor = None, as_json: Json = False) -> None:
    """Let a suspended client in again, or one whose emergency has lapsed. Keys that have ended stay ended."""
    settings = load_settings()
    waits, status = asyncio.run(_ask(settings, client_life.ask_to_resume, client_id, actor))
    _answer(client_id, status, waits, as_json=as_json)


async def _ask(settings: Settings, ask: Any, client_id: str, actor: str | None) -> tuple[Waiting | None, str]:
    async with administer(settings, actor, opens=True) as the:
        asked = await ask(the.conn, client_id, by=the.person, now=the.now, two_people=settings.needs_two_people)
        return waiting(asked, the.person), (await read_client(the.conn, client_id)).status


async def _move(settings: Settings, client_id: str, move: str, actor: str | None) -> str:
    async with administer(settings, actor) as the:
        return await change_client(the.conn, client_id, move, now=the.now, actor=the.person.reference)


def _answer(client_id: str, status: str, waits: Waiting | None, *, as_json: bool, then: str | None = None) -> None:
    if as_json:
        show_json({"client_id": client_id, "status": status, "waits": None if waits is None else waits.approval.id})
        return
    typer.echo(f"{client_id} is {status}.")
    show_waiting(waits, then=then)


@app.command()
def retire(client_id: ClientId, actor: Actor = None, as_json: Json = False) -> None:
    """End a client for good, with all its keys. Its id is never given again."""
    asyncio.run(_retire(load_settings(), client_id, actor))
    _answer(client_id, "retired", None, as_json=as_json)


async def _retire(settings: Settings, client_id: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await client_life.retire(the.conn, client_id, now=the.now, actor=the.person.reference)


# stopped


@app.command()
def suspend(
    client_id: ClientId,
    compromised_since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Since when its keys may be another's: a time with its zone (2026-03-01T02:10+07:00), or how long ago (6h). What was"
            " added or asked for since then is undone too.",
            show_default=False,
        ),
    ] = None,
    reason: Reason = "not said",
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Shut a client out, within a second: its tokens stop counting, it gets no new ones. Then say what waits because of it."""
    settings = load_settings()
    stopped = asyncio.run(_suspend(settings, client_id, compromised_since, reason, actor))
    if not as_json:
        _show_stopped(stopped)
    waiting, _ = asyncio.run(_stranded(settings, client_id, actor, escalate=False))
    if as_json:
        show_json({**asdict(stopped), "stranded": [asdict(each) for each in waiting]})
        return
    if waiting:
        typer.echo(f"{len(waiting)} referrals and transfers wait on an agency that has no other client:")
        _table(waiting)
        typer.echo("Call the agency (`rujukan agencies duty-contacts CODE`), and have the other side asked at once:")
        typer.echo(f"  rujukan clients stranded {client_id} --escalate")
    typer.echo(
        f"`rujukan clients resume {client_id}` lets it in again; with a new key, `rujukan clients rotate {client_id} --emergency`."
    )


def _show_stopped(stopped: Stopped) -> None:
    client_id = stopped.client_id
    again = " It was already; what follows was done now." if stopped.was == "suspended" else ""
    typer.echo(f"{client_id} is suspended: it is out within a second, everywhere.{again}")
    for what, which in (("keys ended", stopped.keys), ("registrations shut out", stopped.registrations)):
        if which:
            say(f"  {what}: {', '.join(which)}")
    for each in stopped.webhooks:
        say(
            f"  webhook {each.id} to {each.host} for {each.agency}, changed {each.changed_at:%Y-%m-%d %H:%M}Z: out of service"
        )
    if stopped.tokens_ended or stopped.approvals_withdrawn:
        typer.echo(
            f"  tokens for registering ended: {stopped.tokens_ended}; asked for and withdrawn: {stopped.approvals_withdrawn}"
        )


async def _suspend(settings: Settings, client_id: str, since: str | None, reason: str, actor: str | None) -> Stopped:
    async with administer(settings, actor) as the:
        return await kill_switch.stop(
            the.conn,
            client_id,
            reason=reason,
            compromised_since=None if since is None else read_time(since, the.now),
            now=the.now,
            actor=the.person.reference,
        )


def read_time(text: str, now: datetime) -> datetime:
    """Return what `2026-03-01T02:10+07:00`, `2026-02-28T19:10Z` or `6h` (ago) means."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except (Failure, OverflowError):
            raise Failure("a time is written 2026-03-01T02:10+07:00, or how long ago it was, such as 6h") from None
    if found.tzinfo is None:
        raise Failure("a time needs its zone", "Such as +07:00 for Jakarta, +09:00 for Jayapura, or Z.")
    return found.astimezone(UTC)


@app.command()
def stranded(
    client_id: ClientId,
    escalate: Annotated[
        bool,
        typer.Option("--escalate", help="Have the other side of each asked at once, then its lead, then the desk."),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """List what waits on agencies that have no other client; of a client that works: what would if it were stopped."""
    found, count = asyncio.run(_stranded(load_settings(), client_id, actor, escalate=escalate))
    if as_json:
        show_json({"escalated": count, "items": [asdict(each) for each in found]})
        return
    _table(found)
    if escalate:
        typer.echo(f"{count} escalated: the other side is asked now.")


async def _stranded(
    settings: Settings, client_id: str, actor: str | None, *, escalate: bool
) -> tuple[Sequence[Stranded], int | None]:
    async with administer(settings, actor) as the:
        count = None
        if escalate:
            count = await kill_switch.escalate_stranded(the.conn, client_id, now=the.now, actor=the.person.reference)
        return await kill_switch.stranded(the.conn, client_id, now=the.now), count


def _table(found: Sequence[Stranded]) -> None:
    show_table(
        ("reference", "urgency", "what", "state", "late at", "waits on", "as", "turn of", "other side", "escalation"),
        [
            (
                each.reference,
                each.urgency,
                each.kind,
                each.state,
                each.deadline_at or each.respond_by,
                each.agency,
                each.agency_is,
                each.turn,
                each.other,
                each.escalation,
            )
            for each in found
        ],
        empty="Nothing waits because of it.",
    )


@app.command("end-key")
def end_key(
    client_id: ClientId,
    kid: Annotated[str, typer.Argument(help="The key's kid.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """End one key now, with every token that was asked for with it."""
    asyncio.run(_end_key(load_settings(), client_id, kid, actor))
    if as_json:
        show_json({"client_id": client_id, "ended": kid})
    else:
        typer.echo("The key has ended, and with it every token that was asked for with it.")


async def _end_key(settings: Settings, client_id: str, kid: str, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await client_life.end_key_of(the.conn, client_id, kid, now=the.now, actor=the.person.reference)


# bounded


@app.command()
def networks(
    client_id: ClientId,
    cidr: Annotated[
        list[str] | None, typer.Argument(help="All the networks it may call from (CIDR).", show_default=False)
    ] = None,
    any_: Annotated[bool, typer.Option("--any", help="From any network.")] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Show, or replace, the networks a client may call from. Fewer count at once; more wait for another person's yes."""
    if any_ and cidr:
        raise Failure("--any goes with no network")
    wish = Wish(networks=client_life.read_networks(cidr or ())) if cidr or any_ else None
    _bound(client_id, "networks", wish, actor, as_json=as_json, empty="any network")


@app.command()
def scopes(
    client_id: ClientId,
    scope: Annotated[list[str] | None, typer.Argument(help="All it may do.", show_default=False)] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Show, or replace, what a client may do. Less counts at once; more waits for another person's yes."""
    wish = Wish(scopes=[part for each in scope for part in each.split()]) if scope else None
    _bound(client_id, "scopes", wish, actor, as_json=as_json)


@app.command()
def agencies(
    client_id: ClientId,
    code: Annotated[
        list[str] | None, typer.Argument(help="Codes of all agencies it acts for.", show_default=False)
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Show, or replace, whom a client acts for. Fewer count at once; more wait for another person's yes."""
    _bound(client_id, "agencies", Wish(agencies=code) if code else None, actor, as_json=as_json)


def _bound(
    client_id: str, limit: str, wish: Wish | None, actor: str | None, *, as_json: bool, empty: str = "none"
) -> None:
    now, waits = asyncio.run(_change(load_settings(), client_id, limit, wish, actor))
    if as_json:
        show_json({"client_id": client_id, limit: now, "waits": None if waits is None else waits.approval.id})
        return
    say(f"{client_id}, {limit} now: {', '.join(now) or empty}")
    show_waiting(waits)


async def _change(
    settings: Settings, client_id: str, limit: str, wish: Wish | None, actor: str | None
) -> tuple[list[str], Waiting | None]:
    async with administer(settings, actor, opens=wish is not None) as the:
        waits = None if wish is None else waiting(await _wish(settings, the, client_id, wish), the.person)
        return list(getattr(await read_client(the.conn, client_id), limit)), waits


async def _wish(settings: Settings, the: Administration, client_id: str, wish: Wish) -> Any:
    return await client_life.change(
        the.conn, client_id, wish, by=the.person, now=the.now, two_people=settings.needs_two_people
    )

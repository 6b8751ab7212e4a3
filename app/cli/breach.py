"""`breach`: what a stolen client had, read and did; its moves disputed, its consents in doubt. Stop it first: `clients suspend`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.client_life import read_time
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.foundation.settings import Settings
from auth.admin import breach
from auth.admin.breach import Breach, Disputed, Extent, MoveMade
from auth.admin.breach_notice import notice
from schemas.codes import label

app = typer.Typer(no_args_is_help=True, help="A client was stolen: what it had, read and did, and what to do about it.")

Client = Annotated[str, typer.Option("--client", help="Its client_id.")]
Since = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Since when its keys may be another's: a time with its zone (2026-03-01T02:10+07:00), or how long ago (6h).",
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Until before then. Unset: until now.", show_default=False)
]


@app.command()
def report(
    client: Client,
    since: Since,
    until: Until = None,
    writes: Annotated[bool, typer.Option("--writes", help="Also what it did besides reading.")] = False,
    notice_in: Annotated[
        Literal["id", "en"] | None,
        typer.Option("--notice", help="Print the draft of the notice (UU 27/2022 art 46) instead, to be filled in."),
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Say what a client did read, could have read and did, by person and class of data; and what is still to be done. Never content."""
    found = asyncio.run(_report(load_settings(), client, since, until, actor, writes=writes))
    if as_json:
        drafts = {"id": notice(found, "id"), "en": notice(found, "en")}
        show_json({**found.model_dump(mode="json"), "notice": drafts})
    elif notice_in is not None:
        say(notice(found, notice_in))
    else:
        _show(found)


async def _report(
    settings: Settings, client: str, since: str, until: str | None, actor: str | None, *, writes: bool
) -> Breach:
    async with administer(settings, actor) as the:
        return await breach.report(
            the.conn,
            client,
            since=read_time(since, the.now),
            until=None if until is None else read_time(until, the.now),
            writes=writes,
            now=the.now,
            actor=the.person.reference,
        )


def _show(found: Breach) -> None:
    say(
        f"{found.client_id} ({found.status}) of {', '.join(found.agencies) or 'no agency'}, from {found.since:%Y-%m-%d %H:%M}Z"
        f" until {found.until:%Y-%m-%d %H:%M}Z"
    )
    say(
        f"calls from {', '.join(found.networks) or 'any network'}; last token asked for from {found.last_used_from or 'an unknown address'}"
    )
    for each in found.tokens:
        say(f"key {each.kid}: {each.times} tokens, {each.first_at:%Y-%m-%d %H:%M}Z to {each.last_at:%Y-%m-%d %H:%M}Z")
    _show_extent("It did read of", found.did_read)
    show_table(
        ("case", "lead", "as", "act", "what", "sections", "times", "first", "last"),
        [
            (case.reference, case.lead, thing.agency, thing.how, thing.reference or thing.id,
             [*thing.sections, *(["(preview)"] if thing.preview else [])], thing.times, thing.first_at, thing.last_at)
            for case in found.did_read.cases
            for thing in case.things
        ],
        empty="The log says of nothing that it was read.",
    )  # fmt: skip
    _show_extent("It could have read of", found.could_read)
    for title, counted in (("looked at besides", found.other_reads), ("refused", found.refused)):
        if counted:
            say(f"{title}: " + ", ".join(f"{each.action} {each.outcome} ({each.times})" for each in counted))
    if found.writes is not None:
        typer.echo("It did:")
        _show_moves(found.writes.moves)
        for act in found.writes.acts:
            say(f"  {act.how}  {act.reference or act.id}  {', '.join(act.sections)}".rstrip())
        for other in found.writes.others:
            say(f"  {other.action} ({other.times})")
        for key in found.writes.keys:
            say(f"  key {key.kid} added {key.added_at:%Y-%m-%d %H:%M}Z by {key.added_by}")
        if found.writes.registrations:
            say(f"  registered: {', '.join(found.writes.registrations)}")
        if found.writes.tokens_for_registering:
            typer.echo(f"  tokens for registering: {found.writes.tokens_for_registering}")
    for hook in found.webhooks:
        say(
            f"webhook {hook.id} for {hook.agency} to {', '.join(hook.hosts)} ({hook.state}): {', '.join(hook.acts)},"
            f" {hook.first_at:%Y-%m-%d %H:%M}Z to {hook.last_at:%Y-%m-%d %H:%M}Z"
        )
    if found.affected:
        typer.echo("Call (`rujukan agencies duty-contacts CODE`):")
    for agency in found.affected:
        say(f"  {agency.code}: {', '.join(agency.duty_contacts) or 'no duty contact'}; cases {', '.join(agency.cases)}")
    if found.undone:
        typer.echo("Not done yet:")
    for undone in found.undone:
        say(f"  {undone.what} ({undone.count}): {undone.command}")
    typer.echo("The notice of UU 27/2022 art 46, within 3 x 24 hours: the same with --notice id. What is approximate:")
    for note in found.notes:
        typer.echo(f"- {note}")


def _show_extent(title: str, extent: Extent) -> None:
    classes = ", ".join(
        f"{label('data_class', code, 'en')}: {count}" for code, count in extent.persons.by_data_class.items()
    )
    sections = ", ".join(f"{name}: {count}" for name, count in extent.persons.by_section.items())
    say(f"{title} {extent.persons.cases} persons (cases). {classes}")
    if sections:
        say(f"  sections: {sections}")


def _show_moves(moves: Sequence[MoveMade]) -> None:
    show_table(
        ("move", "at", "what", "event", "to", "as", "sender", "receiver", "now", "disputed"),
        [
            (each.id, each.recorded_at, each.reference or each.case_reference, each.event, each.to_state, each.agency, each.sender,
             each.receiver, each.state, "confirmed" if each.confirmed_at else each.disputed_ground)
            for each in moves
        ],
        empty="It moved nothing.",
    )  # fmt: skip


@app.command()
def dispute(
    client: Client,
    since: Since,
    until: Until = None,
    move: Annotated[
        list[UUID] | None, typer.Option("--move", help="Only this move; may be given again.", show_default=False)
    ] = None,
    doubt: Annotated[
        bool, typer.Option("--doubt-consents", help="Its consents count only when reconfirmed, too.")
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Mark what a client moved as disputed, for both parties to see. It stands: nobody loses a bed. Lists what people must confirm or undo."""
    done = asyncio.run(_dispute(load_settings(), client, since, until, move or (), actor, doubt=doubt))
    if as_json:
        show_json(done.model_dump(mode="json"))
        return
    typer.echo(f"{len(done.disputed)} moves are disputed now; nothing was undone. Their parties and leads are told.")
    if done.consents_doubted is not None:
        typer.echo(f"{done.consents_doubted} consents of {len(done.cases_of_consents)} cases are in doubt.")
    if done.open:
        typer.echo(
            "Still open. Call the parties: each move is confirmed by its party through another system, or undone:"
        )
        _show_moves(done.open)


async def _dispute(
    settings: Settings,
    client: str,
    since: str,
    until: str | None,
    moves: Sequence[UUID],
    actor: str | None,
    *,
    doubt: bool,
) -> Disputed:
    async with administer(settings, actor) as the:
        return await breach.dispute(
            the.conn,
            client,
            since=read_time(since, the.now),
            until=None if until is None else read_time(until, the.now),
            moves=moves,
            doubt=doubt,
            now=the.now,
            actor=the.person.reference,
        )


@app.command("doubt-consents")
def doubt_consents(client: Client, since: Since, actor: Actor = None, as_json: Json = False) -> None:
    """Let the consents a client recorded count only when the person was asked again, through another system."""
    count, cases = asyncio.run(_doubt(load_settings(), client, since, actor))
    if as_json:
        show_json({"consents": count, "cases": [str(each) for each in cases]})
        return
    typer.echo(
        f"{count} consents of {len(cases)} cases are in doubt: what rests on them is locked until they are reconfirmed."
    )


async def _doubt(settings: Settings, client: str, since: str, actor: str | None) -> tuple[int, Any]:
    async with administer(settings, actor) as the:
        return await breach.doubt_consents(
            the.conn, client, since=read_time(since, the.now), now=the.now, actor=the.person.reference
        )

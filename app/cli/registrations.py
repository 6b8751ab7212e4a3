"""`registrations`: invitations for agencies to register a system by themselves, and what waits for approval."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, show_json, show_table
from app.foundation.settings import Settings
from auth.admin import registrations
from auth.admin.approvals import Approval
from auth.scopes import AGENCY_SCOPES
from auth.server import REGISTRATION_PATH

app = typer.Typer(
    help="Invite agencies to register a system by themselves (RFC 7591), and see what waits for approval.",
    no_args_is_help=True,
)


@app.command()
def invite(
    agency: Annotated[str, typer.Argument(help="Code of the agency.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What its system may do at most; repeat for more. Unset: every scope of agencies."),
    ] = None,
    uses: Annotated[int, typer.Option(help="How many systems it may register.")] = 1,
    days: Annotated[int, typer.Option(help="How long the invitation counts.")] = 7,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Make an initial access token for an agency; it is printed this once. What is registered with it waits for approval."""
    settings = load_settings()
    wanted = [part for each in scope or sorted(AGENCY_SCOPES) for part in each.split()]
    made = asyncio.run(_invite(settings, agency, wanted, uses, days, actor))
    endpoint = settings.public_url + REGISTRATION_PATH
    if as_json:
        show_json({**asdict(made.invitation), "token": made.token, "registration_endpoint": endpoint})
        return
    typer.echo(f"{agency} may register {uses} system(s) until {made.invitation.expires_at:%Y-%m-%d %H:%M}Z:")
    typer.echo(f"  registration endpoint  {endpoint}")
    typer.echo(f"  initial access token   {made.token}")
    typer.echo("The token is not shown again. Hand it over on a way that nobody else reads.")
    if settings.registration == "off":
        typer.echo("Registration is switched off here: RUJUKAN_REGISTRATION.", err=True)


async def _invite(
    settings: Settings, agency: str, scopes: list[str], uses: int, days: int, actor: str | None
) -> registrations.NewInvitation:
    async with administer(settings, actor, opens=True) as the:
        return await registrations.invite(
            the.conn, agency, scopes=scopes, uses=uses, days=days, now=the.now, actor=the.person.reference
        )


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the invitations, newest first; never the tokens."""
    found, now = asyncio.run(_list(load_settings()))
    if as_json:
        show_json([{**asdict(each), "state": each.state(now)} for each in found])
        return
    show_table(
        ("id", "agency", "state", "uses left", "until", "by", "registered"),
        [
            (each.id, each.agency, each.state(now), each.uses_left, each.expires_at, each.created_by, each.clients)
            for each in found
        ],
        empty="There is no invitation yet. Make one with `rujukan registrations invite`.",
    )


async def _list(settings: Settings) -> tuple[list[registrations.Invitation], datetime]:
    async with administer(settings) as the:
        return await registrations.list_invitations(the.conn), the.now


@app.command("end-token")
def end_token(
    token_id: Annotated[UUID, typer.Argument(help="The invitation's id, as `list` shows it.")], actor: Actor = None
) -> None:
    """End an invitation at once. What was registered with it stays as it is."""
    asyncio.run(_end(load_settings(), token_id, actor))
    typer.echo(f"{token_id} counts no more.")


async def _end(settings: Settings, token_id: UUID, actor: str | None) -> None:
    async with administer(settings, actor) as the:
        await registrations.end_invitation(the.conn, token_id, now=the.now, actor=the.person.reference)


@app.command()
def waiting(as_json: Json = False) -> None:
    """List the clients that wait for approval, the longest waiting first."""
    found = asyncio.run(_waiting(load_settings()))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        ("client", "agencies", "authenticates by", "scopes", "since", "approval", "yes"),
        [
            (
                each.client_id,
                each.agencies,
                each.auth_method,
                "all" if set(each.scopes) == AGENCY_SCOPES else each.scopes,
                each.created_at,
                each.approval_id or "not asked (any more)",
                each.yes,
            )
            for each in found
        ],
        empty="Nothing waits.",
    )


async def _waiting(settings: Settings) -> list[registrations.Waiting]:
    async with administer(settings) as the:
        return await registrations.list_waiting(the.conn, now=the.now)


@app.command("ask-again")
def ask_again(
    client_id: Annotated[str, typer.Argument(help="The client's id.")], actor: Actor = None, as_json: Json = False
) -> None:
    """Ask for the approval of a client whose time to wait has run out."""
    found = asyncio.run(_ask_again(load_settings(), client_id, actor))
    if as_json:
        show_json(asdict(found))
        return
    typer.echo(
        f"{client_id} is approved." if found.done else f"{client_id} waits for {found.needed} people's yes: {found.id}"
    )


async def _ask_again(settings: Settings, client_id: str, actor: str | None) -> Approval:
    async with administer(settings, actor, opens=True) as the:
        return await registrations.ask_again(
            the.conn, client_id, by=the.person, now=the.now, two_people=settings.needs_two_people
        )

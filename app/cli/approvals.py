"""`approvals`: what opens access and waits for two people's yes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.foundation.settings import Settings
from auth.admin import approvals
from auth.admin.acts import ACTS
from auth.admin.approvals import Approval

app = typer.Typer(help="See, approve and refuse what waits for two people's yes.", no_args_is_help=True)

Id = Annotated[UUID, typer.Argument(help="Its id; see `rujukan approvals list`.")]


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also what was decided or has expired.")] = False,
    as_json: Json = False,
) -> None:
    """List what waits, newest first."""
    found = asyncio.run(_list(load_settings(), everything))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        ("id", "what", "of", "asked by", "yes", "state", "until"),
        [(each.id, each.act, each.subject, each.asked_by, each.yes, each.state, each.expires_at) for each in found],
        empty="Nothing waits for approval.",
    )


async def _list(settings: Settings, everything: bool) -> Sequence[Approval]:
    async with administer(settings) as the:
        return await approvals.list_approvals(
            the.conn, now=the.now, two_people=settings.needs_two_people, waiting_only=not everything
        )


@app.command()
def show(id: Id, as_json: Json = False) -> None:
    """Show one: what will be done, who asked, who has said yes."""
    _show(asyncio.run(_read(load_settings(), id)), as_json=as_json)


async def _read(settings: Settings, id: UUID) -> Approval:
    async with administer(settings) as the:
        return await approvals.read(the.conn, id, now=the.now, two_people=settings.needs_two_people)


@app.command()
def approve(id: Id, actor: Actor = None, as_json: Json = False) -> None:
    """Say yes. The last yes that is needed does it."""
    found = asyncio.run(_approve(load_settings(), id, actor))
    _show(found, as_json=as_json)
    if found.code is not None and not as_json:
        say("Tell the newcomer this code, and nobody else: their link takes it as well. It is not shown again.\n")
        say(f"  {found.code}\n")


async def _approve(settings: Settings, id: UUID, actor: str | None) -> Approval:
    async with administer(settings, actor, opens=True) as the:
        return await approvals.approve(the.conn, id, by=the.person, now=the.now, two_people=settings.needs_two_people)


@app.command()
def refuse(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why not; nothing about a case.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Say no. Whoever asked takes it back this way."""
    _show(asyncio.run(_refuse(load_settings(), id, reason, actor)), as_json=as_json)


async def _refuse(settings: Settings, id: UUID, reason: str, actor: str | None) -> Approval:
    async with administer(settings, actor, opens=True) as the:
        return await approvals.refuse(
            the.conn, id, by=the.person, reason=reason, now=the.now, two_people=settings.needs_two_people
        )


def _show(found: Approval, *, as_json: bool) -> None:
    if as_json:
        show_json(asdict(found))
        return
    rows = [
        ("what", ACTS[found.act].says),
        ("act", found.act),
        ("of", found.subject),
        *((name, value) for name, value in found.detail.items()),
        ("asked by", found.asked_by),
        ("asked", found.asked_at),
        ("said yes", found.yes),
        ("needed", found.needed),
        ("state", found.state),
        ("reason", found.reason),
        ("waits until", found.expires_at),
    ]
    show_table((str(found.id), ""), rows, empty="")
    if found.state == "waiting":
        say("It has not been done yet.")

"""`webhooks`: where clients have events sent, to look at and to stop. Of an address the host alone."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.foundation.settings import Settings
from auth.admin import webhooks
from auth.admin.webhooks import ListedWebhook

app = typer.Typer(help="List webhooks, and take them out of service.", no_args_is_help=True)


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.", show_default=False)] = None,
    agency: Annotated[str | None, typer.Option(help="Only for this agency, by its code.", show_default=False)] = None,
    state: Annotated[
        Literal["active", "disabled", "paused", "gone"] | None, typer.Option(help="Only in this state.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List webhooks: whose they are, to which host they lead, how they stand, since when they fail."""
    found = asyncio.run(_list(load_settings(), client, agency, state))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        ("webhook", "client", "agency", "host", "state", "since", "fails since", "changed"),
        [
            (each.id, each.client_id, each.agency, each.host, each.state, each.state_at, each.failing_since, each.changed_at)
            for each in found
        ],
        empty="There is no webhook.",
    )  # fmt: skip


async def _list(settings: Settings, client: str | None, agency: str | None, state: str | None) -> list[ListedWebhook]:
    async with administer(settings) as the:
        return await webhooks.page_of_webhooks(the.conn, client_id=client, agency=agency, state=state)


@app.command()
def disable(
    webhook: Annotated[UUID, typer.Argument(help="Its id, from the list.")], actor: Actor = None, as_json: Json = False
) -> None:
    """Take a webhook out of service. Its agency is told."""
    found = asyncio.run(_disable(load_settings(), webhook, actor))
    if as_json:
        show_json(asdict(found))
        return
    say(
        f"{found.id} to {found.host} is out of service, and {found.agency} is told. Nothing is lost: it keeps its place."
    )
    say(f"Its client can enable it again. Where that must not be: rujukan clients suspend {found.client_id}")


async def _disable(settings: Settings, webhook: UUID, actor: str | None) -> ListedWebhook:
    async with administer(settings, actor) as the:
        return await webhooks.disable_webhook(the.conn, webhook, now=the.now, actor=the.person.reference)

"""`jobs`: what the worker could not do, and tries again."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, show_json, show_table
from app.foundation.settings import Settings
from app.outbox.jobs import queries
from app.outbox.jobs.claims import PARKED_FROM
from auth.queries import log_act

app = typer.Typer(help="See what the worker could not do; have it try again.", no_args_is_help=True)
MOST = 1000


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List what jobs have failed at and not done since, what waits longest first. A deadline among them is a person who waits."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json(found)
        return
    show_table(
        ("job", "subject", "id", "case", "error", "failed", "state", "since", "next try"),
        [
            (
                each["job"],
                each["subject"],
                each["subject_id"] or "",
                each["case_id"] or "",
                each["error"],
                each["attempts"],
                each["state"],
                each["first_at"],
                each["retry_at"],
            )
            for each in found
        ],
        empty="Nothing has failed that was not done since.",
    )


async def _list(settings: Settings) -> list[dict[str, Any]]:
    async with administer(settings) as the:
        return [
            {
                **row,
                "subject_id": row["subject_id"] if row["subject_id"].int else None,
                "state": "parked" if row["attempts"] >= PARKED_FROM else "retrying",
            }
            for row in await queries.listed(the.conn, MOST)
        ]


@app.command()
def retry(
    subject_id: Annotated[UUID | None, typer.Argument(help="One thing alone, by its id.", show_default=False)] = None,
    job: Annotated[str | None, typer.Option(help="What this job failed at.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever has failed.")] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Have the worker try at once again, once the cause is put right. It would have by itself, a quarter of an hour later at most."""
    if subject_id is None and job is None and not everything:
        raise typer.BadParameter("say which: an id, --job, or --all")
    count = asyncio.run(_retry(load_settings(), job, subject_id, actor))
    if as_json:
        show_json({"retried": count})
    else:
        typer.echo(f"{count} will be tried again at once." if count else "Nothing of that has failed.")


async def _retry(settings: Settings, job: str | None, subject_id: UUID | None, actor: str | None) -> int:
    async with administer(settings, actor) as the, the.conn.transaction():
        count = await queries.retry(the.conn, job, subject_id, the.now)
        if count:
            await log_act(
                the.conn,
                at=the.now,
                actor=the.person.reference,
                action="job:retry",
                subject="job",
                subject_id=subject_id,
                detail={"job": job, "count": count},
            )
        return count

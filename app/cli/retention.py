"""`retention` and `erasures`: what is kept how long, what is due, and the list that a restored backup is brought to forget by."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from app.at_rest.watch import meet
from app.cli.administering import find_database
from app.cli.common import Actor, Json, acting, clock_of, load_settings, show_json, show_table
from app.cli.failures import Code, Failure
from app.exchange.retention.erasing import Replayed, brought_back, due, replay
from app.exchange.retention.erasure_list import read_if_there
from app.exchange.retention.table import TABLE
from app.foundation.database import connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings

app = typer.Typer()
retention = typer.Typer(help="What is kept how long and why; how much is due for erasure.", no_args_is_help=True)
erasures = typer.Typer(help="The erasure list: what a restored backup must forget again.", no_args_is_help=True)
app.add_typer(retention, name="retention")
app.add_typer(erasures, name="erasures")
MOST = 100_000


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a day is written YYYY-MM-DD") from None


@retention.command()
def table(as_json: Json = False) -> None:
    """Print the retention table with this installation's periods."""
    settings = load_settings()
    rows = [asdict(each) | {"period": period_of(settings, each.setting)} for each in TABLE]
    if as_json:
        show_json(rows)
        return
    show_table(
        ("kind", "how long", "what", "then", "why"),
        [[row["kind"], row["period"], row["what"], row["then"], row["why"]] for row in rows],
        empty="",
    )


def period_of(settings: Settings, setting: str | None) -> str:
    """Return a period in words."""
    if setting is None:
        return "kept"
    found = getattr(settings, setting)
    return f"{found if isinstance(found, int) else found.days} days"


@retention.command()
def preview(
    until: Annotated[
        date | None,
        typer.Option(parser=_day, metavar="DATE", help="What is due by then. Unset: by now.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count what is due for erasure by a day, with no case named. Erases nothing."""
    settings = load_settings()
    at = clock_of(settings).now() if until is None else datetime.combine(until, time(), tzinfo=UTC)
    counted = asyncio.run(_counted(settings, at))
    if as_json:
        show_json([{"kind": kind, "cause": cause, "count": count} for (kind, cause), count in sorted(counted.items())])
        return
    show_table(
        ("what", "because of", "how many"),
        [[kind, cause.replace("_", " "), count] for (kind, cause), count in sorted(counted.items())],
        empty="Nothing is due.",
    )


async def _counted(settings: Settings, at: datetime) -> Counter[tuple[str, str]]:
    async with connection(find_database(settings).of("worker")) as conn:
        return Counter((row["kind"], row["cause"]) for row in await due(conn, settings, at, MOST))


Lists = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]", help="A list or a folder of lists. Unset: RUJUKAN_ERASURE_LIST.", show_default=False
    ),
]


def _found(settings: Settings, path: Path | None) -> Path:
    path = path or settings.erasure_folder
    if not path.exists():
        raise Failure(f"there is no erasure list at {path}", "Put it back from where it is kept, or name it.")
    return path


@erasures.command("check")
def check(path: Lists = None, as_json: Json = False) -> None:
    """Say whether the database knows every erasure of the list; exit 1 if it is an older copy that does not."""
    settings = load_settings()
    waiting, listed = asyncio.run(_checked(settings, path or settings.erasure_folder))
    if as_json:
        show_json({"listed": listed, "to_replay": waiting})
    else:
        typer.echo(f"{listed} erasures are listed; the database knows all but {waiting}.")
    if waiting:
        raise Failure("the database is an older copy", "Run `rujukan erasures replay`.", code=Code.failed)


async def _checked(settings: Settings, folder: Path) -> tuple[int, int]:
    entries, _ = await asyncio.to_thread(read_if_there, folder)
    async with connection(find_database(settings).app) as conn:
        return len(await brought_back(conn, folder)), len(entries)


@erasures.command("replay")
def replay_(path: Lists = None, actor: Actor = None, as_json: Json = False) -> None:
    """Erase again, after a restore and before anything is served, all that the list knows and the database does not. As its owner."""
    settings = load_settings()
    done = asyncio.run(_replayed(settings, _found(settings, path), acting(actor)))
    if as_json:
        show_json({"replayed": done.erased, "left": [entry.row for entry in done.left]})
    elif done.erased or not done.left:
        typer.echo(
            f"{done.erased} erasures replayed." if done.erased else "The database knows every erasure of the list."
        )
    if done.left:
        raise Failure(
            f"{len(done.left)} could not be erased: the key that wraps them is not in the keyring",
            "Replay with the keyring of the backup's time, as `rujukan keys` names it; until then nothing is served.",
            code=Code.failed,
        )


async def _replayed(settings: Settings, path: Path, actor: str) -> Replayed:
    found = find_database(settings)
    if found.owner is None:
        raise Failure("RUJUKAN_DATABASE_OWNER_URL is not set", "Only the database's owner may replay erasures.")
    keyring, now = Keyring.of(settings), clock_of(settings).now()
    async with connection(
        found.app
    ) as conn:  # what stays is sealed anew, under the key that the database says is in use
        await meet(conn, keyring, now=now)
    async with connection(found.owner) as conn:
        return await replay(conn, keyring, path, now, actor=actor)

"""`log`: export the whole log for an audit; the keys that sign it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from app.at_rest.watch import meet
from app.cli.administering import administer, find_database
from app.cli.common import Actor, Json, load_settings, say, show_json, show_table
from app.cli.failures import Failure
from app.foundation import json
from app.foundation.database import MissingAddress, connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.log import keys, queries
from app.log.exporting import export as lines_of

app = typer.Typer(
    help="Export the whole log for an audit; list and rotate the keys that sign it.", no_args_is_help=True
)


@app.command()
def export(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it (mode 0600). Unset: standard output.", show_default=False),
    ] = None,
) -> None:
    """Write the whole log, one document a line, as it is at this moment: entries, tree and checkpoints. For `rujukan verify log`.

    Logs in as `rujukan_auditor` (RUJUKAN_DATABASE_AUDITOR_URL), who reads the log and nothing else.
    """
    settings = load_settings()
    if output is None:
        count = asyncio.run(_export(settings, sys.stdout.buffer))
    else:
        try:
            with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                count = asyncio.run(_export(settings, file))
        except FileExistsError:
            raise Failure(f"{output} exists already", "Name another file.") from None
        except OSError as error:
            raise Failure(f"{output} cannot be written: {error.strerror}") from None
    say(f"{count} entries.", err=True)


async def _export(settings: Settings, file: BinaryIO) -> int:
    count = 0
    try:
        url = find_database(settings).of("auditor")
    except MissingAddress:
        raise Failure(
            "RUJUKAN_DATABASE_AUDITOR_URL is not set", "The log is read as the role rujukan_auditor."
        ) from None
    async with connection(url) as conn:
        async for line in lines_of(conn):
            count += line["type"] in ("entry", "unplaced")
            file.write(json.dumps(line) + b"\n")
    file.flush()
    return count


@app.command("keys")
def list_keys(as_json: Json = False) -> None:
    """List the keys that sign, will sign and have signed checkpoints and receipts, newest first."""
    found = asyncio.run(_keys(load_settings()))
    if as_json:
        show_json(found)
        return
    show_table(
        ("key", "state", "made", "signs since", "until"),
        [[each[name] for name in ("vkey", "state", "created_at", "activated_at", "retired_at")] for each in found],
        empty="The log has no key yet; the worker makes it with the first entry it seals.",
    )


async def _keys(settings: Settings) -> list[dict[str, Any]]:
    async with administer(settings) as the:
        rows = await queries.keys(the.conn)
    return [
        {"vkey": keys.verifier_of(row).vkey}
        | {name: row[name] for name in ("state", "created_at", "activated_at", "retired_at")}
        for row in rows
    ]


@app.command("rotate-key")
def rotate_key(
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="Also if the next key was published less than a day ago: the present one may have leaked."
        ),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Sign checkpoints and receipts with the next key from now on. What the present one has signed stays good."""
    try:
        vkey = asyncio.run(_rotate(load_settings(), at_once, actor))
    except keys.NextKeyTooYoung:
        raise Failure(
            "the next key was published less than a day ago",
            "Wait, so that whoever checks can fetch it first; or --at-once if the present key may have leaked.",
        ) from None
    if vkey is None:
        raise Failure("the log has no key yet", "The worker makes it with the first entry it seals.")
    if as_json:
        show_json({"vkey": vkey, "at_once": at_once})
    else:
        say(f"{vkey} signs now. Tell whoever checks the log; the log itself says it too.")


async def _rotate(settings: Settings, at_once: bool, actor: str | None) -> str | None:
    async with administer(settings, actor, opens=True) as the:
        keyring = Keyring.of(settings)
        await meet(the.conn, keyring, now=the.now)
        if await queries.active_key(the.conn) is None:
            return None
        return await keys.rotate(the.conn, keyring, the.now, at_once, actor=the.person.reference)

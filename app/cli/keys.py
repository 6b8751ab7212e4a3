"""`keys`: the exchange's own signing keys, and the keyring that everything at rest is encrypted under, with a key a month."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.at_rest import months, queries, rewrapping
from app.at_rest.watch import meet
from app.cli.administering import administer
from app.cli.common import Actor, Json, clock_of, load_settings, say, show_json, show_table
from app.cli.failures import Code, Failure
from app.foundation import keyring as keyrings
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.sealing import generate_key, public_part
from auth import keys

app = typer.Typer(
    help="The exchange's signing keys; the keyring that encrypts what is stored, and its monthly keys.",
    no_args_is_help=True,
)


class Curve(StrEnum):
    """What an agency's encryption key is of."""

    P_256 = "P-256"
    X25519 = "X25519"


SHOWN = ("kid", "state", "created_at", "activated_at", "published_until")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys that sign, will sign and have signed access tokens, newest first."""
    found = asyncio.run(_list(load_settings()))
    if as_json:
        show_json([{name: key[name] for name in SHOWN} for key in found])
        return
    show_table(
        ("kid", "state", "made", "signs since", "published until"),
        [[key[name] for name in SHOWN] for key in found],
        empty="There is no signing key yet; `rujukan serve` makes the first.",
    )


async def _list(settings: Settings) -> list[Mapping[str, Any]]:
    async with administer(settings) as the:
        return await keys.list_keys(the.conn)


@app.command()
def rotate(
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="Withdraw the present key now, and the tokens it signed: it may have leaked."),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Sign with the next key from now on; the present one stays published until the last token it signed has ended."""
    kid = asyncio.run(_rotate(load_settings(), at_once, actor))
    if as_json:
        show_json({"kid": kid, "at_once": at_once})
    elif at_once:
        typer.echo(f"{kid} signs now; the earlier key and its tokens do not count any more.")
    else:
        typer.echo(f"{kid} signs now; the earlier key is published until its last token has ended.")


async def _rotate(settings: Settings, at_once: bool, actor: str | None) -> str:
    async with administer(settings, actor, opens=True) as the:
        keyring = Keyring.of(settings)
        await meet(the.conn, keyring, now=the.now)
        return await keys.rotate(the.conn, keyring, the.now, at_once, actor=the.person.reference)


@app.command()
def init(as_json: Json = False) -> None:
    """Make the keyring of a new installation, once. Keep a copy apart from the database: without it no record can be read."""
    settings = load_settings()
    path = settings.keyring_path
    try:
        keyrings.make(path, clock_of(settings).now(), kms=settings.keyring_kms)
    except keyrings.KeyringHere:
        raise Failure(
            f"there is a keyring {path} already", "It stays: another one could read nothing of what there is."
        ) from None
    except OSError as error:
        raise _unwritable(error, settings) from None
    if as_json:
        show_json({"keyring": str(path)})
    else:
        typer.echo(f"Made {path}, readable by its owner alone. Back it up now, apart from the database.")


@app.command()
def wrap(
    earlier: Annotated[
        str | None,
        typer.Option("--from", help="The key of AWS KMS that encrypts it now. Unset: it lies there in clear."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Encrypt the keyring's file anew: by the key RUJUKAN_KEYRING_KMS names, or in clear if that is not set. Its keys stay the same."""
    settings = load_settings()
    path = settings.keyring_path
    content = keyrings.stored(path, kms=earlier)
    try:
        keyrings.replace(path, content, kms=settings.keyring_kms)
    except OSError as error:
        raise _unwritable(error, settings) from None
    if as_json:
        show_json({"keyring": str(path), "kms": settings.keyring_kms})
    else:
        by = f"encrypted by {settings.keyring_kms}" if settings.keyring_kms else "in clear, readable by its owner alone"
        typer.echo(f"{path} is now {by}. Copies made before stay as they were: destroy those that should not be read.")


@app.command()
def status(
    count: Annotated[bool, typer.Option(help="Count what each key wraps; that reads every sealed row.")] = True,
    as_json: Json = False,
) -> None:
    """Show the monthly keys: how each stands, how much it wraps, how many running processes hold it, and how far re-wrapping is."""
    settings = load_settings()
    keys, progress, running = asyncio.run(_status(settings, count))
    if as_json:
        show_json({"keys": [_shown(key) for key in keys], "columns": progress, "processes": running})
        return
    show_table(
        ("key", "month", "state", "since", "wraps", "held by", "may be destroyed"),
        [
            [key.id, _month(key.month), key.state, key.since, key.documents, f"{key.held_by} of {running}" + ("" if key.here else ", not here"),
             key.destroyable_at]
            for key in keys
        ],
        empty="No key has been used yet; `rujukan serve` begins.",
    )  # fmt: skip
    waiting = [row["place"] for row in progress if row["started_at"] is not None and row["ended_at"] is None]
    if waiting:
        typer.echo(f"Being re-wrapped still: {', '.join(waiting)}")


async def _status(settings: Settings, count: bool) -> tuple[list[months.Standing], list[dict[str, Any]], int]:
    async with administer(settings) as the:
        keyring = Keyring.of(settings)
        keys = await months.standings(the.conn, keyring, settings, now=the.now, count=count)
        progress = [dict(row) for row in await queries.progress(the.conn)]
        return keys, progress, len(await queries.holders(the.conn, now=the.now))


def _month(month: date) -> str:
    return "?" if month == date.min else f"{month:%Y-%m}"


def _shown(key: months.Standing) -> dict[str, Any]:
    return asdict(key) | {"month": _month(key.month)}


@app.command("rotate-kek")
def rotate_kek(
    ahead: Annotated[int, typer.Option("--months", help="How many months ahead to have keys for.", min=0, max=24)] = 1,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once",
            help="Add another key for this month, used as soon as every process holds it: the present one may have leaked.",
        ),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Add the keys of this month and the next to the keyring's file. Give every machine the new file; each is used once all hold it."""
    settings = load_settings()
    try:
        added = asyncio.run(_rotate_kek(settings, ahead, at_once, actor))
    except OSError as error:
        raise _unwritable(error, settings) from None
    if as_json:
        show_json({"added": [{"key": key, "month": _month(month)} for key, month in added]})
        return
    for key, month in added:
        typer.echo(f"Added the key {key} for {_month(month)} to {settings.keyring_path}.")
    typer.echo(
        "Back the file up and give it to every process; `rujukan keys status` shows who holds what."
        if added
        else "There is a key for each of these months already."
    )


async def _rotate_kek(settings: Settings, ahead: int, at_once: bool, actor: str | None) -> list[tuple[int, date]]:
    added = []
    async with administer(settings, actor, opens=True) as the:
        keyring = Keyring.of(settings)
        for later in [0] if at_once else range(ahead + 1):
            month = keyrings.month_of(the.now, later=later)
            try:
                key = await months.add(
                    the.conn, keyring, settings, month=month, now=the.now, actor=the.person.reference, at_once=at_once
                )
            except months.KeyThere:
                continue
            added.append((key, month))
    return added


@app.command()
def rewrap(as_json: Json = False) -> None:
    """Wrap every document's key anew under the key in use; the worker does so by itself. It may be stopped and begun again."""
    moved, left = asyncio.run(_rewrap(load_settings(), quiet=as_json))
    if as_json:
        show_json({"moved": moved, "left": left})
    elif left:
        typer.echo(
            f"Moved {moved}. Left under earlier keys: {left}; the log says why, or writers are not done: run it again."
        )
    else:
        typer.echo(f"Moved {moved}. Nothing is wrapped by an earlier key.")


async def _rewrap(settings: Settings, *, quiet: bool) -> tuple[int, int]:
    async with administer(settings) as the:
        keyring = Keyring.of(settings)
        await meet(the.conn, keyring, now=the.now)
        looked_at = 0
        while (found := await rewrapping.rewrap(the.conn, keyring, now=the.now)) is not None:
            looked_at += found
            if found and not quiet:
                typer.echo(f"{looked_at} looked at", err=True)
        moved = sum(row["moved"] for row in await queries.progress(the.conn))
        left = sum(row["n"] for row in await queries.counted(the.conn) if row["key_id"] != keyring.primary)
        return moved, left


@app.command("destroy-kek")
def destroy_kek(
    key: Annotated[int, typer.Argument(help="Its number, as `rujukan keys status` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Destroy an earlier month's key, for ever: what was erased in its time is then gone from the backups too. Refused while it is needed."""
    settings = load_settings()
    if not yes:
        typer.confirm(f"Destroy the key {key}? No backup that needs it can be read again", abort=True, err=True)
    try:
        removed = asyncio.run(_destroy_kek(settings, key, actor))
    except months.KeyNeeded as error:
        raise Failure(f"the key {key} is not destroyed: {error}", code=Code.refused) from None
    except OSError as error:
        raise _unwritable(error, settings) from None
    if as_json:
        show_json({"key": key, "removed_here": removed})
    else:
        where = f"taken out of {settings.keyring_path}" if removed else f"not in {settings.keyring_path}"
        typer.echo(
            f"The key {key} is destroyed and {where}. Give every process that file, and destroy every older copy of it."
        )


async def _destroy_kek(settings: Settings, key: int, actor: str | None) -> bool:
    async with administer(settings, actor, opens=True) as the:
        return await months.destroy(
            the.conn, Keyring.of(settings), settings, key, now=the.now, actor=the.person.reference
        )


def _unwritable(error: OSError, settings: Settings) -> Failure:
    return Failure(
        f"{error.filename or settings.keyring_path} cannot be written: {error.strerror}",
        "Run it where the keyring's file is kept, as its owner.",
        code=Code.failed,
    )


@app.command("new-encryption")
def new_encryption(
    file: Annotated[Path, typer.Argument(help="Where the private key is written, for its owner alone.")],
    curve: Annotated[Curve, typer.Option(help="The curve.")] = Curve.P_256,
) -> None:
    """Make an agency's own encryption key: the private half to a file, the public one, to be published, printed."""
    key = generate_key(curve.value)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(
            f"there is a file {file} already", "A key is never replaced: what is sealed to it needs it."
        ) from None
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as written:
        json.dump(key, written, indent=1)
    say(f"The private key is in {file}: keep a copy apart, and give it to nobody. Publish the public one:", err=True)
    say("rujukan api POST /v1/me/encryption-keys --as CLIENT --data '{\"jwk\": …}'", err=True)
    show_json(public_part(key))

"""`keys`: the exchange's own signing keys, and the keyring that everything at rest is encrypted under."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli.administering import administer
from app.cli.common import Actor, Json, load_settings, show_json, show_table
from app.cli.failures import Code, Failure
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from auth import keys

app = typer.Typer(help="List and rotate the exchange's signing keys; make the keyring.", no_args_is_help=True)
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
        keyring = Keyring.open(settings.keyring_path, create=False)
        return await keys.rotate(the.conn, keyring, the.now, at_once, actor=the.person.reference)


@app.command()
def init(as_json: Json = False) -> None:
    """Make the keyring of a new installation, once. Keep a copy apart from the database: without it no record can be read."""
    path = load_settings().keyring_path
    if path.exists():
        raise Failure(
            f"there is a keyring {path} already", "It stays: another one could read nothing of what there is."
        )
    try:
        Keyring.open(path, create=True)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", code=Code.failed) from None
    if as_json:
        show_json({"keyring": str(path)})
    else:
        typer.echo(f"Made {path}, readable by its owner alone. Back it up now, apart from the database.")

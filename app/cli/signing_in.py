"""`sign-in` and `sign-out`: a person at the command line, who proves in the browser who they are."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import time
from pathlib import Path
from typing import Final

import typer

from app.cli.administering import administer, session_file
from app.cli.common import clock_of, load_settings, say
from app.cli.failures import Code, Failure
from app.foundation.settings import Settings
from auth.people import ceremonies, command_line, sessions

app = typer.Typer()

POLL_SECONDS: Final = 1.0


@app.command("sign-in")
def sign_in() -> None:
    """Sign in at the command line: open the link in your browser, compare the code, and allow it by your passkey."""
    settings = load_settings()
    reference = asyncio.run(_sign_in(settings))
    say(
        f"{reference} is signed in here, for half an hour without use and twelve hours at most: `rujukan sign-out` ends it."
    )


async def _sign_in(settings: Settings) -> str:
    clock = clock_of(settings)
    async with administer(settings) as the:
        asked = await command_line.ask(the.conn, machine=socket.gethostname(), login=getpass.getuser(), now=clock.now())
        say("Open this link in your browser, and allow it only if the page shows the same code:\n")
        say(f"  {command_line.link(settings.admin_origin, asked.code)}\n\n  code  {asked.compare}\n")
        until = time.monotonic() + ceremonies.LASTS.total_seconds() + POLL_SECONDS
        while time.monotonic() < until:
            person = await sessions.find(the.conn, asked.token, now=clock.now())
            if person is not None:
                _keep(session_file(settings), asked.token)
                return person.reference
            await asyncio.sleep(POLL_SECONDS)
    raise Failure("nobody allowed it within five minutes", "Run `rujukan sign-in` again.", code=Code.refused)


def _keep(path: Path, token: str) -> None:
    """Write the token for the owner's eyes alone, in place of any other."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(token)
        fresh.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", code=Code.failed) from None


@app.command("sign-out")
def sign_out() -> None:
    """End the session of the command line."""
    settings = load_settings()
    path = session_file(settings)
    if not path.exists():
        say("Nobody is signed in here.")
        return
    asyncio.run(_sign_out(settings))
    path.unlink(missing_ok=True)
    say("Signed out.")


async def _sign_out(settings: Settings) -> None:
    async with administer(settings) as the:
        if the.person.session_id is not None:
            await sessions.sign_out(the.conn, by=the.person, now=the.now)

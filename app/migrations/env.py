"""Alembic's environment: one driver (asyncpg), models from every `tables.py`."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

import app.exchange.cases.tables
import app.exchange.consents.tables
import app.exchange.records.tables
import app.exchange.referrals.tables
import app.exchange.transfers.tables
import app.log.tables
import app.outbox.tables  # noqa: F401
from app.foundation.database import engine

metadata = SQLModel.metadata


def _ours(_: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out what is made at run time: the monthly partitions."""
    return not (kind in ("table", "index") and reflected and compare_to is None and name and _is_partition(name))


def _is_partition(name: str) -> bool:
    return any(name.startswith(f"{table}_") for table in ("log_entry", "event", "idempotency")) and (
        name.rstrip("0123456789_idxpkey").count("_") < 3 and ("default" in name or any(c.isdigit() for c in name))
    )


def _run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_ours,
        transaction_per_migration=True,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _online(url: str) -> None:
    owner = engine(url)
    try:
        async with owner.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await owner.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    assert not isinstance(given, AsyncConnection)
    _run(given)
else:
    asyncio.run(_online(context.config.get_main_option("sqlalchemy.url") or ""))

"""Alembic's environment: one driver (asyncpg), models from every `tables.py`."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy.ext.asyncio import AsyncConnection

from app.foundation.migrate import engine
from app.migrations.models import METADATA, is_compared


def _run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_object=is_compared,
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

"""Bring a database to the newest schema, as its owner."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.foundation.database import connection

FOLDER = Path(__file__).parent.parent / "migrations"
_LOCK = 7_201_000
"""Advisory lock of whoever migrates."""


def engine(url: str) -> AsyncEngine:
    """Return a SQLAlchemy engine over asyncpg, for migrations and for administration, where nobody waits.

    asyncpg reads the URL itself, so that libpq's parameters (`sslmode`, `host`) mean the same everywhere.
    """
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url, timeout=5), pool_pre_ping=True
    )


def config() -> Config:
    """Return Alembic's configuration; there is no ini file to find."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    return made


def newest() -> str:
    """Return the revision the code expects."""
    heads = ScriptDirectory.from_config(config()).get_heads()
    if len(heads) != 1:
        raise RuntimeError("there must be exactly one newest migration")
    return heads[0]


def serves(revision: str | None) -> bool:
    """Whether this code can serve a database at `revision`: the one it expects, or a later one that it does not know.

    A migration runs beside the code before it, which has to go on serving while it is replaced.
    """
    if revision is None:
        return False
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    return revision == newest() or revision not in known


async def current(url: str) -> str | None:
    """Return the revision the database is at, or None for an empty one."""
    async with connection(url) as conn:
        if await conn.fetchval("SELECT to_regclass('public.alembic_version')") is None:
            return None
        found: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
        return found


async def ensure_database(url: str) -> None:
    """Create the database `url` names if the server has none of that name."""
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    async with connection(parts._replace(path="/postgres").geturl()) as conn:
        if not await conn.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            try:
                await conn.execute(f'CREATE DATABASE "{name}"')
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                return  # another process was first


async def upgrade(url: str) -> None:
    """Run every migration the database lacks, one process at a time. Raises what Alembic raises; each migration is one transaction."""

    def run(sync_connection: Connection) -> None:
        cfg = config()
        cfg.attributes["connection"] = sync_connection
        command.upgrade(cfg, "head")

    owner = engine(url)
    try:
        async with connection(url) as alone, owner.connect() as conn:
            await alone.execute("SELECT pg_advisory_lock($1)", _LOCK)
            await conn.run_sync(run)
            await conn.commit()
    finally:
        await owner.dispose()


def context_of(sync_connection: Connection) -> MigrationContext:
    """Return Alembic's view of a connection (for the test that models and migrations agree)."""
    return MigrationContext.configure(sync_connection)

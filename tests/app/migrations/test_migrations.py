"""The migrations build what the models say, from nothing, and there is one newest."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.foundation import migrate
from app.foundation.database import Addresses
from app.foundation.migrate import engine
from app.migrations.models import METADATA, is_compared


@pytest.fixture
async def empty(addresses: Addresses) -> AsyncIterator[str]:
    """A database with nothing in it."""
    assert addresses.owner is not None
    name = f"empty_{secrets.token_hex(4)}"
    owner = await asyncpg.connect(addresses.owner)
    await owner.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        base, _, query = addresses.owner.partition("?")
        yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    finally:
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await owner.close()


async def differences(url: str) -> list[Any]:
    """What Alembic would still change so that the database is as the models say."""

    def compare(connection: Any) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"include_object": is_compared, "target_metadata": METADATA, "compare_type": True}
        )
        return list(compare_metadata(context, METADATA))

    database = engine(url)
    try:
        async with database.connect() as conn:
            return await conn.run_sync(compare)
    finally:
        await database.dispose()


class TestMigrations:
    def test_have_exactly_one_newest(self) -> None:
        assert len(ScriptDirectory.from_config(migrate.config()).get_heads()) == 1

    async def test_lead_from_an_empty_database_to_the_newest(self, empty: str) -> None:
        assert await migrate.current(empty) is None
        await migrate.upgrade(empty)
        assert await migrate.current(empty) == migrate.newest()

    async def test_build_what_the_models_say(self, empty: str) -> None:
        await migrate.upgrade(empty)
        assert await differences(empty) == []

    async def test_may_be_run_again_and_change_nothing(self, empty: str) -> None:
        await migrate.upgrade(empty)
        await migrate.upgrade(empty)
        assert await differences(empty) == []


class TestTheComparison:
    """What says that nothing differs must be able to say that something does."""

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ("ALTER TABLE referral ADD COLUMN extra text", "remove_column"),
            ("ALTER TABLE referral DROP COLUMN replaces_id", "add_column"),
            ("DROP INDEX transfer_one_open", "add_index"),
            ("CREATE INDEX another ON move (actor)", "remove_index"),
            ("CREATE TABLE another (id integer)", "remove_table"),
            ("ALTER TABLE client DROP COLUMN last_used_at", "add_column"),
            ("ALTER TABLE event ADD COLUMN extra text", "remove_column"),
        ],
    )
    async def test_sees_a_change(self, empty: str, change: str, found: str) -> None:
        await migrate.upgrade(empty)
        owner = await asyncpg.connect(empty)
        await owner.execute(change)
        await owner.close()
        assert [each[0] for each in await differences(empty)] == [found]

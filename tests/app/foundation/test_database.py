"""Connections: a role each, none that passes row-level security, and what a lost server left behind."""

from __future__ import annotations

import os
from pathlib import Path

import asyncpg
import pytest

from app.foundation import database
from app.foundation.database import Addresses, MissingAddress, Role, addresses, connection, open_pool
from app.foundation.migrate import ensure_database
from app.foundation.settings import Settings

APP, WORKER = "postgresql://rujukan_app@db/rujukan", "postgresql://rujukan_worker@db/rujukan"


class TestAddresses:
    def test_are_those_that_were_set(self) -> None:
        found = addresses(Settings(database_url=APP, database_worker_url=WORKER))  # type: ignore[arg-type]
        assert (found.app, found.worker, found.admin, found.owner) == (APP, WORKER, None, None)

    @pytest.mark.parametrize("role", ["worker", "admin", "owner"])
    def test_of_a_role_that_has_none_say_which_setting_is_missing(self, role: Role) -> None:
        with pytest.raises(MissingAddress, match=f"RUJUKAN_DATABASE_{role.upper()}_URL"):
            addresses(Settings(database_url=APP)).of(role)  # type: ignore[arg-type]


class TestRoles:
    @pytest.mark.parametrize("role", ["app", "worker", "admin"])
    async def test_log_in_as_themselves_and_pass_no_policy(self, addresses: Addresses, role: Role) -> None:
        async with connection(addresses.of(role)) as conn:
            row = await conn.fetchrow(
                "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS mighty FROM pg_roles WHERE rolname = current_user"
            )
        assert row is not None
        assert (row["rolname"], row["mighty"]) == (f"rujukan_{role}", False)

    @pytest.mark.parametrize("role", ["app", "worker", "admin"])
    async def test_own_nothing_and_become_nobody_else(self, addresses: Addresses, role: Role) -> None:
        async with connection(addresses.of(role)) as conn:
            assert not await conn.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("SET ROLE rujukan_definer")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("CREATE TABLE mine (id integer)")


class TestConnections:
    async def test_close_with_their_block(self, addresses: Addresses) -> None:
        async with connection(addresses.app) as conn:
            assert await conn.fetchval("SELECT 1") == 1
        assert conn.is_closed()

    async def test_of_a_pool_are_reused_without_a_reset(self, addresses: Addresses) -> None:
        pool = await open_pool(addresses.app, size=1)
        async with pool.acquire() as conn:
            first = await conn.fetchval("SELECT pg_backend_pid()")
            await conn.execute("SET application_name = 'seen'")
        async with pool.acquire() as conn:
            assert await conn.fetchval("SELECT pg_backend_pid()") == first
            assert await conn.fetchval("SHOW application_name") == "seen"
        await pool.close()

    async def test_to_nowhere_fail_as_unreachable(self, tmp_path: Path) -> None:
        with pytest.raises(database.UNREACHABLE):
            async with connection(f"postgresql://x@/x?host={tmp_path}"):
                pass


class TestEnsureDatabase:
    async def test_makes_it_once(self, addresses: Addresses) -> None:
        assert addresses.owner is not None
        head, _, tail = addresses.owner.partition("?")
        url = f"{head.rsplit('/', 1)[0]}/made_by_test?{tail}"
        for _ in range(2):
            await ensure_database(url)
        async with connection(url) as conn:
            assert await conn.fetchval("SELECT current_database()") == "made_by_test"
        async with connection(addresses.owner) as conn:
            await conn.execute("DROP DATABASE made_by_test")


class TestEmbeddedServer:
    def test_is_locked_in_its_own_folder(self, template: Addresses, server_folder: Path) -> None:
        assert (server_folder / "postgresql.lock").exists()

    def test_is_started_once_a_process(self, template: Addresses, server_folder: Path) -> None:
        assert database.embedded_addresses(server_folder, "template_rujukan") == template


class TestForgetDeadServer:
    @pytest.fixture
    def left(self, tmp_path: Path) -> Path:
        """What a server leaves when its machine loses power."""
        (tmp_path / ".s.PGSQL.5432.lock").write_text("")
        return tmp_path / "postmaster.pid"

    def _lines(self, pid: int, left: Path) -> str:
        return f"{pid}\n{left.parent}\n1700000000\n5432\n{left.parent}\n\n  1  2\nready   \n"

    def test_whose_process_id_is_somebody_elses_now(self, left: Path) -> None:
        left.write_text(self._lines(os.getpid(), left))
        database._forget_dead_server(left.parent)
        assert list(left.parent.iterdir()) == []

    def test_whose_process_id_is_nobodys(self, left: Path) -> None:
        left.write_text(self._lines(2**22 - 1, left))
        database._forget_dead_server(left.parent)
        assert list(left.parent.iterdir()) == []

    def test_but_not_one_that_runs(self, left: Path, template: Addresses, server_folder: Path) -> None:
        running = (server_folder / "postgresql" / "postmaster.pid").read_text().split("\n")[0]
        left.write_text(self._lines(int(running), left))
        database._forget_dead_server(left.parent)
        assert left.exists()

    @pytest.mark.parametrize("text", ["", "x", "1\n2"])
    def test_leaves_what_it_cannot_read(self, left: Path, text: str) -> None:
        left.write_text(text)
        database._forget_dead_server(left.parent)
        assert left.exists()

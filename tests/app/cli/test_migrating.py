"""`migrate`: the schema, and passwords that never travel."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import pytest

from app.cli import queries
from app.cli.failures import Failure
from app.cli.migrating import passwords_in, scram_verifier
from app.foundation.database import Addresses
from app.foundation.migrate import newest
from tests.app.cli.conftest import Machine, free_port


class TestMigrate:
    def test_brings_an_empty_machine_to_the_newest_schema(self, machine: Machine) -> None:
        assert machine.run("migrate", "--json").json == {
            "before": None,
            "now": newest(),
            "newest": newest(),
            "passwords_set": [],
        }
        assert machine.run("migrate", "--check").code == 0
        assert "at the newest" in machine.run("migrate").out

    def test_check_ends_with_1_when_one_is_missing(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.run("migrate")
        monkeypatch.setattr("app.foundation.migrate.newest", lambda: "9999")
        ended = machine.run("migrate", "--check")
        assert (ended.code, "Run `rujukan migrate`" in ended.err) == (1, True)

    def test_needs_the_owner(self, tmp_path: Path) -> None:
        url = "postgresql://rujukan_app@127.0.0.1/rujukan"
        ended = Machine(tmp_path, free_port()).run("migrate", RUJUKAN_DATABASE_URL=url)
        assert (ended.code, "RUJUKAN_DATABASE_OWNER_URL is not set" in ended.err) == (2, True)


class TestPasswords:
    async def test_are_stored_as_postgresql_itself_would(self, exchange: Any) -> None:
        role, password = f"role_{secrets.token_hex(4)}", "it's a \\secret\\ $word"
        await exchange.owner.execute(f"CREATE ROLE {role}")
        try:
            quoted = await exchange.owner.fetchval("SELECT quote_literal($1::text)", password)
            await exchange.owner.execute(f"ALTER ROLE {role} PASSWORD {quoted}")
            theirs = await _stored(exchange, role)
            salt = base64.b64decode(theirs.split("$")[1].split(":")[1])
            assert scram_verifier(password, salt=salt) == theirs
            ours = scram_verifier(password)
            await queries.set_password(exchange.owner, role, ours)
            assert await _stored(exchange, role) == ours
        finally:
            await exchange.owner.execute(f"DROP ROLE {role}")

    def test_of_other_characters_are_refused_unsaid(self) -> None:
        with pytest.raises(Failure, match="visible ASCII") as refused:
            scram_verifier("kata-sandi-é")
        assert "kata" not in str(refused.value)

    def test_come_from_the_urls_of_our_own_roles(self) -> None:
        found = Addresses(
            app="postgresql://rujukan_app:a%2Fb@db/rujukan",
            worker="postgresql://rujukan_worker@db/rujukan",
            admin="postgresql://somebody:else@db/rujukan",
            owner="postgresql://postgres:owner@db/rujukan",
        )
        assert passwords_in(found) == {"rujukan_app": "a/b"}
        assert passwords_in(Addresses(app="postgresql://db/x", worker=None, admin=None, owner=None)) == {}


async def _stored(exchange: Any, role: str) -> str:
    stored: str = await exchange.owner.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    return stored
